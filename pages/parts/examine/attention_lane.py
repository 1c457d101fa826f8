"""Attention of a sequence model in time: its pooling weights on the time line of the score chart."""

from __future__ import annotations

from itertools import pairwise
from statistics import median

import plotly.graph_objects as go

from detector.analysis.types import Attention, ModelResult
from pages.parts.examine import timeline
from pages.parts.shared.readings import Readings
from pages.parts.shared.wording import clock, model_colour

_HEIGHT_PX = 84


def attention_of(model: ModelResult, track_id: int) -> Attention | None:
    """The model's attention over one track, None where it keeps none."""
    return next((track.attention for track in model.tracks if track.track_id == track_id and track.attention), None)


def attending(readings: Readings, track_id: int) -> list[ModelResult]:
    """The models that say where in this track they looked."""
    return [model for model in readings.analysis.models if attention_of(model, track_id) is not None]


def figure(readings: Readings, model: ModelResult, track_id: int, *, current_pts: int | None) -> go.Figure:
    """A bar a frame: its share of the model's result in percent. The dotted line is what every frame would get if
    the model looked evenly. Each bar's `customdata` is [track_id, pts]."""
    attention = attention_of(model, track_id)
    assert attention is not None, f"{model.model_id} keeps no attention over track {track_id}"
    colour = model_colour(readings.model_index(model.model_id))
    even = 1 / len(attention.pooling)
    figure = go.Figure()
    figure.add_bar(
        x=list(attention.pts_s),
        y=[100 * weight for weight in attention.pooling],
        width=_bar_width_s(attention),
        customdata=[[track_id, pts] for pts in attention.pts],
        marker={"color": colour, "line": {"width": 0}},
        unselected={"marker": {"opacity": 1}},
        hovertemplate=[
            f"{clock(pts_s)} · PTS {pts}<br>{100 * weight:.1f} % of the result, {weight / even:.1f} × even"
            "<extra></extra>"
            for pts, pts_s, weight in zip(attention.pts, attention.pts_s, attention.pooling, strict=True)
        ],
    )
    top = 100 * max(*attention.pooling, 1.5 * even)
    figure.add_hline(y=100 * even, line={"width": 1, "dash": "dot", "color": "rgba(128,140,152,.9)"})
    figure.add_annotation(
        text="even", y=100 * even, x=1.0, xref="paper", xanchor="left", xshift=4, showarrow=False, font={"size": 10}
    )
    if current_pts is not None:
        figure.add_vline(x=readings.pts_s(current_pts), line={"width": 1.5, "color": "rgba(213,94,0,.9)"})
    figure.update_layout(
        height=_HEIGHT_PX,
        margin={**timeline.MARGIN, "t": 4, "b": 8},
        dragmode=False,
        hovermode="closest",
        showlegend=False,
        bargap=0,
    )
    figure.update_xaxes(**timeline.time_axis(readings), showticklabels=False)
    figure.update_yaxes(
        range=[0, 1.08 * top],
        tickvals=[0, _round(top)],
        ticktext=["0", f"{_round(top):g} %"],
        tickfont={"size": 11},
        zeroline=False,
        automargin=False,
        fixedrange=True,
    )
    return figure


def _bar_width_s(attention: Attention) -> float:
    """Most of the usual distance between frames, so that bars neither touch nor vanish."""
    times = sorted(attention.pts_s)
    steps = [later - earlier for earlier, later in pairwise(times) if later > earlier]
    return 0.7 * median(steps) if steps else 0.05


def _round(percent: float) -> float:
    return round(percent) if percent >= 5 else round(percent, 1)
