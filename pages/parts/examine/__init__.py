"""Widgets of the Examine page."""
