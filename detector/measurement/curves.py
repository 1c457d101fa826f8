"""The curves of a binary detector from logits (natural log-odds of "fake") and labels (1 = fake), ready to be drawn.

Every curve needs both labels and finite logits; each function raises ValueError without, and for arrays of unlike
length. Points are those of the rows themselves, none is interpolated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

RELIABILITY_BINS: Final = 10
Series = tuple[float, ...]


@dataclass(frozen=True, slots=True)
class RocCurve:
    """Receiver operating characteristic from (0, 0) to (1, 1): rates 0..1 of what lies at or above each threshold,
    falling; the first threshold is infinite."""

    false_positive_rate: Series
    true_positive_rate: Series
    threshold_logit: Series


@dataclass(frozen=True, slots=True)
class PrecisionRecallCurve:
    """Recall and precision 0..1 at each threshold, recall falling as thresholds rise; the last point is recall 0 at an
    infinite threshold, where precision is 1 by convention."""

    recall: Series
    precision: Series
    threshold_logit: Series


@dataclass(frozen=True, slots=True)
class DetCurve:
    """Detection error trade-off (Martin et al., Eurospeech 1997): false positive and false negative rates 0..1 at each
    threshold, rising. It is drawn on axes that are scaled by the normal quantile (probit)."""

    false_positive_rate: Series
    false_negative_rate: Series
    threshold_logit: Series


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Neighbouring scores together: their mean as a probability 0..1, the share of fakes among the `rows`, and that
    share's 95 % interval by Wilson (JASA, 1927)."""

    score: float
    fake_share: float
    rows: int
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Reliability:
    """Scores against what they claim, in bins of about equally many rows, by rising score.

    `ece`: expected calibration error, the mean distance of score and share over rows; `mce`: the largest of any bin;
    both 0..1 (Naeini et al., AAAI 2015; equal-mass bins as in Nixon et al., CVPRW 2019)."""

    bins: tuple[ReliabilityBin, ...]
    ece: float
    mce: float


@dataclass(frozen=True, slots=True)
class RiskCoverage:
    """How often a detector errs among what it is surest of (El-Yaniv & Wiener, JMLR 11, 2010).

    At each `margin_logit`, the distance from the threshold below which it abstains, falling: `coverage`, the share of
    rows that are still decided, and `risk`, the share of errors among these, both 0..1. `area` under it: the mean risk
    over coverage, by steps (AURC; Geifman et al., ICLR 2019)."""

    coverage: Series
    risk: Series
    margin_logit: Series
    area: float


@dataclass(frozen=True, slots=True)
class TippettCurves:
    """Of either label the share 0..1 whose likelihood ratio is at least 10 to the power of `log10_lr`, rising, at every
    ratio that occurs (Tippett et al., Journal of the Forensic Science Society 8, 1968).

    `misleading_fake`: share of fakes with an LR below 1, `misleading_real`: share of real ones with an LR above 1."""

    log10_lr: Series
    fake_share: Series
    real_share: Series
    misleading_fake: float
    misleading_real: float


def roc(labels: ArrayLike, logits: ArrayLike) -> RocCurve:
    """The ROC curve, without points that lie on a line between their neighbours."""
    from sklearn.metrics import roc_curve

    return RocCurve(*map(_series, roc_curve(*checked(labels, logits))))


def precision_recall(labels: ArrayLike, logits: ArrayLike) -> PrecisionRecallCurve:
    """The precision-recall curve."""
    from sklearn.metrics import precision_recall_curve

    precision, recall, thresholds = precision_recall_curve(*checked(labels, logits), drop_intermediate=True)
    return PrecisionRecallCurve(_series(recall), _series(precision), (*_series(thresholds), math.inf))


def det(labels: ArrayLike, logits: ArrayLike) -> DetCurve:
    """The DET curve."""
    from sklearn.metrics import det_curve

    return DetCurve(*map(_series, det_curve(*checked(labels, logits), drop_intermediate=True)))


