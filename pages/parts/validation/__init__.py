"""Widgets of the Validation page."""
