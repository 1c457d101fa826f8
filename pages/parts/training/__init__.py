"""Widgets of the Training page."""
