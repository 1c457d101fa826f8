"""Several models on one time axis: their scores as lines, and the sides of their own thresholds as lanes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import shorten

import plotly.graph_objects as go

from detector.analysis.agreement import FaceKey, ScoredFaces, side
from pages.parts.examine import timeline
from pages.parts.shared.readings import Readings
from pages.parts.shared.wording import SIDES, clock, ink, model_colour, score_text

_DASHES = ("solid", "dash", "dot", "dashdot")
_ROW_PX, _LANE_PX = 22, 26
LEFT_PX = 150  # room for names
_NAME_CHARS = 22
_CURSOR = {"width": 1.5, "color": "rgba(213,94,0,.9)"}
_UNKNOWN = "rgba(128,140,152,.9)"


@dataclass(frozen=True, slots=True)
class Point:
    """A score (0..1) at a time in seconds; `face` is what a click on it leads to."""

    pts_s: float
    score: float
    face: FaceKey | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One model's scores over time, ascending; None breaks the line."""

    name: str
    points: Sequence[Point | None]


def line_of(name: str, faces: ScoredFaces, readings: Readings, track_id: int) -> Line:
    """A model's scores of one track, broken where the face was not found."""
    track = readings.track(track_id)
    points: list[Point | None] = []
    last_s = -math.inf
    for key, frame in sorted(faces.scores.items(), key=lambda item: item[0][1]):
        if key[0] != track_id:
            continue
        if points and track and any(start < frame.pts_s and end > last_s for start, end in track.gaps_s):
            points.append(None)  # a line across a gap would draw scores that nobody measured
        points.append(Point(frame.pts_s, frame.score, key))
        last_s = frame.pts_s
    return Line(name, points)


def scores(
    readings: Readings, lines: Sequence[Line], *, current_pts: int | None = None, left_px: int = timeline.MARGIN["l"]
) -> go.Figure:
    """Score (0 to 1) over time, a line for each that has points; its place among all decides its colour. `left_px`:
    the space left of the axis."""
    figure = go.Figure()
    for index, line in enumerate(lines):
        if line.points:
            _add_line(figure, line, index)
    if current_pts is not None:
        figure.add_vline(x=readings.pts_s(current_pts), line=_CURSOR)
    # Room for every row the legend may have: where it has too little, it is drawn over the lines.
    legend_px = _ROW_PX * math.ceil(len(figure.data) / 2)
    figure.update_layout(
        height=280 + legend_px,
        margin={**timeline.MARGIN, "l": left_px, "t": 10 + legend_px, "b": 40},
        dragmode=False,
        hovermode="closest",
        showlegend=True,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )
    figure.update_xaxes(
        **timeline.time_axis(readings), title={"text": "time in the file, s", "font": {"size": 11}, "standoff": 4}
    )
    figure.update_yaxes(range=[-0.03, 1.03], tickvals=[0, 0.5, 1], zeroline=False, automargin=False, fixedrange=True)
    return figure


def sides(
    readings: Readings, names: Sequence[str], faces: Sequence[ScoredFaces], track_id: int, *, current_pts: int | None
) -> go.Figure:
    """One lane a model, a mark for each face of the track that it scored, by the side of its own thresholds; grey where
    these are not at hand. Each mark's `customdata` is [track_id, pts]."""
    figure = go.Figure()
    marks: dict[str, list[tuple[int, FaceKey]]] = {}
    for lane, model in enumerate(faces):
        for key in sorted(key for key in model.scores if key[0] == track_id):
            limits = model.thresholds
            marks.setdefault(side(model.scores[key].logit, limits) if limits else "", []).append((lane, key))
    for name, words in [*SIDES.items(), ("", None)]:
        found = marks.get(name, [])
        if not found:
            continue
        figure.add_scatter(
            x=[faces[lane].scores[key].pts_s for lane, key in found],
            y=[lane for lane, _ in found],
            mode="markers",
            name=words.word if words else "thresholds not at hand",
            customdata=[list(key) for _, key in found],
            marker={
                "symbol": words.symbol if words else "x-thin-open",
                "color": ink(words.colour) if words else _UNKNOWN,
                "size": 8,
            },
            unselected={"marker": {"opacity": 1}},
            hoverinfo="text",
            hovertext=[
                f"{clock(faces[lane].scores[key].pts_s)} · {names[lane]}<br>{words.word if words else 'score'} "
                f"{score_text(faces[lane].scores[key].score)}"
                for lane, key in found
            ],
        )
    if current_pts is not None:
        figure.add_vline(x=readings.pts_s(current_pts), line=_CURSOR)
    figure.update_layout(
        height=_LANE_PX * len(names) + 34,
        margin={**timeline.MARGIN, "l": LEFT_PX, "t": 30},
        dragmode=False,
        hovermode="closest",
        showlegend=True,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )
    figure.update_xaxes(**timeline.time_axis(readings), showticklabels=False, showgrid=True)
    figure.update_yaxes(
        tickvals=list(range(len(names))),
        ticktext=[shorten(name, _NAME_CHARS, placeholder="…") for name in names],
        range=[len(names) - 0.5, -0.5],
        zeroline=False,
        fixedrange=True,
        automargin=False,
    )
    return figure


def _add_line(figure: go.Figure, line: Line, index: int) -> None:
    figure.add_scatter(
        x=[None if point is None else point.pts_s for point in line.points],
        y=[None if point is None else point.score for point in line.points],
        customdata=[list(point.face) if point and point.face else None for point in line.points],
        mode="lines+markers" if any(point and point.face for point in line.points) else "lines",
        name=line.name,
        line={"width": 1.6, "color": model_colour(index), "dash": _DASHES[index % len(_DASHES)]},
        marker={"size": 5},
        unselected={"marker": {"opacity": 1}},
        hoverinfo="text",
        hovertext=[
            "" if point is None else f"{clock(point.pts_s)}<br>{line.name} {score_text(point.score)}"
            for point in line.points
        ],
    )
