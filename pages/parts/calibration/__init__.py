"""Widgets of the Calibration page."""