def reliability(labels: ArrayLike, logits: ArrayLike, *, bins: int = RELIABILITY_BINS) -> Reliability:
    """Bins between quantiles of the scores; equal scores share a bin, so there may be fewer than `bins`."""
    from scipy.stats import binomtest

    score, hits, rows = _binned(*checked(labels, logits), bins)
    found = []
    for mean, hit, size in zip(score.tolist(), hits.tolist(), rows.tolist(), strict=True):
        band = binomtest(hit, size).proportion_ci(method="wilson")
        found.append(ReliabilityBin(mean, hit / size, size, (float(band.low), float(band.high))))
    return Reliability(tuple(found), *calibration_errors(labels, logits, bins=bins))


def calibration_errors(labels: ArrayLike, logits: ArrayLike, *, bins: int = RELIABILITY_BINS) -> tuple[float, float]:
    """The `ece` and `mce` of `Reliability`, without the bands of its bins, which take most of the time."""
    score, hits, rows = _binned(*checked(labels, logits), bins)
    gaps = np.abs(score - hits / rows)
    return float(np.average(gaps, weights=rows)), float(gaps.max())


def _binned(
    fake: NDArray[np.bool_], logit: NDArray[np.float64], bins: int
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Of each bin the mean score, the fakes and the rows."""
    from scipy.special import expit

    highest = np.unique(np.quantile(logit, np.linspace(0, 1, bins + 1)[1:-1], method="inverted_cdf"))  # of each bin
    _, place, rows = np.unique(np.searchsorted(highest, logit, side="left"), return_inverse=True, return_counts=True)
    hits = np.bincount(place, weights=fake, minlength=len(rows)).astype(np.int64)
    return np.bincount(place, weights=expit(logit), minlength=len(rows)) / rows, hits, rows


def risk_coverage(labels: ArrayLike, logits: ArrayLike, *, threshold_logit: float = 0.0) -> RiskCoverage:
    """Rows are decided by the threshold and leave from the least sure, the nearest to it, on; those equally sure leave
    together."""
    fake, logit = checked(labels, logits)
    wrong, margin = (logit >= threshold_logit) != fake, np.abs(logit - threshold_logit)
    margins, place, sizes = np.unique(margin, return_inverse=True, return_counts=True)
    errors = np.bincount(place, weights=wrong, minlength=len(margins))
    decided = np.cumsum(sizes[::-1])
    coverage, risk = decided / len(logit), np.cumsum(errors[::-1]) / decided
    area = float(np.sum(risk * np.diff(coverage, prepend=0.0)))
    return RiskCoverage(_series(coverage), _series(risk), _series(margins[::-1]), area)


def tippett(labels: ArrayLike, llrs: ArrayLike) -> TippettCurves:
    """From natural log-likelihood ratios; a logit is taken for one (see `detector.measurement.likelihood_ratio`)."""
    fake, llr = checked(labels, llrs)
    values = np.unique(llr)
    share = {
        label: 1 - np.searchsorted(np.sort(own), values, side="left") / len(own)
        for label, own in (("fake", llr[fake]), ("real", llr[~fake]))
    }
    return TippettCurves(
        _series(values / math.log(10)),
        _series(share["fake"]),
        _series(share["real"]),
        float((llr[fake] < 0).mean()),
        float((llr[~fake] > 0).mean()),
    )


def checked(labels: ArrayLike, logits: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which rows are fake, and the logits, both (N,). Raises ValueError unless both labels are there, every row has one
    and every logit is finite."""
    fake, logit = np.asarray(labels).astype(bool), np.asarray(logits, float)
    if fake.shape != logit.shape or fake.ndim != 1:
        raise ValueError(f"expected a label for each logit, found shapes {fake.shape} and {logit.shape}")
    if not np.isfinite(logit).all():
        raise ValueError("expected finite logits; leave out what has none")
    if fake.all() or not fake.any():
        raise ValueError("a curve needs both labels")
    return fake, logit


def _series(values: NDArray[np.float64]) -> Series:
    return tuple(float(value) for value in values)
