"""Everything about an exhibit that stands below its verdict and its player, in tabs. What a closed tab holds is not
computed before it is opened."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from detector.cases import AnalysisRecord, Case, Exhibit
from pages.parts.cases import exports
from pages.parts.examine import (
    bookmarks,
    cue_panel,
    evidence_facts,
    file_forensics,
    frame_filters,
    frame_table,
    frame_view,
    models_table,
    notes,
    plain_view,
    position,
    seen_before,
    sensitivity_panel,
    time_panel,
    uncertainty_panel,
)
from pages.parts.models import model_choice
from pages.parts.shared import markup, statements
from pages.parts.shared.address import Place
from pages.parts.shared.readings import FaceKey, Readings
from pages.parts.shared.wording import clock

_KEY, _KEPT = "examine_tab", "examine_tab_kept"


def show(
    readings: Readings, record: AnalysisRecord, case: Case, exhibit: Exhibit, who: str, here: FaceKey | None
) -> None:
    """The tabs, by how often an examiner needs them; the open one stays open when another frame is shown, and when the
    page is left and opened again. `here` is the face that the player shows. For use in a fragment."""
    drawn: dict[str, Callable[[], None]] = {
        "Frame": lambda: _show_frame(readings, exhibit, who, here),
        "Models": lambda: _show_models(readings, case, exhibit, who),
        "Scores over time": lambda: _show_times(readings, record, here),
        "Specialists": lambda: _show_specialists(readings, here),
        "Frame table": lambda: _show_rows(readings, record),
        "Evidence": lambda: _show_evidence(readings, record),
        "Seen before": lambda: seen_before.show(exhibit, withheld=False),
        "Notes": lambda: show_notes(case, exhibit, who, _frame_shown(exhibit, here)),
        "Opinions": lambda: statements.show(case, exhibit, who),
        "Exports": lambda: exports.of_analysis(case, record, who),
        "Method": lambda: evidence_facts.show_method(readings.analysis, record.record_id),
    }
    if _KEY not in st.session_state:
        st.session_state[_KEY] = st.session_state.get(_KEPT, next(iter(drawn)))
    for tab, draw in zip(st.tabs(list(drawn), key=_KEY, on_change="rerun"), drawn.values(), strict=True):
        if tab.open:
            with tab:
                draw()
    st.session_state[_KEPT] = st.session_state[_KEY]


def show_notes(case: Case, exhibit: Exhibit, who: str, here: Place) -> None:
    """Notes at the left, bookmarks at the right, each with the way to add one at the place `here`."""
    left, right = st.columns(2, gap="large")
    with left:
        notes.show(case, who, {exhibit.exhibit_id: exhibit}, exhibit=exhibit, here=here)
    with right:
        bookmarks.show(case, [exhibit], who, jump=True)
        if case.status != "archived":
            bookmarks.add_form(exhibit, who, here)


def _frame_shown(exhibit: Exhibit, here: FaceKey | None) -> Place:
    return plain_view.here(exhibit) if here is None else Place(track=here[0], pts=here[1])


def _show_frame(readings: Readings, exhibit: Exhibit, who: str, here: FaceKey | None) -> None:
    """Face and heatmap at the left, what was read of the face at the right, filters of the whole frame below."""
    if here is None:
        markup.note("No face was found, so there is no reading and no heatmap. Filters stand below the picture.")
        return
    track_id, pts = here
    frame = frame_view.decode(readings, pts)
    if frame is None:
        return
    left, right = st.columns(2, gap="medium")
    with left:
        markup.heading(f"Face · track {track_id}", clock(readings.pts_s(pts)))
        frame_view.show_face(readings, frame, track_id)
    with right:
        frame_view.show_measurements(readings, track_id, pts)
        with st.expander("How steady are these scores?", icon=":material/blur_on:"):
            uncertainty_panel.show(readings, frame, track_id)
    frame_filters.show(exhibit, frame, who)


def _show_models(readings: Readings, case: Case, exhibit: Exhibit, who: str) -> None:
    analysis = readings.analysis
    models_table.show(analysis, model_choice.decisions(analysis))
    sensitivity_panel.show(analysis, exhibit, who, may_ask=case.status != "archived")


def _show_times(readings: Readings, record: AnalysisRecord, here: FaceKey | None) -> None:
    if here is None:
        markup.note("No face was found, so there is no score to draw over time.")
    else:
        time_panel.show(readings, record.record_id, here)


def _show_specialists(readings: Readings, here: FaceKey | None) -> None:
    if not readings.cues():
        markup.note("No specialist model took part in this analysis.")
        return
    frame = None if here is None else frame_view.decode(readings, here[1])
    cue_panel.show(readings, frame, None if here is None else here[0])


def _show_rows(readings: Readings, record: AnalysisRecord) -> None:
    if not readings.faces:
        markup.note("No face was found, so there are no rows.")
        return
    followed = f"followed_{record.record_id}"
    face = frame_table.show(readings, key=f"frames_{record.record_id}")
    # A row that stays chosen must not pull the view back from a frame that was gone to since.
    if face is not None and st.session_state.get(followed) != face:
        st.session_state[followed] = face
        position.go(*face)
        st.rerun()
    if face is None:
        st.session_state.pop(followed, None)


def _show_evidence(readings: Readings, record: AnalysisRecord) -> None:
    evidence_facts.show(readings.analysis.evidence)
    file_forensics.show(readings.analysis, key=record.record_id)
