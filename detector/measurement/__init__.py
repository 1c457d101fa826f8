"""Measured figures: metrics, intervals, conditions."""
