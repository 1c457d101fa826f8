"""Accuracy and bias of the specialists as charts, of one run or of two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from detector.training.analyses.documents import Figure, ModelAnalysis
from detector.training.analyses.rules import BIAS_POINTS, HIGH_BELOW, MEDIUM_BELOW
from pages.parts.shared.wording import PRIORITIES, REFERENCE, ink

_HEIGHT_PX = 300
_LINE = REFERENCE


class _Mark(NamedTuple):
    name: str
    colour: str
    symbol: str
    field: str


_SHARES = (
    _Mark("all clips", "#7F7F7F", "diamond", "overall"),
    _Mark("genuine", "#0072B2", "circle", "real"),
    _Mark("manipulated", "#D55E00", "square", "fake"),
)


def accuracies(models: Sequence[ModelAnalysis]) -> go.Figure:
    """Accuracy on all, genuine and manipulated clips with intervals, a row a cue; limits of priorities dashed."""
    figure = go.Figure()
    for place, mark in enumerate(_SHARES):
        known = [(one, share) for one in models if (share := getattr(one.accuracy, mark.field)).value is not None]
        figure.add_scatter(
            x=[100 * share.value for _, share in known],
            y=[_row(models, one) + 0.22 * (1 - place) for one, _ in known],
            error_x=_errors([share for _, share in known]),
            mode="markers",
            name=mark.name,
            marker={"size": 9, "symbol": mark.symbol, "color": mark.colour},
            customdata=[[one.cue, share.n] for one, share in known],
            hovertemplate="%{customdata[0]}: %{x:.1f} % of %{customdata[1]}<extra>%{fullData.name}</extra>",
        )
    for level in (HIGH_BELOW, MEDIUM_BELOW):
        figure.add_vline(x=100 * level, line={"width": 1, "dash": "dash", "color": _LINE})
    figure.update_xaxes(title="called rightly, %", range=[-3, 103])
    return _laid_out(figure, [f"<b>{one.cue}</b>" for one in models])


def biases(models: Sequence[ModelAnalysis]) -> go.Figure:
    """Bias of each cue as a bar, coloured by priority; beyond the dashed lines it is HIGH by itself."""
    known = [one for one in models if one.bias_points.value is not None]
    figure = go.Figure()
    figure.add_bar(
        x=[one.bias_points.value for one in known],
        y=[_row(models, one) for one in known],
        orientation="h",
        width=0.5,
        marker={"color": [ink(PRIORITIES[one.priority.level][2]) for one in known]},
        customdata=[one.cue for one in known],
        hovertemplate="%{customdata}: %{x:+.1f} points<extra></extra>",
        showlegend=False,
    )
    for level in (-BIAS_POINTS, BIAS_POINTS):
        figure.add_vline(x=level, line={"width": 1, "dash": "dash", "color": _LINE})
    figure.add_vline(x=0, line={"width": 1, "color": _LINE})
    figure.update_xaxes(title="calls manipulated too often ←  points  → calls genuine too often", range=[-105, 105])
    return _laid_out(figure, [f"<b>{one.cue}</b>" for one in models])


def beside(models: Sequence[ModelAnalysis], others: Sequence[ModelAnalysis]) -> go.Figure:
    """Balanced accuracy of the same cues in another run (hollow) and in this one (filled), joined by a line."""
    pairs = [
        (one, before, after)
        for one, other in zip(models, others, strict=True)
        if (before := other.accuracy.balanced.value) is not None and (after := one.accuracy.balanced.value) is not None
    ]
    figure = go.Figure()
    for one, before, after in pairs:
        row = _row(models, one)
        figure.add_scatter(
            x=[100 * before, 100 * after], y=[row, row], mode="lines", line={"color": _LINE, "width": 2},
            showlegend=False, hoverinfo="skip",
        )  # fmt: skip
    for name, symbol, values in (
        ("the other run", "circle-open", [before for _, before, _ in pairs]),
        ("this run", "circle", [after for _, _, after in pairs]),
    ):
        figure.add_scatter(
            x=[100 * value for value in values],
            y=[_row(models, one) for one, _, _ in pairs],
            mode="markers",
            name=name,
            marker={"size": 10, "symbol": symbol, "color": "#0072B2", "line": {"width": 2}},
            hovertemplate="%{x:.1f} %<extra>%{fullData.name}</extra>",
        )
    figure.add_vline(x=50, line={"width": 1, "dash": "dot", "color": _LINE})
    figure.update_xaxes(title="balanced accuracy, %", range=[-3, 103])
    return _laid_out(figure, [f"<b>{one.cue}</b>" for one in models])


def _row(models: Sequence[ModelAnalysis], one: ModelAnalysis) -> float:
    return float([model.cue for model in models].index(one.cue))


def _errors(shares: Sequence[Figure]) -> dict[str, object]:
    ends = [share.interval or (share.value, share.value) for share in shares]
    values = [share.value or 0.0 for share in shares]
    return {
        "type": "data",
        "symmetric": False,
        "array": [100 * ((high or 0.0) - value) for (_, high), value in zip(ends, values, strict=True)],
        "arrayminus": [100 * (value - (low or 0.0)) for (low, _), value in zip(ends, values, strict=True)],
        "thickness": 1.2,
        "width": 3,
    }


def _laid_out(figure: go.Figure, names: Sequence[str]) -> go.Figure:
    figure.update_layout(
        height=_HEIGHT_PX,
        margin={"l": 44, "r": 10, "t": 30, "b": 44},
        dragmode=False,
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0, "font": {"size": 11}},
    )
    figure.update_xaxes(fixedrange=True, zeroline=False, title_font={"size": 11})
    figure.update_yaxes(
        tickvals=list(range(len(names))), ticktext=list(names), range=[len(names) - 0.4, -0.6], fixedrange=True,
        zeroline=False,
    )  # fmt: skip
    return figure
