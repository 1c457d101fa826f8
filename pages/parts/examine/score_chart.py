"""The scores of each model on one track, frame by frame, against that model's decision thresholds."""

from __future__ import annotations

from collections.abc import Collection

import plotly.graph_objects as go

from detector.analysis.types import ModelResult, sigmoid
from detector.registry import Thresholds
from pages.parts.examine import timeline
from pages.parts.shared.markup import escaped
from pages.parts.shared.readings import Readings
from pages.parts.shared.wording import clock, model_colour, score_text

_DASHES = ("solid", "dash", "dot", "dashdot")
_LEGEND_PX = 24
_SYMBOLS = ("circle", "square", "diamond", "triangle-up")


def figure(
    readings: Readings,
    track_id: int,
    thresholds: dict[str, Thresholds],
    *,
    current_pts: int | None,
    shown: Collection[str] | None = None,
) -> go.Figure:
    """Score (0 to 1) over time for one track, one line per model; broken where the face was not found.

    `thresholds` maps a model to its decision logits; a model absent from it has no line drawn. `shown` are the models
    to draw, None for all. Bands are the intervals that any model singles out. Each point's `customdata` is [track_id,
    pts].
    """
    figure = go.Figure()
    drawn = [model for model in readings.analysis.models if shown is None or model.model_id in shown]
    for model in readings.analysis.models:
        _add_bands(figure, model, track_id, model_colour(readings.model_index(model.model_id)))
    for model in drawn:
        index = readings.model_index(model.model_id)
        _add_line(figure, readings, model, track_id, index)
        if model.model_id in thresholds:
            limits = thresholds[model.model_id]
            _threshold(figure, limits.likely_manipulated_logit, "likely", model_colour(index))
            _threshold(figure, limits.no_manipulation_logit, "not found", model_colour(index))
    if current_pts is not None:
        figure.add_vline(x=readings.pts_s(current_pts), line={"width": 1.5, "color": "rgba(213,94,0,.9)"})
    legend_px = _LEGEND_PX if len(drawn) > 1 else 0
    figure.update_layout(
        height=176 + legend_px,
        margin={**timeline.MARGIN, "t": 6 + legend_px, "b": 34},
        dragmode=False,
        hovermode="closest",
        showlegend=len(drawn) > 1,
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )
    figure.update_xaxes(
        **timeline.time_axis(readings),
        title={"text": "time in the file, s", "font": {"size": 11}, "standoff": 4},
        tickfont={"size": 11},
    )
    figure.update_yaxes(
        range=[-0.03, 1.03],
        tickvals=[0, 0.5, 1],
        tickfont={"size": 11},
        zeroline=False,
        automargin=False,
        fixedrange=True,
    )
    return figure


def has_bands(readings: Readings, track_id: int) -> bool:
    """Whether any model singles out a segment of the track."""
    return any(
        track.intervals for model in readings.analysis.models for track in model.tracks if track.track_id == track_id
    )


def _add_line(figure: go.Figure, readings: Readings, model: ModelResult, track_id: int, index: int) -> None:
    track = readings.track(track_id)
    gaps = list(track.gaps_s) if track else []
    frames = [frame for scored in model.tracks if scored.track_id == track_id for frame in scored.frames]
    xs: list[float | None] = []
    ys: list[float | None] = []
    data: list[list[int] | None] = []
    hover: list[str] = []
    for frame in frames:
        if xs and any(start < frame.pts_s and end > (xs[-1] or 0.0) for start, end in gaps):
            # A line across a gap would draw scores that nobody measured.
            for column in (xs, ys, data):
                column.append(None)
            hover.append("")
        xs.append(frame.pts_s)
        ys.append(frame.score)
        data.append([track_id, frame.pts])
        hover.append(f"{clock(frame.pts_s)}<br>{escaped(model.name)} {score_text(frame.score)}")
    colour = model_colour(index)
    figure.add_scatter(
        x=xs,
        y=ys,
        customdata=data,
        mode="lines+markers",
        name=escaped(model.name),
        line={"color": colour, "width": 1.5, "dash": _DASHES[index % len(_DASHES)]},
        marker={"size": 6, "color": colour, "symbol": _SYMBOLS[index % len(_SYMBOLS)]},
        unselected={"marker": {"opacity": 1}},
        hovertemplate="%{text}<extra></extra>",
        text=hover,
    )


def _add_bands(figure: go.Figure, model: ModelResult, track_id: int, colour: str) -> None:
    """The segments of time that a temporal model singles out, as bands of its colour behind the lines."""
    for interval in (one for scored in model.tracks if scored.track_id == track_id for one in scored.intervals):
        start, end = interval.start_s, interval.end_s
        figure.add_scatter(
            x=[start, end, end, start, start],
            y=[-0.03, -0.03, 1.03, 1.03, -0.03],
            mode="lines",
            fill="toself",
            fillcolor=_faint(colour),
            line={"width": 1, "color": colour, "dash": "dot"},
            hoveron="fills",
            hoverinfo="text",
            text=f"{escaped(model.name)} singles out {clock(start)} to {clock(end)}, "
            f"score {score_text(sigmoid(interval.logit))}",
            showlegend=False,
        )


def _faint(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},.14)"


def _threshold(figure: go.Figure, logit: float, word: str, colour: str) -> None:
    figure.add_hline(y=sigmoid(logit), line={"width": 1, "dash": "dash", "color": colour})
    figure.add_annotation(
        text=word,
        y=sigmoid(logit),
        x=1.0,
        xref="paper",
        xanchor="left",
        xshift=4,
        showarrow=False,
        font={"size": 10},
    )
