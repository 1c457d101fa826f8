"""Examine: one analysis of one exhibit, down to the single frame."""

from __future__ import annotations

import streamlit as st

from detector.cases import AnalysisRecord, Exhibit
from detector.errors import StoreError
from pages.parts import (
    address,
    evidence_facts,
    exhibit_comparison,
    exports,
    frame_table,
    markup,
    notes,
    record_list,
    services,
    viewer,
)
from pages.parts.address import Place
from pages.parts.readings import Readings
from pages.parts.wording import LABELS


def render() -> None:
    place = address.read()
    store = services.current().store
    if place.exhibit is None and place.record is None:
        record_list.show_recent()
        return
    try:
        chosen = _chosen_record(place)
        if chosen is None:
            return
        record, exhibit = chosen
        case = store.case(record.case_id)
        analysis = services.analysis(str(services.current().home), record.record_id)
    except StoreError as error:
        markup.problem("This record cannot be opened", str(error))
        record_list.show_recent()
        return
    readings = Readings.of(analysis)

    about, actions = st.columns([3, 2], vertical_alignment="center")
    with about:
        markup.title(exhibit.file_name, f"Exhibit {exhibit.number} of {case.reference} · {case.title}", mono=True)
    with actions.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center", gap="small"):
        _choose_record(record, exhibit)
        exports.case_pdf(case)
        exports.analysis_json(record.record_id)
    viewer.show(readings, record.record_id)

    frames_tab, compare_tab, evidence_tab, notes_tab, method_tab = st.tabs(
        ["Frames", "Compare models", "Evidence", "Notes", "Method"]
    )
    with frames_tab:
        if readings.faces:
            _follow(frame_table.show(readings, key=f"frames_{record.record_id}"), record.record_id)
        else:
            markup.note("No face was found, so there are no rows.")
    with compare_tab:
        exhibit_comparison.show(readings, exhibit.exhibit_id)
    with evidence_tab:
        evidence_facts.show(analysis.evidence)
    with notes_tab:
        notes.show(record.case_id, exhibit.exhibit_id)
    with method_tab:
        evidence_facts.show_method(analysis)


def _chosen_record(place: Place) -> tuple[AnalysisRecord, Exhibit] | None:
    """The record that the address names, else the exhibit's newest; None (after saying so) where it has none yet."""
    store = services.current().store
    if place.record is not None:
        record = store.record(place.record)
        return record, store.exhibit(record.exhibit_id)
    assert place.exhibit is not None
    exhibit = store.exhibit(place.exhibit)
    records = store.analyses(exhibit_id=exhibit.exhibit_id)
    if not records:
        markup.empty("hourglass_empty", "Not analysed yet", "Its analysis may be queued or running: see Analyse.")
        return None
    newest = max(records, key=lambda record: record.record_id)
    address.go(Place(exhibit=exhibit.exhibit_id, record=newest.record_id, track=place.track, pts=place.pts))
    return newest, exhibit


def _choose_record(record: AnalysisRecord, exhibit: Exhibit) -> None:
    """Another analysis of the same exhibit, where there is one."""
    records = {item.record_id: item for item in services.current().store.analyses(exhibit_id=exhibit.exhibit_id)}
    if len(records) < 2:
        return

    def describe(record_id: str) -> str:
        item = records[record_id]
        return f"{item.created_at:%Y-%m-%d %H:%M} UTC · {LABELS[item.label].word} · {', '.join(item.model_ids)}"

    key = f"record_{record.record_id}"
    st.selectbox(
        "Analysis",
        list(records),
        index=list(records).index(record.record_id),
        format_func=describe,
        key=key,
        label_visibility="collapsed",
        width=300,
        on_change=lambda: address.go(Place(exhibit=exhibit.exhibit_id, record=st.session_state[key])),
    )


def _follow(face: tuple[int, int] | None, record_id: str) -> None:
    """Show the face of a row that was newly chosen; a row that stays chosen must not pull the view back."""
    key = f"followed_{record_id}"
    if face is None or st.session_state.get(key) == face:
        return
    st.session_state[key] = face
    viewer.go(*face)
    st.rerun()
