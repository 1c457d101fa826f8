"""Charts of scores whose truth is known: what they claim, how they separate, and what deciding by them costs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from detector.measurement import curves
from pages.parts.shared.wording import REFERENCE, ink

Floats = NDArray[np.float64]
Truth = NDArray[np.bool_]
FAKE, REAL, RECENT = "#D55E00", "#0072B2", "#E69F00"
_GREY: Final = REFERENCE
_DET_RATES: Final = (0.01, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 0.99)


def reliability(fake: Truth, log_odds: Floats) -> go.Figure:
    """Probability against observed share in bins of equal mass, with 95 % bands and counts."""
    found = curves.reliability(fake, log_odds)
    figure = _empty("probability of manipulation", "share manipulated")
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=_dashed(), hoverinfo="skip", showlegend=False)
    shares = [one.fake_share for one in found.bins]
    figure.add_scatter(
        x=[one.score for one in found.bins],
        y=shares,
        mode="lines+markers+text",
        text=[f"{one.rows}" for one in found.bins],
        textposition="top left",
        textfont={"size": 10},
        line={"color": REAL, "width": 1.5},
        error_y={
            "array": [one.interval[1] - one.fake_share for one in found.bins],
            "arrayminus": [one.fake_share - one.interval[0] for one in found.bins],
            "thickness": 1,
        },
        hovertemplate="claimed %{x:.2f}, observed %{y:.2f}, n %{text}<extra></extra>",
        showlegend=False,
    )
    return _unit_axes(figure)


def histograms(fake: Truth, values: Floats, title: str, marks: Sequence[tuple[float, str]] = ()) -> go.Figure:
    """How a value is spread in either class, as shares; `marks` are upright lines with their words."""
    figure = _empty(title, "share of the class")
    edges = np.histogram_bin_edges(values, bins=24)
    for chosen, name, colour in ((fake, "manipulated", FAKE), (~fake, "genuine", REAL)):
        counts = np.histogram(values[chosen], edges)[0] / max(1, int(chosen.sum()))
        figure.add_bar(
            x=(edges[:-1] + edges[1:]) / 2, y=counts, width=np.diff(edges), name=f"{name} ({int(chosen.sum())})",
            marker={"color": colour, "opacity": 0.55},
        )  # fmt: skip
    figure.update_layout(barmode="overlay")
    _mark(figure, marks)
    return figure


def recent_over_set(of_set: Floats, recent: Floats, marks: Sequence[tuple[float, str]] = ()) -> go.Figure:
    """How recent logits are spread over those of the set, as shares of either; `marks` as in `histograms`."""
    figure = _empty("logit", "share of either")
    edges = np.histogram_bin_edges(np.r_[of_set, recent], bins=24)
    shares = [np.histogram(values, edges)[0] / max(1, len(values)) for values in (of_set, recent)]
    centres = (edges[:-1] + edges[1:]) / 2
    figure.add_bar(
        x=centres, y=shares[0], width=np.diff(edges), name=f"set ({len(of_set)})",
        marker={"color": _GREY, "opacity": 0.55},
    )  # fmt: skip
    figure.add_scatter(
        x=centres, y=shares[1], mode="lines", name=f"recent ({len(recent)})",
        line={"color": ink(RECENT), "width": 2, "shape": "hvh"},
    )  # fmt: skip
    _mark(figure, marks)
    return figure


def _mark(figure: go.Figure, marks: Sequence[tuple[float, str]]) -> None:
    """Words lie outside of what the outer marks enclose, so that they don't lie on each other."""
    for place, (value, words) in enumerate(marks):
        side = "left" if place == 0 and len(marks) > 1 else "right"
        figure.add_vline(
            x=value, line=_dashed(), annotation={"text": words, "font": {"size": 10}}, annotation_position=f"top {side}"
        )


def roc(fake: Truth, logits: Floats) -> go.Figure:
    """The ROC curve against chance."""
    found = curves.roc(fake, logits)
    figure = _empty("false positive rate", "true positive rate")
    figure.add_scatter(x=[0, 1], y=[0, 1], mode="lines", line=_dashed(), hoverinfo="skip", showlegend=False)
    _line(figure, found.false_positive_rate, found.true_positive_rate)
    return _unit_axes(figure)


