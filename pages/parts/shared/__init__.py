"""Widgets and services of several pages."""
