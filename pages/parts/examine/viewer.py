"""Timeline, score chart and frame, which move together. A fragment: stepping redraws this and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from detector.analysis.kinds import kind_of
from detector.analysis.types import ModelResult
from detector.cases import Exhibit
from detector.report.wording import count
from pages.parts.examine import (
    attention_lane,
    attention_map,
    bookmarks,
    conclusion_card,
    cue_panel,
    frame_filters,
    frame_images,
    frame_view,
    members_table,
    motion_readings,
    patch_readings,
    score_chart,
    sensitivity_panel,
    stepping,
    sync_lane,
    timeline,
    uncertainty_panel,
)
from pages.parts.examine.bookmarks import Mark
from pages.parts.models import model_choice
from pages.parts.shared import address, markup, services
from pages.parts.shared.readings import FaceKey, Readings
from pages.parts.shared.wording import clock

Untold = tuple[ModelResult, DeltaGenerator]
_LINES_AT_ONCE = 3
_PLOT_CONFIG = {"displayModeBar": False, "scrollZoom": False}


def go(track_id: int, pts: int) -> None:
    """Make the address name this face."""
    address.go(replace(address.read(), track=track_id, pts=pts))


def current(readings: Readings) -> FaceKey | None:
    """The face that the address names, made whole: a missing or unknown part is filled with the nearest there is."""
    place = address.read()
    first = readings.strongest()
    if first is None:
        return None
    track_id = place.track if place.track is not None and readings.track(place.track) else None
    if track_id is None and place.pts is None:
        return first
    if track_id is None:
        track_id = next(iter(readings.tracks_at(place.pts or 0)), first[0])
    if place.pts is None:
        return max((key for key in readings.faces if key[0] == track_id), key=lambda k: readings.combined_score(k) or 0)
    return track_id, place.pts


@st.fragment
def show(readings: Readings, record_id: str, exhibit: Exhibit, who: str) -> None:
    """The conclusion and the face at the left; timeline, scores and frame at the right. `who` sets bookmarks."""
    if services.current().store.statements.scores_withheld(exhibit.exhibit_id, who):
        st.rerun()  # the case was made blind-first meanwhile: the page as a whole knows what to show instead
    left, right = st.columns([5, 8], gap="medium")
    with left:
        _show_finding(readings)
        sensitivity_panel.show(readings.analysis, exhibit, who, may_ask=case_is_open(exhibit.case_id))
    here = current(readings)
    if here is None:
        with right:
            markup.empty(
                "no_accounts",
                "No face was found",
                "There is no timeline and no heatmap, because nothing was scored. See the reasons beside and the "
                "file's facts below.",
            )
        return
    track_id, pts = here
    with right:
        untold = _show_charts(readings, record_id, here, bookmarks.on_frames(exhibit))
        markup.heading("Frame", f"{clock(readings.pts_s(pts))} · PTS {pts}")
        frame = frame_view.decode(readings, pts)
        if frame is not None:
            frame_view.show_frame(readings, frame, track_id)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            _show_steps(readings, here)
            if case_is_open(exhibit.case_id):
                bookmarks.toggle(exhibit, who, track_id if here in readings.faces else None, pts)
            if frame is not None:
                frame_view.offer_picture(readings, frame)
        if frame is not None:
            frame_view.show_position(readings, frame)
            frame_filters.show(exhibit, frame, who)
            frame_view.show_measurements(readings, track_id, pts)
    with left:
        markup.heading(f"Face · track {track_id}", clock(readings.pts_s(pts)))
        if frame is not None:
            frame_view.show_face(readings, frame, track_id)
            uncertainty_panel.show(readings, frame, track_id)
    cue_panel.show(readings, frame, track_id)
    for model, slot in untold:  # last: it decodes a window of frames, and nothing else shall wait for it
        attention_map.tell_test(readings, model, track_id, slot)


def _show_finding(readings: Readings) -> None:
    analysis = readings.analysis
    conclusion_card.show(analysis)
    markup.heading(
        "Models", f"{count(analysis.frames_examined, 'frame')} examined, {count(len(analysis.tracks), 'face track')}"
    )
    conclusion_card.show_models(analysis, model_choice.decisions(analysis))
    for model in analysis.models:
        if model.members:
            members_table.show(model, analysis.conclusion)
        patch_readings.show(model)
        motion_readings.show(model)


def case_is_open(case_id: str) -> bool:
    """Whether anything can be added to the case."""
    return services.current().store.case(case_id).status != "archived"


def _show_charts(readings: Readings, record_id: str, here: FaceKey, shown_marks: Sequence[Mark]) -> list[Untold]:
    """Timeline and lanes; returns the models whose attention is still to be tested, with the place to say so."""
    track_id, pts = here
    shown_model = _choose_colouring(readings)
    event_key = f"timeline_{record_id}"
    st.plotly_chart(
        timeline.figure(readings, model_id=shown_model, current=here, marks=shown_marks),
        key=event_key,
        on_select=lambda: clicked(event_key),
        selection_mode="points",
        config=_PLOT_CONFIG,
    )
    markup.heading(f"Score per frame · track {track_id}", "0 to 1 · dashed: the models' thresholds for a whole track")
    drawn = _choose_lines(readings)
    chart_key = f"scores_{record_id}"
    st.plotly_chart(
        score_chart.figure(readings, track_id, model_choice.decisions(readings.analysis), current_pts=pts, shown=drawn),
        key=chart_key,
        on_select=lambda: clicked(chart_key),
        selection_mode="points",
        config=_PLOT_CONFIG,
    )
    if score_chart.has_bands(readings, track_id):
        markup.note("Bands: segments of time that a model over time singles out, in its colour.")
    untold = _show_attention(readings, record_id, here)
    for model in sync_lane.listening(readings):
        markup.heading(
            f"Sound against mouth · {model.model_id}", "score of being out of sync 0 ", bar_to="1 · hatched: no score"
        )
        st.plotly_chart(
            sync_lane.figure(readings, model, current_pts=pts), key=f"sync_{model.model_id}", config=_PLOT_CONFIG
        )
        markup.note(
            "Below: correlation of lip opening and voice, -1 to 1, which needs no training. Good sync proves nothing."
        )
    return untold


def _show_attention(readings: Readings, record_id: str, here: FaceKey) -> list[Untold]:
    """A lane a model that says where in the chosen track it looked; its layers and heads on request. Returns each with
    the place below it for what testing it gives."""
    track_id, pts = here
    untold: list[Untold] = []
    for model in attention_lane.attending(readings, track_id):
        markup.heading(f"Attention of {model.model_id} · track {track_id}", "share of its result · dotted: even")
        lane_key = f"attention_{record_id}_{model.model_id}"
        st.plotly_chart(
            attention_lane.figure(readings, model, track_id, current_pts=pts),
            key=lane_key,
            on_select=lambda key=lane_key: clicked(key),
            selection_mode="points",
            config=_PLOT_CONFIG,
        )
        untold.append((model, st.empty()))
        attention_map.show(readings, model, here)
    return untold


def _choose_lines(readings: Readings) -> list[str]:
    """The models whose lines are drawn: all of a few; of many the ensemble or the first, until others are asked for."""
    scored = readings.with_frame_scores()
    ids = [model.model_id for model in scored]
    if len(ids) < 2:
        return ids
    first = [model.model_id for model in scored if kind_of(model).fuses][:1] or ids[:1]
    chosen = st.pills(
        "Lines",
        ids,
        selection_mode="multi",
        default=ids if len(ids) <= _LINES_AT_ONCE else first,
        key="lines_shown",
        persist_state="page",
        label_visibility="collapsed",
    )
    return list(chosen)


def _show_steps(readings: Readings, here: FaceKey) -> None:
    track_id, pts = here
    evidence = readings.analysis.evidence
    every = bool(st.session_state.get("every_frame"))
    moments = frame_images.every_moment(evidence.file.sha256, evidence) if every else readings.moments
    stepping.show(moments, pts, lambda to: step_to(readings, track_id, to))
    st.toggle(
        "Every frame",
        key="every_frame",
        persist_state="page",
        help="Off: ← and → go to the next examined frame with a face. On: to the next frame of the file, examined "
        "or not. Shift goes ten at a time.",
    )


def _choose_colouring(readings: Readings) -> str | None:
    """The model whose score colours the points, of those that score frames: with one there is nothing to choose."""
    ids = [model.model_id for model in readings.with_frame_scores()]
    aside = "click a point · small: low quality · hatched: face not found · score 0 "
    markup.heading("Timeline", aside, bar_to="1")
    if len(ids) < 2:
        return None
    chosen = st.segmented_control(
        "Colour by", ["all models", *ids], default="all models", key="colour_by", persist_state="page"
    )
    return chosen if chosen in ids else None


def clicked(key: str) -> None:
    """Go to the face that was clicked in the chart of this key; a click that hit none changes nothing."""
    face = timeline.picked(st.session_state.get(key))
    if face is not None:
        go(*face)


def step_to(readings: Readings, track_id: int, pts: int) -> None:
    """Keep to the track where it is present; otherwise go on with a face that is."""
    present = readings.tracks_at(pts)
    go(track_id if not present or track_id in present else present[0], pts)
