"""Scores over time: each model's line, the sound against the mouth, and where models over time attended."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from detector.analysis.kinds import kind_of
from detector.analysis.types import ModelResult
from pages.parts.examine import attention_lane, attention_map, position, score_chart, sync_lane
from pages.parts.models import model_choice
from pages.parts.shared import markup
from pages.parts.shared.readings import FaceKey, Readings

_LINES_AT_ONCE = 3
_PLOT_CONFIG = {"displayModeBar": False, "scrollZoom": False}


def show(readings: Readings, record_id: str, here: FaceKey) -> None:
    """Charts of the track that `here` names a face of, one below the other on one axis of time. For use in a
    fragment: a click on a point shows its frame."""
    _show_scores(readings, record_id, here)
    track_id, pts = here
    for model in sync_lane.listening(readings):
        markup.heading(
            f"Sound against mouth · {model.name}", "score of being out of sync 0 ", bar_to="1 · hatched: no score"
        )
        st.plotly_chart(
            sync_lane.figure(readings, model, current_pts=pts), key=f"sync_{model.model_id}", config=_PLOT_CONFIG
        )
        markup.note(
            "Below: correlation of lip opening and voice, -1 to 1, which needs no training. Good sync proves nothing."
        )
    # Last: a test decodes a window of frames, and nothing else shall wait for it.
    for model, slot in _show_attention(readings, record_id, here):
        attention_map.tell_test(readings, model, track_id, slot)


def _show_scores(readings: Readings, record_id: str, here: FaceKey) -> None:
    track_id, pts = here
    markup.heading(f"Score per frame · track {track_id}", "0 to 1 · dashed: the models' thresholds for a whole track")
    drawn = _choose_lines(readings)
    key = f"scores_{record_id}"
    st.plotly_chart(
        score_chart.figure(readings, track_id, model_choice.decisions(readings.analysis), current_pts=pts, shown=drawn),
        key=key,
        on_select=lambda: position.clicked(key),
        selection_mode="points",
        config=_PLOT_CONFIG,
    )
    if score_chart.has_bands(readings, track_id):
        markup.note("Bands: segments of time that a model over time singles out, in its colour.")


def _show_attention(readings: Readings, record_id: str, here: FaceKey) -> list[tuple[ModelResult, DeltaGenerator]]:
    """A lane a model that says where in the chosen track it looked; its layers and heads on request. Returns each with
    the place below it for what testing it gives."""
    track_id, pts = here
    untold: list[tuple[ModelResult, DeltaGenerator]] = []
    for model in attention_lane.attending(readings, track_id):
        markup.heading(f"Attention of {model.name} · track {track_id}", "share of its result · dotted: even")
        key = f"attention_{record_id}_{model.model_id}"
        st.plotly_chart(
            attention_lane.figure(readings, model, track_id, current_pts=pts),
            key=key,
            on_select=lambda key=key: position.clicked(key),
            selection_mode="points",
            config=_PLOT_CONFIG,
        )
        untold.append((model, st.empty()))
        attention_map.show(readings, model, here)
    return untold


def _choose_lines(readings: Readings) -> list[str]:
    """The models whose lines are drawn: all of a few; of many the ensemble or the first, until others are asked for."""
    scored = readings.with_frame_scores()
    names = {model.model_id: model.name for model in scored}
    if len(names) < 2:
        return list(names)
    first = [model.model_id for model in scored if kind_of(model).fuses][:1] or list(names)[:1]
    chosen = st.pills(
        "Lines",
        list(names),
        selection_mode="multi",
        default=list(names) if len(names) <= _LINES_AT_ONCE else first,
        format_func=lambda model_id: markup.plain(names[model_id]),
        key="lines_shown",
        persist_state="page",
        label_visibility="collapsed",
    )
    return list(chosen)
