"""Metrics of a binary detector from logits and labels (1 = manipulated)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import beta
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score


def binary_metrics(labels: ArrayLike, logits: ArrayLike, *, threshold_logit: float = 0.0) -> dict[str, float]:
    """`auc`, `accuracy`, `f1`, `precision`, `recall` at the threshold. `auc` is NaN where only
    one class is present."""
    truth, logit = np.asarray(labels).astype(int), np.asarray(logits, float)
    called = logit >= threshold_logit
    return {
        "auc": rank_auc(truth, logit),
        "accuracy": float(accuracy_score(truth, called)),
        "f1": float(f1_score(truth, called, zero_division=0)),
        "precision": float(precision_score(truth, called, zero_division=0)),
        "recall": float(recall_score(truth, called, zero_division=0)),
    }


def auc_interval(labels: ArrayLike, logits: ArrayLike, *, resamples: int = 1000, seed: int = 7) -> tuple[float, float]:
    """95 % bootstrap interval of the ROC-AUC (percentile method, resampled within each class)."""
    truth, logit = np.asarray(labels).astype(bool), np.asarray(logits, float)
    fake, real = logit[truth], logit[~truth]
    if not len(fake) or not len(real):
        raise ValueError("an AUC needs both labels")
    rng = np.random.default_rng(seed)
    draws = [_share_above(rng.choice(fake, len(fake)), rng.choice(real, len(real))) for _ in range(resamples)]
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)


def interval_by_group(
    groups: NDArray[Any], statistic: Callable[[NDArray[np.int64]], float], *, resamples: int = 500, seed: int = 7
) -> tuple[float | None, float | None]:
    """95 % bootstrap interval of `statistic`, a function of row indices, to four places; None without rows.

    Groups (people), not rows, are drawn again: pictures or clips of one person are no independent evidence. Draws whose
    statistic is NaN are left out."""
    names, member = np.unique(groups, return_inverse=True)
    if not len(names):
        return None, None
    rows_of = [np.flatnonzero(member == place) for place in range(len(names))]
    rng = np.random.default_rng(seed)
    draws = [
        statistic(np.concatenate([rows_of[place] for place in rng.integers(0, len(names), len(names))]))
        for _ in range(resamples)
    ]
    low, high = np.nanquantile(draws, [0.025, 0.975])
    return round(float(low), 4), round(float(high), 4)


def share_interval(hits: NDArray[np.bool_], groups: NDArray[Any]) -> tuple[float, float]:
    """95 % interval of the share of `hits`, to four places, by Clopper & Pearson (Biometrika, 1934).

    There are as many trials as groups: clips of one person are no independent evidence. Where nothing was hit a
    bootstrap would claim to be sure. Raises ValueError without any."""
    if not len(hits):
        raise ValueError("a share needs at least one case")
    trials = len(np.unique(groups))
    found = float(np.mean(hits)) * trials
    low = beta.ppf(0.025, found, trials - found + 1) if found > 0 else 0.0
    high = beta.ppf(0.975, found + 1, trials - found) if found < trials else 1.0
    return round(float(low), 4), round(float(high), 4)


def rank_auc(labels: NDArray[np.int64], logits: NDArray[np.float64]) -> float:
    """ROC-AUC by ranks (Mann-Whitney), many times faster than by thresholds; NaN where one label is missing.

    Raises ValueError for a logit that is NaN."""
    fake = labels == 1
    if fake.all() or not fake.any():
        return float("nan")
    if np.isnan(logits).any():
        raise ValueError("an AUC needs numbers as logits; one is nan")
    return _share_above(logits[fake], logits[~fake])


def _share_above(fake: NDArray[np.float64], real: NDArray[np.float64]) -> float:
    """Of all pairs the share whose fake has the higher logit, ties by half."""
    real = np.sort(real)
    twice = np.searchsorted(real, fake, "left") + np.searchsorted(real, fake, "right")
    return float(twice.sum() / (2 * len(fake) * len(real)))
