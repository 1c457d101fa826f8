"""Examine's first screen: the verdict and the models at the left, the player at the right; everything else in tabs
below. A fragment: going to another frame, or opening a tab, redraws this and nothing else."""

from __future__ import annotations

import streamlit as st

from detector.cases import AnalysisRecord, Case, Exhibit
from detector.report.wording import count
from pages.parts.examine import (
    bookmarks,
    conclusion_card,
    evidence_facts,
    frame_images,
    frame_view,
    models_table,
    plain_view,
    position,
    stepping,
    tabs,
    timeline,
)
from pages.parts.models import model_choice
from pages.parts.shared import markup, services
from pages.parts.shared.readings import FaceKey, Readings
from pages.parts.shared.wording import clock

_PLOT_CONFIG = {"displayModeBar": False, "scrollZoom": False}


@st.fragment
def show(readings: Readings, record: AnalysisRecord, case: Case, exhibit: Exhibit, who: str) -> None:
    """Verdict, player and tabs of one analysis; notes and bookmarks are kept under the name `who`."""
    if services.current().store.statements.scores_withheld(exhibit.exhibit_id, who):
        st.rerun()  # the case was made blind-first meanwhile: the page as a whole knows what to show instead
    bookmarks.follow_jump()
    left, right = st.columns([5, 7], gap="medium")
    with left:
        _show_finding(readings)
    with right:
        player_place(readings, record.record_id, exhibit, who, position.current(readings))
    tabs.show(readings, record, case, exhibit, who)


def _show_finding(readings: Readings) -> None:
    analysis = readings.analysis
    conclusion_card.show(analysis)
    tracks = count(len(analysis.tracks), "face track") if analysis.tracks else "no face found"
    markup.heading("Models", f"{count(analysis.frames_examined, 'frame')} examined, {tracks}")
    models_table.show_short(analysis, model_choice.decisions(analysis))
    if not analysis.tracks:
        evidence_facts.show_short(analysis)


def player_place(readings: Readings, record_id: str, exhibit: Exhibit, who: str, here: FaceKey | None) -> None:
    """The picture with its boxes, the way through the frames, and the timeline, in at most 560 px of height; the plain
    frames where no face was found."""
    if here is None:
        plain_view.show_frames(services.current().store.case(exhibit.case_id), exhibit, who)
        return
    track_id, pts = here
    frame = frame_view.decode(readings, pts)
    if frame is not None:
        frame_view.show_frame(readings, frame, track_id)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        _show_steps(readings, here)
        if case_is_open(exhibit.case_id):
            bookmarks.toggle(exhibit, who, track_id if here in readings.faces else None, pts)
        if frame is not None:
            frame_view.offer_picture(readings, frame)
    aside = f"{clock(readings.pts_s(pts))} · PTS {pts} · hatched: face not found · score 0 "
    markup.heading("Timeline", aside, bar_to="1")
    key = f"timeline_{record_id}"
    st.plotly_chart(
        timeline.figure(readings, model_id=None, current=here, marks=bookmarks.on_frames(exhibit)),
        key=key,
        on_select=lambda: position.clicked(key),
        selection_mode="points",
        config=_PLOT_CONFIG,
    )


def case_is_open(case_id: str) -> bool:
    """Whether anything can be added to the case."""
    return services.current().store.case(case_id).status != "archived"


def _show_steps(readings: Readings, here: FaceKey) -> None:
    track_id, pts = here
    evidence = readings.analysis.evidence
    every = bool(st.session_state.get("every_frame"))
    moments = frame_images.every_moment(evidence.file.sha256, evidence) if every else readings.moments
    stepping.show(moments, pts, lambda to: position.step_to(readings, track_id, to))
    st.toggle(
        "Every frame",
        key="every_frame",
        persist_state="page",
        help="Off: ← and → go to the next examined frame with a face. On: to the next frame of the file, examined "
        "or not. Shift goes ten at a time.",
    )
