"""Examine: one exhibit, down to the single frame, with what models said of it once that may be shown."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from detector.cases import AnalysisRecord, Case, Exhibit
from detector.errors import StoreError
from detector.report.wording import count
from pages.parts.analyse import again
from pages.parts.cases import case_header, record_list
from pages.parts.examine import bookmarks, evidence_facts, plain_view, seen_before, tabs, viewer
from pages.parts.shared import actor, address, markup, navigation, services, statements, view_log
from pages.parts.shared.address import Place
from pages.parts.shared.readings import Readings
from pages.parts.shared.wording import LABELS


def render() -> None:
    """Show the page: the chosen analysis of the chosen exhibit."""
    who = actor.required()
    if not who:
        return
    place = address.read()
    if place.exhibit is None and place.record is None:
        record_list.show_recent()
        return
    try:
        exhibit, record = _chosen(place)
        case = services.current().store.case(exhibit.case_id)
        withheld = services.current().store.statements.scores_withheld(exhibit.exhibit_id, who)
        if record is None or withheld:
            view_log.record(who, case.case_id, exhibit_id=exhibit.exhibit_id)
            _show_without_scores(case, exhibit, who, withheld=withheld and record is not None)
        else:
            view_log.record(who, case.case_id, exhibit_id=exhibit.exhibit_id, record_id=record.record_id, scores=True)
            _show_with_scores(case, exhibit, record, who)
    except StoreError as error:
        markup.problem("This record cannot be opened", str(error))
        record_list.show_recent()


def _show_with_scores(case: Case, exhibit: Exhibit, record: AnalysisRecord, who: str) -> None:
    readings = Readings.of(services.analysis(str(services.current().home), record.record_id))
    with _head(case, exhibit, who, record):
        _choose_record(record, exhibit)
        again.offer(exhibit, who)
    viewer.show(readings, record, case, exhibit, who)


def _show_without_scores(case: Case, exhibit: Exhibit, who: str, *, withheld: bool) -> None:
    """Nothing here has read an analysis, so nothing of it can be in the page."""
    bookmarks.follow_jump()
    with _head(case, exhibit, who):
        pass
    plain_view.show(case, exhibit, who, withheld=withheld)
    # In a container of their own: were the tabs of the examined exhibit to take their place once an opinion is
    # recorded, Streamlit would scroll down to them.
    with st.container(key="plain_tabs"):
        evidence_tab, notes_tab, truth_tab, seen_tab = st.tabs(
            ["Evidence", "Notes and bookmarks", "Ground truth", "Seen before"]
        )
    with evidence_tab:
        evidence_facts.show(exhibit.evidence)
    with notes_tab:
        tabs.show_notes(case, exhibit, who, plain_view.here(exhibit))
    with truth_tab:
        statements.show_truth(exhibit, who)
    with seen_tab:
        seen_before.show(exhibit, withheld=withheld)


def _head(case: Case, exhibit: Exhibit, who: str, record: AnalysisRecord | None = None) -> DeltaGenerator:
    """Title, star, the way to the case, and what was found changed; returns the place for what else can be done."""
    about, actions = st.columns([1, 2], vertical_alignment="center")
    with about:
        below = f"Exhibit {exhibit.reference} of {case.reference} · {case.title}"
        markup.title(exhibit.file_name, f"{below} · {exhibit.description}" if exhibit.description else below, mono=True)
    row = actions.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center", gap="small")
    with row:
        navigation.link("cases", "Case", Place(case=case.case_id), icon=":material/folder_open:", help="The whole case")
        case_header.star(case, who)
    for finding in services.current().store.findings(case.case_id):
        if finding.exhibit_id == exhibit.exhibit_id:
            doubtful = record is not None and record.record_id in finding.record_ids
            markup.problem(
                "This analysis is in doubt" if doubtful else "The stored file was found to be another", finding.sentence
            )
    seen_before.banner(exhibit)
    return row


def _chosen(place: Place) -> tuple[Exhibit, AnalysisRecord | None]:
    """The record that the address names, else the exhibit's newest, if it has any. Raises StoreError."""
    store = services.current().store
    if place.record is not None:
        record = store.record(place.record)
        return store.exhibit(record.exhibit_id), record
    assert place.exhibit is not None
    exhibit = store.exhibit(place.exhibit)
    records = store.analyses(exhibit_id=exhibit.exhibit_id)
    return exhibit, max(records, key=lambda record: record.record_id, default=None)


def _choose_record(record: AnalysisRecord, exhibit: Exhibit) -> None:
    """Another analysis of the same exhibit, where there is one."""
    records = {item.record_id: item for item in services.current().store.analyses(exhibit_id=exhibit.exhibit_id)}
    if len(records) < 2:
        return

    def describe(record_id: str) -> str:
        item = records[record_id]
        return (
            f"{item.created_at:%Y-%m-%d %H:%M} UTC · {LABELS[item.label].word} · {count(len(item.model_ids), 'model')}"
        )

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
