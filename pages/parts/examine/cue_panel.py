"""The six cues, each its own specialist: what it said or why it does not apply, its meaning, its innocent causes."""

from __future__ import annotations

from typing import get_args

import streamlit as st

from detector.analysis.cue_meaning import CUE_MEANINGS
from detector.analysis.kinds import kind_of
from detector.analysis.types import Cue, CueResult, ModelResult
from detector.evidence import Frame
from detector.measurement.results import Measurement
from detector.measurement.wording import WORSE_THAN_CHANCE, figure_text
from detector.report.wording import ENGLISH
from pages.parts.examine import channel_chart, channel_maps
from pages.parts.models import model_choice
from pages.parts.shared import markup
from pages.parts.shared.markup import escaped
from pages.parts.shared.readings import Readings
from pages.parts.shared.wording import score_text

CUES: tuple[Cue, ...] = get_args(Cue)
_ON_VIDEOS = "on real deepfake videos"
_PLOT_CONFIG = {"displayModeBar": False, "scrollZoom": False}


def show(readings: Readings, frame: Frame | None, track_id: int | None) -> None:
    """Nothing where no model of the analysis answers for any cue."""
    found = readings.cues()
    if not found:
        return
    markup.heading(
        "Specialists",
        "a score each, of its highest track, 0 to 1 · each can be raised by innocent causes",
    )
    _show_overview(found)
    cue = st.segmented_control(
        "Look closer at",
        CUES,
        default=_most_striking(found),
        format_func=lambda one: CUE_MEANINGS[one].title,
        required=True,
        key="cue_shown",
        persist_state="page",
    )
    with_channels = track_id is not None and cue in found and bool(found[cue][1].channels)
    left, right = st.columns([5, 8], gap="medium")
    with left:
        _show_meaning(cue, found.get(cue))
        if with_channels:
            _show_innocent(cue)
    with right:
        if with_channels and track_id is not None:
            _show_channels(readings, *found[cue], frame, track_id)
        else:
            _show_innocent(cue)
            _show_where(found.get(cue))


def _most_striking(found: dict[Cue, tuple[ModelResult, CueResult]]) -> Cue:
    """The cue with the highest score; the first that there is where none has one."""
    scored = [(result.score, cue) for cue, (_, result) in found.items() if result.score is not None]
    return max(scored)[1] if scored else next(iter(found))


def _show_overview(found: dict[Cue, tuple[ModelResult, CueResult]]) -> None:
    cells = []
    for cue in CUES:
        result = found[cue][1] if cue in found else None
        row = _measured(found[cue]) if cue in found else None
        cells.append(
            f'<div class="fw-cue"><b title="{cue}">{escaped(CUE_MEANINGS[cue].title)}</b>{_said(result, row)}</div>'
        )
    st.html(f'<div class="fw-cues">{"".join(cells)}</div>')


def _measured(found: tuple[ModelResult, CueResult]) -> Measurement | None:
    """The card's measurement of the cue on real deepfake videos; None where the card is not at hand."""
    model, result = found
    card = model_choice.card_of(model)
    return card.results.on_real_videos(result.cue) if card is not None else None


def _said(result: CueResult | None, row: Measurement | None) -> str:
    if result is None:
        return f'<p class="fw-note">{markup.icon("remove")} no model of this analysis looks at it</p>'
    if result.score is None:
        reason = escaped(result.reason or "no reason given")
        return f'<p class="fw-note">{markup.icon("do_not_disturb_on")} not applicable: {reason}</p>'
    worse = f'<p class="fw-note">{markup.icon("swap_vert", "#D55E00")} {WORSE_THAN_CHANCE} {_ON_VIDEOS}</p>'
    return (
        f'<div class="fw-cue-score"><div class="fw-gauge" role="img" aria-label="score {result.score:.3f}">'
        f'<b style="left:{100 * result.score:.1f}%;--fw-dot:var(--fw-blue)"></b></div>'
        f'<span class="fw-num">{score_text(result.score)}</span></div>'
        + (worse if row is not None and row.worse_than_chance else "")
    )


def _show_meaning(cue: Cue, found: tuple[ModelResult, CueResult] | None) -> None:
    meaning = CUE_MEANINGS[cue]
    markup.heading(meaning.title)
    st.html(f'<p class="fw-text">{escaped(meaning.meaning)}</p>')
    markup.bullets(ENGLISH(f"cue.score_{level}") for level in ("low", "middle", "high"))
    if found is not None:
        model, result = found
        rows = [("Model", model.name), ("Score of the file", score_text(result.score))]
        if result.reason:
            rows.append(("Not applicable", result.reason))
        if (row := _measured(found)) is not None:
            rows.append((f"Measured {_ON_VIDEOS}", figure_text(row, "genuine + manipulated")))
        rows += [(f"Track {track.track_id}", score_text(track.score)) for track in result.tracks]
        markup.facts(rows)


def _show_innocent(cue: Cue) -> None:
    markup.heading("Innocent explanations")
    markup.bullets(CUE_MEANINGS[cue].innocent)


def _show_where(found: tuple[ModelResult, CueResult] | None) -> None:
    """Say where a cue without channels is drawn."""
    if found is not None and (where := kind_of(found[0]).drawn_where):
        markup.note(f"It has no channels: {where}.")


def _show_channels(
    readings: Readings, model: ModelResult, result: CueResult, frame: Frame | None, track_id: int
) -> None:
    module = channel_chart.choose_module(result)
    names = channel_chart.names_of(result, module)
    channel_maps.show(readings, model, result, names, frame, track_id)
    markup.heading("Numbers over time", f"track {track_id} · each channel on its own scale")
    if not any(reading.track_id == track_id for reading in result.readings):
        markup.note(f"There are no readings of track {track_id}.")
        return
    chosen = channel_chart.choose(result.cue, names)
    if chosen:
        st.plotly_chart(
            channel_chart.figure(readings, result, track_id, chosen, current_pts=None if frame is None else frame.pts),
            key=f"channels_{result.cue}",
            config=_PLOT_CONFIG,
        )
