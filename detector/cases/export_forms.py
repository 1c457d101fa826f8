"""The forms in which a case or one analysis can be taken away, by name: what pages and command line offer.

A list without the libraries that make them, because a page shows it every time it is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Form:
    """`key` names it on the command line; `help` is a sentence for a reader who has to choose."""

    key: str
    title: str
    suffix: str
    mime_type: str
    help: str


_CSV = Form("csv", "Frame table, CSV", ".csv", "text/csv", "Every face and score, for a spreadsheet.")
_PARQUET = Form(
    "parquet", "Frame table, Parquet", ".parquet", "application/vnd.apache.parquet", "The same, typed, for a program."
)
CASE_FORMS: Final = (
    Form("html", "Report, HTML", ".html", "text/html", "The report as one file for a browser, without scripts."),
    Form(
        "case-uco", "CASE/UCO", ".jsonld", "application/ld+json", "Exhibits, analyses and custody for forensic tools."
    ),
    _CSV,
    _PARQUET,
)
RECORD_FORMS: Final = (
    _CSV,
    _PARQUET,
    Form(
        "replay", "Replay bundle", ".zip", "application/zip", "Settings, models and results, to run the analysis again."
    ),
    Form(
        "replay-with-input",
        "Replay bundle with original",
        ".zip",
        "application/zip",
        "The same, and the evidence file itself.",
    ),
    Form(
        "contact-sheet", "Contact sheet, PNG", ".png", "image/png", "The strongest faces with their heatmaps. Derived."
    ),
)
