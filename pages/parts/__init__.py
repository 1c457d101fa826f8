"""Widgets of the pages: a folder a page, `shared` for several."""
