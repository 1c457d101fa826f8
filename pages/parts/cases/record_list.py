"""Finished analyses as lines that lead to Examine."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from detector.cases import AnalysisRecord, Exhibit
from detector.report.wording import count
from pages.parts.models import model_choice
from pages.parts.shared import markup, navigation, services, withholding
from pages.parts.shared.address import Place
from pages.parts.shared.wording import LABELS, score_text

_RECENT = 20
_NAMED = 2


def show_recent() -> None:
    """The newest analyses of every case: what Examine shows when it is not told what to examine."""
    store = services.current().store
    records = sorted(store.analyses(), key=lambda record: record.record_id, reverse=True)[:_RECENT]
    if not records:
        markup.empty("frame_inspect", "Nothing to examine yet", "Analyse a video first; its result opens here.")
        navigation.link("analyse", "Go to Analyse", Place(), icon=":material/upload_file:")
        return
    markup.heading("Recent analyses", "newest first")
    for record in records:
        exhibit = store.exhibit(record.exhibit_id)
        case = store.case(record.case_id)
        _line(
            record,
            exhibit.file_name,
            f"{case.reference} · {case.title}",
            withheld=withholding.is_withheld(record.exhibit_id),
            here=True,
        )


def show(records: Sequence[AnalysisRecord], exhibit: Exhibit) -> None:
    """The analyses of one exhibit, newest first, with what was not the same as for the one before."""
    for record in sorted(records, key=lambda item: item.record_id, reverse=True):
        counted = f"{count(record.track_count, 'track')}, {count(record.frames_examined, 'frame')}"
        _line(record, _models(record.model_ids), counted)
        if len(records) > 1 and (found := services.differences(record.record_id)):
            markup.note(f"Unlike the analysis before it: {'; '.join(found)}.")


def _models(model_ids: Sequence[str]) -> str:
    """The first two, and how many more: Examine names them all."""
    left = len(model_ids) - _NAMED
    return ", ".join(model_choice.names_of(model_ids[:_NAMED])) + (f" and {left} more" if left > 0 else "")


def _line(record: AnalysisRecord, name: str, aside: str, *, withheld: bool = False, here: bool = False) -> None:
    """`here`: the line stands on Examine itself."""
    words = LABELS[record.label]
    told = (words.icon, words.colour, words.word, score_text(record.score))
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"line_{record.record_id}"):
        markup.line(
            *(("visibility_off", "var(--fw-faint)", "Held back", "") if withheld else told),
            name,
            f"{aside} · {record.created_at:%Y-%m-%d %H:%M} UTC",
        )
        place, icon = Place(exhibit=record.exhibit_id, record=record.record_id), ":material/frame_inspect:"
        if here:
            navigation.within("Examine", place, key=f"open_{record.record_id}", icon=icon)
        else:
            navigation.link("examine", "Examine", place, icon=icon)