def precision_recall(fake: Truth, logits: Floats) -> go.Figure:
    """Precision against recall, with the share of fakes that chance would reach."""
    found = curves.precision_recall(fake, logits)
    figure = _empty("recall", "precision")
    share = float(fake.mean())
    figure.add_scatter(x=[0, 1], y=[share, share], mode="lines", line=_dashed(), hoverinfo="skip", showlegend=False)
    _line(figure, found.recall, found.precision)
    return _unit_axes(figure)


def det(fake: Truth, logits: Floats) -> go.Figure:
    """Misses against false alarms on normal-quantile axes."""
    from scipy.stats import norm

    found = curves.det(fake, logits)
    inside = [
        (x, y)
        for x, y in zip(found.false_positive_rate, found.false_negative_rate, strict=True)
        if 0 < x < 1 and 0 < y < 1
    ]
    figure = _empty("false positive rate", "false negative rate")
    _line(figure, norm.ppf([x for x, _ in inside]), norm.ppf([y for _, y in inside]))
    ticks: dict[str, Any] = {"tickvals": norm.ppf(_DET_RATES), "ticktext": [f"{rate:.0%}" for rate in _DET_RATES]}
    figure.update_xaxes(**ticks)
    figure.update_yaxes(**ticks, automargin=True, title_standoff=12)
    return figure


def risk_coverage(fake: Truth, log_ratios: Floats, in_force: tuple[float, float]) -> go.Figure:
    """Errors among what is still decided by the likelihood ratio, as more and more is left undecided; `in_force` is the
    point (coverage, risk) of the thresholds that decide."""
    found = curves.risk_coverage(fake, log_ratios)
    figure = _empty("share decided", "share of errors among these")
    _line(figure, found.coverage, found.risk)
    figure.add_scatter(
        x=[in_force[0]], y=[in_force[1]], mode="markers+text", text=["thresholds in force"], showlegend=False,
        textposition="top center", textfont={"size": 10}, marker={"color": FAKE, "size": 10, "symbol": "diamond"},
        hovertemplate="decided %{x:.1%}, errors %{y:.1%}<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(range=[-0.02, 1.02])
    figure.update_yaxes(rangemode="tozero")
    return figure


def tippett(fake: Truth, log_ratios: Floats) -> go.Figure:
    """Of either class, the share with at least such a likelihood ratio."""
    found = curves.tippett(fake, log_ratios)
    figure = _empty("log10 of the likelihood ratio", "share with at least that")
    for shares, name, colour in ((found.fake_share, "manipulated", FAKE), (found.real_share, "genuine", REAL)):
        figure.add_scatter(x=found.log10_lr, y=shares, mode="lines", name=name, line={"color": colour, "shape": "vh"})
    figure.add_vline(x=0, line=_dashed())
    figure.update_yaxes(range=[-0.02, 1.02])
    return figure


def _empty(across: str, up: str) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        height=330,
        margin={"l": 56, "r": 10, "t": 24, "b": 44},
        dragmode=False,
        hovermode="closest",
        legend={"orientation": "h", "y": 1.12, "x": 0},
    )
    figure.update_xaxes(title={"text": across, "font": {"size": 11}, "standoff": 4}, fixedrange=True, zeroline=False)
    figure.update_yaxes(title={"text": up, "font": {"size": 11}, "standoff": 4}, fixedrange=True, zeroline=False)
    return figure


def _line(figure: go.Figure, x: Sequence[float] | Floats, y: Sequence[float] | Floats) -> None:
    figure.add_scatter(
        x=x, y=y, mode="lines", line={"color": REAL, "width": 2}, showlegend=False,
        hovertemplate="%{x:.3f}, %{y:.3f}<extra></extra>",
    )  # fmt: skip


def _dashed() -> dict[str, Any]:
    return {"width": 1, "dash": "dash", "color": _GREY}


def _unit_axes(figure: go.Figure) -> go.Figure:
    axis = {"range": [-0.03, 1.03], "tickvals": [0, 0.25, 0.5, 0.75, 1]}
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    return figure
