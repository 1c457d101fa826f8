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
    frame_view,
    models_table,
    plain_view,
    player_place,
    position,
    tabs,
)
from pages.parts.models import model_choice
from pages.parts.shared import markup, navigation, services
from pages.parts.shared.address import Place
from pages.parts.shared.readings import FaceKey, Readings
from pages.parts.shared.wording import clock


@st.fragment
def show(readings: Readings, record: AnalysisRecord, case: Case, exhibit: Exhibit, who: str) -> None:
    """Verdict, player and tabs of one analysis; notes and bookmarks are kept under the name `who`."""
    if services.current().store.statements.scores_withheld(exhibit.exhibit_id, who):
        st.rerun()  # the case was made blind-first meanwhile: the page as a whole knows what to show instead
    bookmarks.follow_jump()
    here = position.current(readings)
    left, right = st.columns([5, 7], gap="medium")
    with left:
        _show_finding(readings)
        _compare_link(readings, exhibit, here)
    with right:
        _show_player(readings, record.record_id, exhibit, who, here)
    tabs.show(readings, record, case, exhibit, who, here)


def _show_finding(readings: Readings) -> None:
    analysis = readings.analysis
    conclusion_card.show(analysis)
    tracks = count(len(analysis.tracks), "face track") if analysis.tracks else "no face found"
    markup.heading("Models", f"{count(analysis.frames_examined, 'frame')} examined, {tracks}")
    models_table.show_short(analysis, model_choice.decisions(analysis))
    if not analysis.tracks:
        evidence_facts.show_short(analysis)


def _compare_link(readings: Readings, exhibit: Exhibit, here: FaceKey | None) -> None:
    """The way to the models side by side, on the frame that is shown here."""
    alone = len(readings.analysis.models) < 2
    if alone and len(services.current().store.analyses(exhibit_id=exhibit.exhibit_id)) < 2:
        return
    track_id, pts = (None, None) if here is None else here
    navigation.link(
        "compare",
        "Compare models",
        Place(exhibit=exhibit.exhibit_id, track=track_id, pts=pts),
        icon=":material/compare:",
        help="Heatmaps of this frame side by side, scores on one axis of time, agreement",
    )


def _show_player(readings: Readings, record_id: str, exhibit: Exhibit, who: str, here: FaceKey | None) -> None:
    """The player, and what can be done with the frame at which it stands; without scores where no face was found."""
    if here is None:
        plain_view.show_frames(services.current().store.case(exhibit.case_id), exhibit, who)
        return
    track_id, pts = here
    player_place.show_record(readings, record_id, exhibit, who, here)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if case_is_open(exhibit.case_id):
            bookmarks.toggle(exhibit, who, track_id if here in readings.faces else None, pts)
        frame = frame_view.decode(readings, pts)
        if frame is not None:
            frame_view.offer_picture(readings, frame)
        markup.note(f"{clock(readings.pts_s(pts))} · PTS {pts} · decoded exactly, scaled and re-encoded for display.")


def case_is_open(case_id: str) -> bool:
    """Whether anything can be added to the case."""
    return services.current().store.case(case_id).status != "archived"
