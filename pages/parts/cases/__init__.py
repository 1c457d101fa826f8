"""Widgets of the Cases page."""
