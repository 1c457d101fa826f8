"""Widgets of the Analyses page."""
