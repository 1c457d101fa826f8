"""Readings of track-level models over time as one small figure: attention, intervals, and windows of sound against
mouth."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from detector.analysis.types import Analysis, ModelResult, SyncWindow, TrackScore, sigmoid
from detector.report.language import Words
from detector.report.timeline import INK, MUTED, RULE, STYLE, drawing
from detector.report.wording import ENGLISH

_MM = 1 / 25.4
_LANE_MM, _HEAD_MM, _FOOT_MM, _LEFT_MM, _RIGHT_MM = 7.0, 2.0, 10.5, 30.0, 34.0
MOST_LANES = 6


@dataclass(frozen=True, slots=True)
class _Lane:
    name: str
    note: str
    draw: Callable[[Axes], None]


def over_time_svg(
    analysis: Analysis, labels: Mapping[str, str], *, width_mm: float = 174.0, words: Words = ENGLISH
) -> bytes | None:
    """Lanes over the same seconds as the timeline; None where no model saw anything over time. `labels`: short names by
    model id. The same analysis gives the same bytes."""
    lanes = [
        lane for model in analysis.models for lane in _lanes(model, labels.get(model.model_id, model.model_id), words)
    ]
    if not lanes:
        return None
    with drawing(STYLE, words):
        return _draw(analysis, lanes[:MOST_LANES], width_mm, words)


def _lanes(model: ModelResult, name: str, words: Words) -> list[_Lane]:
    found = []
    watched = [track for track in model.tracks if track.attention is not None]
    if watched:
        score = max(watched, key=lambda track: track.logit)
        title = words.plain("figure.attention", model=name, number=score.track_id)
        found.append(_Lane(title, words("figure.attention_note"), lambda axis: _attention(axis, score)))
        if score.intervals:
            highest = max(sigmoid(one.logit) for one in score.intervals)
            note = words.plain("figure.intervals_note", count=len(score.intervals), score=f"{highest:.2f}")
            title = words.plain("figure.intervals", model=name)
            found.append(_Lane(title, note, lambda axis: _intervals(axis, score)))
    if model.sync:
        title = words.plain("figure.sync", model=name)
        found.append(_Lane(title, words("figure.sync_note"), lambda axis: _sync(axis, model.sync)))
    return found


def _draw(analysis: Analysis, lanes: list[_Lane], width_mm: float, words: Words) -> bytes:
    height_mm = _HEAD_MM + _FOOT_MM + _LANE_MM * len(lanes)
    figure = Figure(figsize=(width_mm * _MM, height_mm * _MM))
    FigureCanvasSVG(figure)
    axes = figure.subplots(len(lanes), 1, sharex=True, squeeze=False)[:, 0]
    figure.subplots_adjust(
        left=_LEFT_MM / width_mm,
        right=1 - _RIGHT_MM / width_mm,
        top=1 - _HEAD_MM / height_mm,
        bottom=_FOOT_MM / height_mm,
        hspace=0.35,
    )
    end_s = max([analysis.evidence.video.duration_s, *(track.last_pts_s for track in analysis.tracks)])
    for axis, lane in zip(axes, lanes, strict=True):
        lane.draw(axis)
        axis.set_ylim(0, 1)
        axis.set_yticks([])
        axis.set_ylabel(lane.name, rotation=0, ha="right", va="center", labelpad=4, color=INK)
        axis.text(1.012, 0.5, lane.note, transform=axis.transAxes, va="center", fontsize=6, color=MUTED)
        axis.spines[["top", "right", "left"]].set_visible(False)
    axes[-1].set_xlim(0, end_s or 1.0)
    axes[-1].set_xlabel(words("figure.seconds"), labelpad=2)
    out = io.BytesIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def _attention(axis: Axes, score: TrackScore) -> None:
    """Each frame's share of the pooled score as colour, over the time that it stands for."""
    assert score.attention is not None
    times_s, pooling = np.asarray(score.attention.pts_s), np.asarray(score.attention.pooling)
    half = float(np.median(np.diff(times_s))) / 2 if len(times_s) > 1 else 0.5
    middles = (times_s[:-1] + times_s[1:]) / 2
    left = np.maximum(np.r_[times_s[0] - half, middles], times_s - 2 * half)
    right = np.minimum(np.r_[middles, times_s[-1] + half], times_s + 2 * half)
    colours = mpl.colormaps["cividis"](pooling / pooling.max())
    axis.bar(left, 1, width=right - left, align="edge", color=colours, linewidth=0)


def _intervals(axis: Axes, score: TrackScore) -> None:
    for interval in score.intervals:
        axis.axvspan(interval.start_s, interval.end_s, ymin=0.15, ymax=0.85, facecolor="#D55E00", lw=0)


def _sync(axis: Axes, windows: tuple[SyncWindow, ...]) -> None:
    axis.axhline(0.5, color=RULE, lw=0.4, zorder=0)
    for window in windows:
        width = window.end_s - window.start_s
        if window.logit is None:
            axis.bar(
                window.start_s, 1, width=width, align="edge", facecolor="white", edgecolor=RULE, hatch="//////", lw=0
            )
        else:
            height = max(0.02, sigmoid(window.logit))
            axis.bar(window.start_s, height, width=width, align="edge", color="#0072B2", linewidth=0)
