"""The forms in which a case or one analysis can be taken away, by name: what pages and command line offer, and what is
known of an export that was asked for.

Lists without the libraries that make them, because a page shows them every time it is drawn.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

ExportState = Literal["queued", "running", "done", "failed", "cancelled"]


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

# A page offers more than the command line's `exchange`: what has a command of its own there.
REPORT_FORMS: Final = (
    Form(
        "report-full",
        "Report, PDF",
        ".pdf",
        "application/pdf",
        "PDF/A-3: custody, method, findings, strength, limits, with the analyses and the log attached inside.",
    ),
    Form("report-short", "Report, short form, PDF", ".pdf", "application/pdf", "The same case on two pages."),
)
BUNDLE_FORM: Final = Form(
    "bundle",
    "Case bundle",
    ".zip",
    "application/zip",
    "Records, analyses as JSON, notes and the log of events, with a hash of each file.",
)
JSON_FORM: Final = Form(
    "json", "Analysis, JSON", ".json", "application/json", "By the command line's contract: every track and score."
)
VIDEO_FORMS: Final = (
    Form(
        "annotated-video",
        "Annotated video, MP4",
        ".mp4",
        "video/mp4",
        "Boxes, scores and a time line drawn on a copy that is labelled as derived.",
    ),
    Form(
        "annotated-video-heatmap",
        "Annotated video with heatmap, MP4",
        ".mp4",
        "video/mp4",
        "The same with the heatmap beside the picture; takes longer.",
    ),
)
CASE_EXPORTS: Final = {form.key: form for form in (*REPORT_FORMS, BUNDLE_FORM, *CASE_FORMS)}
RECORD_EXPORTS: Final = {form.key: form for form in (*VIDEO_FORMS, JSON_FORM, *RECORD_FORMS)}
IN_LANGUAGES: Final = frozenset({"report-full", "report-short", "html"})


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What is wanted: of a whole case one of `CASE_EXPORTS`, or of the analysis `record_id` one of `RECORD_EXPORTS`.
    `language` is for those of `IN_LANGUAGES`; `exhibit_ids`, the exhibits to cover (all where empty), for PDF."""

    case_id: str
    form: str
    record_id: str = ""
    language: str = "en"
    exhibit_ids: tuple[str, ...] = ()

    @property
    def kind(self) -> Form:
        """The form. KeyError for one that is not offered of this."""
        return (RECORD_EXPORTS if self.record_id else CASE_EXPORTS)[self.form]


@dataclass(frozen=True, slots=True)
class LoggedExport:
    """An event that tells of an export: `action` and `details` as in `Event`."""

    action: str
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MadeExport:
    """A file that was made: the events that tell of it, the exhibits whose scores it shows, whether it is the report of
    a case that was signed, and a sentence on what was left out or reduced."""

    sha256: str
    size_bytes: int
    logged: tuple[LoggedExport, ...]
    shows: tuple[str, ...] = ()
    signed: bool = False
    statement: str = ""


@dataclass(frozen=True, slots=True)
class Export:
    """One export that `author` asked for. `attempts`, `worker_deaths`, `stage`, `fraction` and `remaining_s` are as of
    a `Job`; `message` says what is being done, why it failed, or what its file leaves out. The file, its SHA-256 and
    size are there once it is done, and until `removed_at`. `shows` are the exhibits whose scores it shows; a `signed`
    one is the report of a case that was signed."""

    job_id: str
    request: ExportRequest
    exhibit_id: str
    author: str
    file_name: str
    state: ExportState
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    attempts: int = 0
    worker_deaths: int = 0
    stage: str = ""
    fraction: float = 0.0
    remaining_s: float | None = None
    message: str = ""
    error_code: str | None = None
    sha256: str = ""
    size_bytes: int = 0
    shows: tuple[str, ...] = ()
    signed: bool = False
    removed_at: datetime | None = None

    @property
    def active(self) -> bool:
        """Whether it waits or is being made."""
        return self.state in ("queued", "running")

    @property
    def kept(self) -> bool:
        """Whether its file should be there."""
        return self.state == "done" and self.removed_at is None


def file_stem(text: str) -> str:
    """A name safe on every file system: letters, digits, dot, dash; at most 60 characters; never empty."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", text).strip("-.")[:60] or "case"


def export_name(request: ExportRequest, reference: str) -> str:
    """The name of an export's file, from the case's reference."""
    parts = [file_stem(reference), request.record_id, _IN_NAME.get(request.form, "")]
    if request.form in IN_LANGUAGES:
        parts.append(request.language)
    return "-".join(filter(None, parts)) + request.kind.suffix


_IN_NAME: Final = {
    "report-full": "full",
    "report-short": "short",
    "annotated-video": "derived",
    "annotated-video-heatmap": "heatmap-derived",
    "replay": "replay",
    "replay-with-input": "replay-with-input",
    "contact-sheet": "contact-sheet-derived",
}
