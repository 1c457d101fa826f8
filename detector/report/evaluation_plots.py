"""The plots of an evaluation as SVG: one model's curves, its scores by label, and its errors by condition."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import norm

from detector.measurement.curves import Reliability, det, precision_recall, risk_coverage, roc, tippett
from detector.measurement.score_set import ModelFigures, Share, Slice
from detector.report.timeline import MUTED, RULE, STYLE, drawing
from detector.report.wording import ENGLISH

REAL, FAKE = (
    "#0072B2",
    "#D55E00",
)  # Okabe and Ito's blue and vermilion; the line's or marker's form tells them apart too
_STYLE: Final = {
    **STYLE,
    "font.size": 8.5,
    "axes.unicode_minus": False,  # the report's font has no minus sign
    "svg.fonttype": "path",  # a picture in a page has no font of its own
}
_MM = 1 / 25.4
_SIZE_MM: Final = (86.0, 66.0)
_MOST_POINTS: Final = 400
_DET_TICKS: Final = (0.01, 0.05, 0.2, 0.5, 0.8)
_LEAST_RATE: Final = 0.001  # where the scale of a DET plot ends: the normal quantile of 0 is infinite
CONDITIONS: Final = ("face size", "light", "resolution", "bit rate", "codec", "sound")

Draw = Callable[[Axes], None]


def plots_of(figures: ModelFigures, fake: NDArray[np.bool_], logit: NDArray[np.float64]) -> dict[str, bytes]:
    """Of one model with `metrics`: name -> SVG, from which rows are fake and their logits, both (N,). Equal figures
    give equal bytes."""
    threshold = 0.0 if figures.metrics is None else figures.metrics.threshold_logit
    drawn: dict[str, Draw] = {
        "ROC": lambda axis: _roc(axis, fake, logit),
        "Precision and recall": lambda axis: _precision_recall(axis, fake, logit),
        "DET": lambda axis: _det(axis, fake, logit),
        "Scores by label": lambda axis: _histogram(axis, fake, logit, threshold),
        "Risk and coverage": lambda axis: _risk(axis, fake, logit, threshold),
        "Tippett": lambda axis: _tippett(axis, fake, logit),
    }
    if (bins := figures.reliability) is not None:
        drawn["Reliability"] = lambda axis: _reliability(axis, bins)
    found = {name: _svg(draw, _SIZE_MM) for name, draw in drawn.items()}
    if slices := [one for one in figures.slices if one.dimension in CONDITIONS]:
        size = (2 * _SIZE_MM[0], 16 + 6.5 * len(slices))
        found["Errors by condition"] = _svg(lambda axis: _conditions(axis, slices), size)
    return found


def _svg(draw: Draw, size_mm: tuple[float, float]) -> bytes:
    with drawing(_STYLE, ENGLISH):
        figure = Figure(figsize=(size_mm[0] * _MM, size_mm[1] * _MM), layout="constrained")
        FigureCanvasSVG(figure)
        axis = figure.subplots()
        axis.spines[["top", "right"]].set_visible(False)
        draw(axis)
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def _thinned(*series: Sequence[float]) -> list[NDArray[np.float64]]:
    """At most `_MOST_POINTS` of the points, evenly, with the first and the last."""
    kept = np.unique(np.linspace(0, len(series[0]) - 1, _MOST_POINTS).round().astype(int))
    return [np.asarray(one, float)[kept] for one in series]


def _square(axis: Axes, x: str, y: str) -> None:
    axis.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel=x, ylabel=y)


def _roc(axis: Axes, fake: NDArray[np.bool_], logit: NDArray[np.float64]) -> None:
    curve = roc(fake, logit)
    axis.plot([0, 1], [0, 1], color=RULE, lw=0.8)
    axis.plot(*_thinned(curve.false_positive_rate, curve.true_positive_rate), color=REAL, lw=1.2)
    _square(axis, "genuine called manipulated", "manipulated found")


def _precision_recall(axis: Axes, fake: NDArray[np.bool_], logit: NDArray[np.float64]) -> None:
    curve = precision_recall(fake, logit)
    axis.axhline(float(fake.mean()), color=RULE, lw=0.8)
    axis.step(*_thinned(curve.recall, curve.precision), color=REAL, lw=1.2, where="pre")
    _square(axis, "recall: manipulated found", "precision: called rightly")


def _det(axis: Axes, fake: NDArray[np.bool_], logit: NDArray[np.float64]) -> None:
    curve = det(fake, logit)
    rates = _thinned(curve.false_positive_rate, curve.false_negative_rate)
    alarms, missed = (norm.ppf(np.clip(rate, _LEAST_RATE, 1 - _LEAST_RATE)) for rate in rates)
    ends = norm.ppf([_LEAST_RATE, 0.95])
    axis.plot(ends, ends, color=RULE, lw=0.8)
    axis.plot(alarms, missed, color=REAL, lw=1.2)
    places, names = norm.ppf(_DET_TICKS), [f"{tick:.0%}" for tick in _DET_TICKS]
    axis.set_xticks(places, names)
    axis.set_yticks(places, names)
    axis.set(xlim=ends, ylim=ends, xlabel="genuine called manipulated", ylabel="manipulated missed")


def _reliability(axis: Axes, found: Reliability) -> None:
    axis.plot([0, 1], [0, 1], color=RULE, lw=0.8)
    score = np.array([one.score for one in found.bins])
    share = np.array([one.fake_share for one in found.bins])
    low, high = np.array([one.interval for one in found.bins]).T
    reach = np.clip(np.stack([share - low, high - share]), 0, None)
    axis.errorbar(score, share, yerr=reach, color=REAL, fmt="o-", ms=3, lw=1.0, elinewidth=0.8, capsize=2)
    for one in found.bins:
        axis.annotate(
            f"{one.rows}", (one.score, one.interval[1]), (0, 2), textcoords="offset points", ha="center", color=MUTED,
            fontsize=7,
        )  # fmt: skip
    _square(axis, "score", "share manipulated, with rows")


def _histogram(axis: Axes, fake: NDArray[np.bool_], logit: NDArray[np.float64], threshold: float) -> None:
    edges = np.histogram_bin_edges(logit, bins=24).tolist()
    axis.hist(
        logit[~fake], bins=edges, histtype="stepfilled", color=REAL, alpha=0.45, label=f"genuine ({(~fake).sum()})"
    )
    axis.hist(logit[fake], bins=edges, histtype="step", color=FAKE, lw=1.4, label=f"manipulated ({fake.sum()})")
    axis.axvline(threshold, color=MUTED, lw=0.8, ls=(0, (4, 2)), label="threshold")
    axis.set(xlabel="logit", ylabel="files")
    _legend_above(axis)


def _risk(axis: Axes, fake: NDArray[np.bool_], logit: NDArray[np.float64], threshold: float) -> None:
    curve = risk_coverage(fake, logit, threshold_logit=threshold)
    axis.step(*_thinned(curve.coverage, curve.risk), color=REAL, lw=1.2, where="pre")
    axis.set(
        xlim=(0, 1.02), ylim=(0, None), xlabel="coverage: share decided, surest first", ylabel="risk: wrong among these"
    )


def _tippett(axis: Axes, fake: NDArray[np.bool_], logit: NDArray[np.float64]) -> None:
    curve = tippett(fake, logit)
    ratio, fakes, real = _thinned(curve.log10_lr, curve.fake_share, curve.real_share)
    axis.axvline(0, color=RULE, lw=0.8)
    axis.step(ratio, fakes, color=FAKE, lw=1.2, where="pre", label="manipulated")
    axis.step(ratio, real, color=REAL, lw=1.2, ls=(0, (4, 1.5)), where="pre", label="genuine")
    axis.set(ylim=(-0.02, 1.02), xlabel="log10 of the likelihood ratio", ylabel="share with at least this ratio")
    _legend_above(axis)


def _conditions(axis: Axes, slices: Sequence[Slice]) -> None:
    """Of each class the share of genuine rows called manipulated and of manipulated ones missed."""
    places = np.arange(len(slices))[::-1]
    for shift, colour, marker, label, shares in (
        (0.16, REAL, "o", "genuine called manipulated", [one.false_positives for one in slices]),
        (-0.16, FAKE, "s", "manipulated missed", [_missed(one.true_positives) for one in slices]),
    ):
        known = [(place + shift, *_bounds(share)) for place, share in zip(places, shares, strict=True) if share.rows]
        if known:
            at, value, low, high = (np.array(column) for column in zip(*known, strict=True))
            reach = np.clip(np.stack([value - low, high - value]), 0, None)
            axis.errorbar(
                value, at, xerr=reach, fmt=marker, color=colour, ms=3.5, lw=0, elinewidth=0.9, capsize=2, label=label
            )
    names = [f"{one.dimension}: {one.name} ({one.false_positives.rows} + {one.true_positives.rows})" for one in slices]
    axis.set_yticks(places, names)
    axis.set(xlim=(-0.02, 1.02), ylim=(-0.7, len(slices) - 0.3), xlabel="share, with its 95 % interval")
    _legend_above(axis)


def _legend_above(axis: Axes) -> None:
    axis.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncol=2, borderaxespad=0.2)


def _missed(found: Share) -> Share:
    interval = None if found.interval is None else (1 - found.interval[1], 1 - found.interval[0])
    return Share(found.rows - found.hits, found.rows, interval)


def _bounds(share: Share) -> tuple[float, float, float]:
    low, high = share.interval or (math.nan, math.nan)
    return share.hits / share.rows, low, high
