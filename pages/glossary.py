"""Glossary: what the words on the pages and in the reports mean."""

from __future__ import annotations

from detector.report.glossary import glossary
from pages.parts.shared import markup


def render() -> None:
    """Show the page."""
    markup.title("Glossary", "What the words on these pages and in the reports mean. Reports carry the same list.")
    markup.definitions((term.word, term.text) for term in glossary())
