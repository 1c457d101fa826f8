"""A specialist's named channels as numbers over time, each on a scale of its own since each has its own unit."""

from __future__ import annotations

import re
from collections.abc import Sequence

import plotly.graph_objects as go
import streamlit as st

from detector.analysis.cue_meaning import channel_meanings
from detector.analysis.types import Cue, CueResult
from detector.measurement.wording import words
from pages.parts.examine import timeline
from pages.parts.shared.readings import Readings
from pages.parts.shared.wording import clock

_LANE_PX, _TITLE_PX, _AXIS_PX = 62, 20, 26
_BLUE = "#0072B2"
_BOUNDS = re.compile(r"(-?\d+)\.\.(\d+)")


def modules_of(result: CueResult) -> dict[str, tuple[str, ...]]:
    """The specialist's modules with those of their channels that the analysis recorded; a channel that no module
    claims stands under "other channels"."""
    from detector.models.specialists import SPECIALISTS  # the networks, which import torch

    claimed: dict[str, tuple[str, ...]] = {}
    for module, kind in SPECIALISTS.get(result.cue, {}).items():
        names = tuple(name for name in kind.channels() if name in result.channels)
        if names:
            claimed[module] = names
    known = {name for names in claimed.values() for name in names}
    rest = tuple(name for name in result.channels if name not in known)
    return {**claimed, "other channels": rest} if rest else claimed


def choose_module(result: CueResult) -> str:
    """The part of the specialist to look at."""
    modules = modules_of(result)
    return st.segmented_control(
        "Part of the specialist",
        list(modules),
        format_func=lambda name: f"{words(name)} ({len(modules[name])})",
        default=next(iter(modules)),
        required=True,
        key=f"module_{result.cue}",
        persist_state="page",
    )


def names_of(result: CueResult, module: str) -> tuple[str, ...]:
    """The channels of a module of the specialist, of its first module where it has none of that name."""
    modules = modules_of(result)
    return modules.get(module) or next(iter(modules.values()))


def choose(cue: Cue, names: Sequence[str]) -> list[str]:
    """The channels to draw over time: those trained as evidence first, else the first one."""
    evidence = [name for name in names if name.endswith("_evidence")]
    return st.multiselect(
        "Channels",
        names,
        default=evidence or list(names[:1]),
        format_func=words,
        key=f"channels_of_{cue}_{names[0]}",
        label_visibility="collapsed",
    )


def meaning(cue: Cue, name: str) -> str:
    """The meaning of the channel, with its unit; nothing where it is not known."""
    return channel_meanings(cue).get(name, "")


def bounds(cue: Cue, name: str) -> tuple[float, float] | None:
    """The limits that a channel's meaning states, e.g. "0..1"; None for one without: those share no scale."""
    found = _BOUNDS.search(meaning(cue, name))
    return (float(found[1]), float(found[2])) if found else None


def figure(
    readings: Readings, result: CueResult, track_id: int, names: Sequence[str], *, current_pts: int | None
) -> go.Figure:
    """One lane a channel on the time axis of the score chart; lines break where the face was not found."""
    reading = next(item for item in result.readings if item.track_id == track_id)
    track = readings.track(track_id)
    gaps = track.gaps_s if track else ()
    times = [readings.pts_s(pts) for pts in reading.pts]
    height = len(names) * (_LANE_PX + _TITLE_PX)
    figure = go.Figure()
    for lane, name in enumerate(names):
        column = result.channels.index(name)
        xs: list[float | None] = []
        ys: list[float | None] = []
        for time_s, row in zip(times, reading.values, strict=True):
            if xs and any(start < time_s and end > (xs[-1] or 0.0) for start, end in gaps):
                xs.append(None)
                ys.append(None)
            xs.append(time_s)
            ys.append(row[column])
        axis = "" if lane == 0 else str(lane + 1)
        top = 1 - (lane * (_LANE_PX + _TITLE_PX) + _TITLE_PX) / height
        figure.add_scatter(
            x=xs,
            y=ys,
            yaxis=f"y{axis}",
            mode="lines+markers",
            line={"width": 1.4, "color": _BLUE},
            marker={"size": 4},
            hovertemplate=[
                "" if x is None else f"{clock(x)}<br>{words(name)} {y:.4g}<extra></extra>"
                for x, y in zip(xs, ys, strict=True)
            ],
        )
        figure.update_layout(
            {
                f"yaxis{axis}": {
                    "domain": [max(0.0, top - _LANE_PX / height), top],
                    "anchor": "x",
                    "nticks": 3,
                    "range": _with_room(bounds(result.cue, name)),
                    "tickfont": {"size": 10},
                    "zeroline": False,
                    "fixedrange": True,
                    "automargin": False,
                }
            }
        )
        figure.add_annotation(
            text=words(name),
            hovertext=meaning(result.cue, name),
            x=0, xref="paper", xanchor="left", y=top, yref="paper", yanchor="bottom", showarrow=False,
            font={"size": 11},
        )  # fmt: skip
    if current_pts is not None:
        figure.add_shape(
            type="line",
            x0=readings.pts_s(current_pts), x1=readings.pts_s(current_pts), y0=0, y1=1, yref="paper",
            line={"width": 1.5, "color": "rgba(213,94,0,.9)"},
        )  # fmt: skip
    figure.update_layout(
        height=height + 4 + _AXIS_PX,
        margin={**timeline.MARGIN, "t": 4, "b": _AXIS_PX},
        dragmode=False,
        hovermode="closest",
        showlegend=False,
        xaxis={**timeline.time_axis(readings), "tickfont": {"size": 11}, "anchor": "free", "position": 0},
    )
    return figure


def _with_room(limits: tuple[float, float] | None) -> list[float] | None:
    """An axis a little wider than its limits, so that a line along one is seen whole; None lets the data decide."""
    if limits is None:
        return None
    room = 0.06 * (limits[1] - limits[0])
    return [limits[0] - room, limits[1] + room]
