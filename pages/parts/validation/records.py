"""Past validations of a store: the list, and one record in full with its files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import pandas as pd
import streamlit as st

from detector.cases import CaseStore, Event
from detector.cases.chain import STORE_CHAIN
from detector.errors import SettingsError
from detector.report.language import unmarked, words_of
from detector.validation.documents import Criterion, Result, ValidationRecord, Verdict, figure_text
from detector.validation.files import EVENT, FOLDER, RECORD, REPORT, SCORES, Request, Written, read_written
from pages.parts.shared import markup

# Word, icon and colour of a result; a mark of a verdict, which stands before its word.
RESULTS: dict[Result, tuple[str, str, str]] = {
    "pass": ("Passed", "check_circle", "#0072B2"),
    "fail": ("Failed", "dangerous", "#D55E00"),
    "incomplete": ("Incomplete", "help", "#E69F00"),
}
_MARKS: dict[Verdict, str] = dict(zip(get_args(Verdict), "✓✗?", strict=True))
_FIRST: tuple[Verdict, ...] = ("fail", "not_checked", "pass")
_TYPES = {
    REPORT: ("PDF", "application/pdf", ":material/picture_as_pdf:"),
    RECORD: ("JSON", "application/json", ":material/data_object:"),
    SCORES: ("Scores", "application/vnd.apache.parquet", ":material/table:"),
}


@dataclass(frozen=True, slots=True)
class Past:
    """What a folder of the store's validations holds: a finished record with its event in the log (None where there is
    none), the request of an unfinished one, or in `problem` why neither can be read."""

    folder: Path
    written: Written | None = None
    event: Event | None = None
    request: Request | None = None
    problem: str = ""


def past(store: CaseStore) -> list[Past]:
    """All validations in the store's folder, the newest first."""
    events = {event.details.get("record_sha256"): event for event in store.events(STORE_CHAIN) if event.action == EVENT}
    folders = sorted((store.home / FOLDER).glob("*/"), key=lambda path: path.name, reverse=True)
    return [_read(folder, events) for folder in folders]


def _read(folder: Path, events: dict[object, Event]) -> Past:
    try:
        if not (folder / RECORD).is_file():
            return Past(folder, request=Request.read(folder))
        written = read_written(folder)
    except SettingsError as error:
        return Past(folder, problem=str(error))
    return Past(folder, written, events.get(written.record_sha256))


def show(found: Past, *, put_on_record: Callable[[], None]) -> None:
    """One finished record: result, parts, criteria, what ranks worse than chance, and the files."""
    assert found.written is not None
    record = found.written.record
    word, icon, colour = RESULTS[record.result]
    words = words_of("en").phrases
    markup.outcome(icon, colour, word, words[f"validation.meaning.{record.result}"])
    markup.facts(_facts(found.written, found.event), mono=["SHA-256 of the record", "Code"])
    if found.event is None:
        st.button("Put it into the log", icon=":material/history_edu:", key="validation_log", on_click=put_on_record)
    with st.container(horizontal=True):
        for name, (label, mime, symbol) in _TYPES.items():
            path = found.folder / name
            if path.is_file():
                st.download_button(
                    label,
                    path.read_bytes,
                    file_name=f"{found.folder.name}-{name}",
                    mime=mime,
                    icon=symbol,
                    key=f"validation_{name}",
                    on_click="ignore",
                )
    _show_inverted(record)
    for part in record.parts:
        counts = f"{part.passed} met, {part.failed} not met, {part.not_checked} not checked"
        markup.heading(words[f"validation.part.{part.part}"], f"{_verdict(part.verdict)} · {counts}")
        own = sorted(
            (row for row in record.criteria if row.part == part.part), key=lambda row: _FIRST.index(row.verdict)
        )
        table = pd.DataFrame([_line(row, words) for row in own])
        table = table.loc[:, (table != "").any()]
        st.dataframe(table, hide_index=True, width="stretch", height="content", key=f"validation_{part.part}")
    markup.note(
        f"{words['validation.figures']} {words['validation.limit.1']} {words['validation.limit.2']} "
        f"{words['validation.limit.3']}"
    )


def _facts(written: Written, event: Event | None) -> list[tuple[str, str]]:
    record = written.record
    suites = ", ".join(
        f"{one.n_real} genuine + {one.n_fake} manipulated {'supplied' if one.location else 'synthesised'}"
        for one in record.suites
    )
    return [
        ("Examiner", record.examiner or "not named"),
        ("Begun and finished", f"{record.begun_at:%Y-%m-%d %H:%M:%S} and {record.finished_at:%H:%M:%S} UTC"),
        ("Program", f"{record.program}, commit {(record.commit or 'none')[:12]}"),
        ("Code", record.code_sha256),
        ("Criteria of acceptance", f"version {record.criteria_version}"),
        ("Suites", suites),
        ("SHA-256 of the record", written.record_sha256),
        ("Custody log", "not in the log" if event is None else f"event {event.sequence} of the store, {event.actor}"),
    ]


def _show_inverted(record: ValidationRecord) -> None:
    if record.inverted:
        rows = (
            " · ".join(filter(None, (row.model, row.dimension, row.name))) + f": {figure_text('auc', row.auc)}"
            for row in record.inverted
        )
        markup.problem("▼ Worse than chance on the supplied suite", "\n".join(rows))


def _line(row: Criterion, words: dict[str, str]) -> dict[str, str]:
    expected = figure_text(row.measure, row.expected)
    if row.measure == "sample_scores":
        expected = f"at most {row.expected.value:g}"
    why = f" ({words[f'validation.reason.{row.reason}']})" if row.reason else ""
    return {
        "Criterion": unmarked(words[f"validation.measure.{row.measure}"]),
        "Of": row.subject,
        "Expected": expected,
        "From": row.source,
        "Found": figure_text(row.measure, row.found),
        "Verdict": f"{_verdict(row.verdict)}{why}",
        "What differs": "; ".join(row.detail),
    }


def _verdict(verdict: Verdict) -> str:
    return f"{_MARKS[verdict]} {words_of('en').phrases[f'validation.verdict.{verdict}']}"
