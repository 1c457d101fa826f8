"""Widgets of the Analyse page."""
