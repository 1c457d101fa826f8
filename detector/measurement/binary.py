"""Every figure of a binary detector at once, from logits (natural log-odds of "fake") and labels (1 = fake)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn import config_context
from sklearn.metrics import average_precision_score

from detector.measurement.curves import RELIABILITY_BINS, RocCurve, calibration_errors, roc
from detector.measurement.likelihood_ratio import likelihood_ratio_cost
from detector.measurement.metrics import rank_auc

LIMITS: Final = (0.01, 0.05)
"""False positive rates at which the true positive rate is told."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """Rows by truth and call; "positive" is fake."""

    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int


@dataclass(frozen=True, slots=True)
class BinaryMetrics:
    """A detector on `n_real` + `n_fake` rows; a figure that these rows do not define is None.

    At `threshold_logit` (at or above is called fake): `confusion`, and from it `accuracy`, `balanced_accuracy`, `f1`,
    `precision`, `recall`, `specificity`. Without a threshold: `roc_auc`, `pr_auc` (average precision), `eer` (equal
    error rate, on the straight line between the two points of the ROC curve around it), `tpr_at_fpr_1` and
    `tpr_at_fpr_5` (the largest true positive rate of a threshold that at most 1 % and 5 % of the real rows reach). Of
    scores taken for probabilities: `brier`, `log_loss` (nats), `ece` and `mce` (see `curves.Reliability`). All of
    these are 0..1 but `log_loss`. Of logits taken for natural log-likelihood ratios, as those of a detector trained on
    balanced classes are: `cllr`, `cllr_min` and `cllr_cal` in bits (see `likelihood_ratio`).
    """

    n_real: int
    n_fake: int
    threshold_logit: float
    confusion: Confusion
    accuracy: float
    balanced_accuracy: float | None
    f1: float | None
    precision: float | None
    recall: float | None
    specificity: float | None
    brier: float
    log_loss: float
    roc_auc: float | None = None
    pr_auc: float | None = None
    eer: float | None = None
    tpr_at_fpr_1: float | None = None
    tpr_at_fpr_5: float | None = None
    ece: float | None = None
    mce: float | None = None
    cllr: float | None = None
    cllr_min: float | None = None
    cllr_cal: float | None = None

    def figures(self) -> dict[str, float | None]:
        """Every figure by name, without counts and threshold."""
        return {name: getattr(self, name) for name in FIGURES}


FIGURES: Final = tuple(
    name for name in BinaryMetrics.__slots__ if name not in ("n_real", "n_fake", "threshold_logit", "confusion")
)

RESAMPLED: Final = tuple(name for name in FIGURES if name not in ("ece", "mce", "cllr_min", "cllr_cal"))
"""Figures that a bootstrap has intervals of. The others are fitted to the rows at hand, and rows that are drawn twice
would pass for agreement: their values may lie outside of such an interval."""


def measure_binary(
    labels: ArrayLike, logits: ArrayLike, *, threshold_logit: float = 0.0, bins: int = RELIABILITY_BINS
) -> BinaryMetrics:
    """Labels and finite logits, both (N,), of one label or of both. Raises ValueError without rows, for arrays of
    unlike length and for logits that are not finite."""
    fake, logit = np.asarray(labels).astype(bool), np.asarray(logits, float)
    if fake.shape != logit.shape or fake.ndim != 1 or not len(fake) or not np.isfinite(logit).all():
        raise ValueError(f"expected finite logits and as many labels, found shapes {fake.shape} and {logit.shape}")
    called = logit >= threshold_logit
    counts = ((fake & called).sum(), (~fake & called).sum(), (~fake & ~called).sum(), (fake & ~called).sum())
    confusion, brier = Confusion(*map(int, counts)), float(np.mean((expit(logit) - fake) ** 2))
    loss = float(np.logaddexp(0.0, np.where(fake, -logit, logit)).mean())
    found: dict[str, Any] = _rates(confusion) | {"brier": brier, "log_loss": loss}
    if 0 < fake.sum() < len(fake):
        found |= _of_both_labels(fake, logit, bins)
    return BinaryMetrics(int((~fake).sum()), int(fake.sum()), threshold_logit, confusion, **found)


def _rates(found: Confusion) -> dict[str, Any]:
    hits, alarms = found.true_positives, found.false_positives
    passed, missed = found.true_negatives, found.false_negatives
    recall, specificity = _share(hits, hits + missed), _share(passed, passed + alarms)
    balanced = None if recall is None or specificity is None else (recall + specificity) / 2
    return {
        "accuracy": (hits + passed) / (hits + alarms + passed + missed),
        "balanced_accuracy": balanced,
        "f1": _share(2 * hits, 2 * hits + alarms + missed),
        "precision": _share(hits, hits + alarms),
        "recall": recall,
        "specificity": specificity,
    }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _of_both_labels(fake: NDArray[np.bool_], logit: NDArray[np.float64], bins: int) -> dict[str, float]:
    with config_context(assume_finite=True, skip_parameter_validation=True):
        curve, average_precision = roc(fake, logit), float(average_precision_score(fake, logit))
    (ece, mce), cost = calibration_errors(fake, logit, bins=bins), likelihood_ratio_cost(fake, logit)
    return {
        "roc_auc": rank_auc(fake.astype(int), logit),
        "pr_auc": average_precision,
        "eer": equal_error_rate(curve),
        "tpr_at_fpr_1": tpr_at_fpr(curve, LIMITS[0]),
        "tpr_at_fpr_5": tpr_at_fpr(curve, LIMITS[1]),
        "ece": ece,
        "mce": mce,
        "cllr": cost.cllr,
        "cllr_min": cost.cllr_min,
        "cllr_cal": cost.cllr_cal,
    }


def equal_error_rate(curve: RocCurve) -> float:
    """Where as many real rows are called fake as fakes real, 0..1: on the straight line between the two points of the
    curve on either side of it."""
    false, missed = np.array(curve.false_positive_rate), 1 - np.array(curve.true_positive_rate)
    after = int(np.argmax(false >= missed))  # the first point, (0, 0), lies before it
    before = after - 1
    gap = missed[before] - false[before]
    step = gap / (gap + false[after] - missed[after])
    return float(false[before] + step * (false[after] - false[before]))


def tpr_at_fpr(curve: RocCurve, limit: float) -> float:
    """The largest true positive rate of a threshold whose false positive rate is at most `limit`, both 0..1."""
    return max(
        hit for alarm, hit in zip(curve.false_positive_rate, curve.true_positive_rate, strict=True) if alarm <= limit
    )


def intervals(
    labels: ArrayLike,
    logits: ArrayLike,
    groups: ArrayLike,
    *,
    figures: Sequence[str] = RESAMPLED,
    threshold_logit: float = 0.0,
    resamples: int = 500,
    seed: int = 7,
) -> Mapping[str, tuple[float, float] | None]:
    """95 % bootstrap intervals of the named figures (percentiles), as `metrics.interval_by_group`: whole groups (N,),
    say people, are drawn again, since their rows are no independent evidence.

    Draws that do not define a figure are left out; None where half of them or more do not, and with fewer than two
    groups. Raises ValueError as `measure_binary`, and for a figure that is not one of `RESAMPLED`."""
    if unknown := set(figures) - set(RESAMPLED):
        raise ValueError(f"no intervals of {sorted(unknown)}; expected some of {', '.join(RESAMPLED)}")
    fake, logit = np.asarray(labels).astype(bool), np.asarray(logits, float)
    names, member = np.unique(np.asarray(groups), return_inverse=True)
    measure_binary(fake, logit)
    if len(names) < 2:
        return dict.fromkeys(figures)
    rows_of = [np.flatnonzero(member == place) for place in range(len(names))]
    rng = np.random.default_rng(seed)
    draws = np.full((resamples, len(figures)), np.nan)
    for draw in draws:
        rows = np.concatenate([rows_of[place] for place in rng.integers(0, len(names), len(names))])
        found = measure_binary(fake[rows], logit[rows], threshold_logit=threshold_logit).figures()
        draw[:] = [np.nan if (value := found[name]) is None else value for name in figures]
    return {name: _percentiles(column) for name, column in zip(figures, draws.T, strict=True)}


def _percentiles(draws: NDArray[np.float64]) -> tuple[float, float] | None:
    known = draws[np.isfinite(draws)]
    if 2 * len(known) <= len(draws):
        return None
    low, high = np.quantile(known, [0.025, 0.975])
    return float(low), float(high)
