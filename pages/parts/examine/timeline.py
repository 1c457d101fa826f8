"""The overview of an analysis: one lane per face track, a point per examined face, colour for its score."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from pages.parts.examine.bookmarks import Mark
from pages.parts.shared.markup import escaped
from pages.parts.shared.readings import FaceKey, Readings
from pages.parts.shared.wording import clock, score_text, track_colour

LANE_PX = 32
MARGIN = {"l": 70, "r": 70, "t": 4, "b": 4, "pad": 0}
_LINE = "rgba(128,140,152,.55)"
# Seen on the page of either theme: low scores are dark on dark, high ones light on light.
_RIM = "#808C98"


def figure(
    readings: Readings, *, model_id: str | None, current: FaceKey | None, marks: Sequence[Mark] = ()
) -> go.Figure:
    """The timeline, with a lane of `marks` above the tracks where there are any. Each point's `customdata` is
    [track_id, pts]; gaps are hatched; dotted lines mark shot changes.

    Points are coloured by score on cividis (Nuñez et al. 2018), 0 to 1; a face no model scored is an empty ring; a
    low quality weight makes a point smaller. Times are read off the score chart below, which shares the axis.
    """
    analysis = readings.analysis
    figure = go.Figure()
    for lane, track in enumerate(analysis.tracks):
        start_s, end_s = track.first_pts_s, track.last_pts_s
        figure.add_bar(
            base=[start_s],
            x=[end_s - start_s],
            y=[lane],
            width=0.56,
            orientation="h",
            marker={"color": track_colour(lane), "opacity": 0.2, "line": {"width": 0}},
            hoverinfo="skip",
        )
        if track.gaps_s:
            figure.add_bar(
                base=[start for start, _ in track.gaps_s],
                x=[end - start for start, end in track.gaps_s],
                y=[lane] * len(track.gaps_s),
                width=0.56,
                orientation="h",
                marker={
                    "color": "rgba(0,0,0,0)",
                    "line": {"width": 1, "color": _LINE},
                    "pattern": {"shape": "/", "size": 6, "solidity": 0.25, "fgcolor": _LINE},
                },
                hovertemplate=[
                    f"Not found from {clock(start)} to {clock(end)}<extra></extra>" for start, end in track.gaps_s
                ],
            )
    _add_points(figure, readings, model_id)
    if marks:
        _add_marks(figure, readings, marks, current)
    if current is not None:
        _add_cursor(figure, readings, current)
    for start_s in analysis.shot_starts_s:
        if start_s > 0:
            figure.add_vline(x=start_s, line={"dash": "dot", "width": 1, "color": _LINE})
    lanes = len(analysis.tracks)
    top = -1 if marks else 0
    figure.update_layout(
        barmode="overlay",
        height=MARGIN["t"] + MARGIN["b"] + (lanes - top) * LANE_PX,
        margin=MARGIN,
        showlegend=False,
        dragmode=False,
        hovermode="closest",
        coloraxis={"colorscale": "Cividis", "cmin": 0, "cmax": 1, "showscale": False},
    )
    figure.update_xaxes(**time_axis(readings), showticklabels=False, showgrid=True)
    figure.update_yaxes(
        tickvals=list(range(top, lanes)),
        ticktext=[*(["Marks"] if marks else []), *(f"Track {track.track_id}" for track in analysis.tracks)],
        range=[lanes - 0.5, top - 0.5],
        showgrid=False,
        zeroline=False,
        fixedrange=True,
        automargin=False,
    )
    return figure


def time_axis(readings: Readings) -> dict[str, Any]:
    """Shared with the score chart so that a moment stands at the same place in both."""
    video = readings.analysis.evidence.video
    ends = [video.duration_s, *(track.last_pts_s for track in readings.analysis.tracks)]
    end_s = max(ends) or 1.0
    return {
        "range": [-0.01 * end_s, 1.01 * end_s],
        "zeroline": False,
        "fixedrange": True,
        "automargin": False,
    }


def picked(event: Mapping[str, Any] | None) -> FaceKey | None:
    """The (track_id, pts) of the point that was clicked, or None where a click hit no face."""
    if not event:
        return None
    for point in event.get("selection", {}).get("points", []):
        data = point.get("customdata")
        if data is not None and len(data) >= 2:
            return int(data[0]), int(data[1])
    return None


def _add_points(figure: go.Figure, readings: Readings, model_id: str | None) -> None:
    lanes = {track.track_id: lane for lane, track in enumerate(readings.analysis.tracks)}
    for scored in (True, False):
        keys = [key for key in readings.faces if (readings.combined_score(key, model_id) is not None) is scored]
        if not keys:
            continue
        shown = [readings.faces[key] for key in keys]
        scores = [readings.combined_score(key, model_id) for key in keys]
        figure.add_scatter(
            x=[face.pts_s for face in shown],
            y=[lanes[track_id] for track_id, _ in keys],
            mode="markers",
            customdata=[list(key) for key in keys],
            marker={
                "symbol": "circle" if scored else "circle-open",
                "opacity": 1,
                "size": [6 + 5 * face.face.quality.weight for face in shown],
                "color": scores if scored else _RIM,
                "coloraxis": "coloraxis" if scored else None,
                "line": {"width": 2, "color": _RIM},
            },
            unselected={"marker": {"opacity": 1}},
            hovertemplate=[
                f"Track {key[0]} · {clock(face.pts_s)} · PTS {face.pts}<br>score {score_text(score)}"
                f" · weight {face.face.quality.weight:.2f}<extra></extra>"
                for key, face, score in zip(keys, shown, scores, strict=True)
            ],
        )


def _add_marks(figure: go.Figure, readings: Readings, marks: Sequence[Mark], current: FaceKey | None) -> None:
    """Stars for bookmarks, squares for notes; a click goes to the frame, on the track shown where none is named."""
    fallback = current[0] if current else readings.analysis.tracks[0].track_id
    figure.add_scatter(
        x=[readings.pts_s(mark.pts) for mark in marks],
        y=[-1] * len(marks),
        mode="markers",
        customdata=[[fallback if mark.track_id is None else mark.track_id, mark.pts] for mark in marks],
        marker={
            "symbol": ["star" if mark.kind == "Bookmark" else "square" for mark in marks],
            "size": [12 if mark.kind == "Bookmark" else 9 for mark in marks],
            "color": "#E69F00",
            "line": {"width": 1, "color": "rgba(128,140,152,.9)"},
        },
        unselected={"marker": {"opacity": 1}},
        hoverinfo="text",
        # Plotly reads a few tags in such texts.
        hovertext=[
            f"{mark.kind} of {escaped(mark.author)} · {clock(readings.pts_s(mark.pts))}"
            + (f"<br>{escaped(textwrap.shorten(mark.text, 80, placeholder='…'))}" if mark.text.strip() else "")
            for mark in marks
        ],
    )


def _add_cursor(figure: go.Figure, readings: Readings, current: FaceKey) -> None:
    track_id, pts = current
    moment_s = readings.pts_s(pts)
    figure.add_vline(x=moment_s, line={"width": 1.5, "color": "rgba(213,94,0,.9)"})
    if current in readings.faces:
        figure.add_scatter(
            x=[moment_s],
            y=[readings.track_index(track_id)],
            mode="markers",
            marker={"symbol": "circle-open", "size": 17, "color": "rgba(213,94,0,.95)", "line": {"width": 2}},
            hoverinfo="skip",
        )
