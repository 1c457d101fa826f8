"""Is one detector better than another on the same rows? DeLong's test of two AUCs, and a bootstrap of any figure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm, rankdata

from detector.measurement.curves import checked

Statistic = Callable[[NDArray[np.bool_], NDArray[np.float64]], float]


@dataclass(frozen=True, slots=True)
class AucComparison:
    """Two ROC-AUCs, 0..1, on the same rows: their `difference` (first less second) with its standard error and 95 %
    interval, and the two-sided `p_value` 0..1 of there being none; None where the rows leave no variance to test by."""

    auc_first: float
    auc_second: float
    standard_error: float
    interval: tuple[float, float]
    p_value: float | None

    @property
    def difference(self) -> float:
        """First less second."""
        return self.auc_first - self.auc_second


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """A figure of the first detector less that of the second on the same rows, with its 95 % bootstrap interval over
    `groups` groups; None where too few draws define it."""

    difference: float
    interval: tuple[float, float] | None
    groups: int


def delong(labels: ArrayLike, first: ArrayLike, second: ArrayLike) -> AucComparison:
    """DeLong's test of two correlated AUCs (DeLong et al., Biometrics 44, 1988), by mid-ranks (Sun & Xu, IEEE Signal
    Processing Letters 21, 2014). Labels (1 = fake) and both detectors' finite scores, all (N,).

    Rows count as independent: where several are of one person, `paired_bootstrap` is the test. Raises ValueError as
    `curves.checked`, and with fewer than two rows of a label."""
    fake, one = checked(labels, first)
    scores = np.stack([one, checked(labels, second)[1]])
    fakes, real = scores[:, fake], scores[:, ~fake]
    n_fake, n_real = fakes.shape[1], real.shape[1]
    if min(n_fake, n_real) < 2:
        raise ValueError(f"a variance needs two rows of each label, found {n_real} real and {n_fake} fake")
    together = rankdata(np.concatenate([fakes, real], axis=1), axis=1)
    of_fakes = (together[:, :n_fake] - rankdata(fakes, axis=1)) / n_real  # of each fake, the share of real ones below
    of_real = 1 - (together[:, n_fake:] - rankdata(real, axis=1)) / n_fake
    covariance = np.cov(of_fakes) / n_fake + np.cov(of_real) / n_real
    auc = of_fakes.mean(axis=1)
    difference = float(auc[0] - auc[1])
    error = float(np.sqrt(max(0.0, covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])))
    reach = float(norm.ppf(0.975)) * error
    p_value = None
    if error > 1e-12:
        p_value = float(2 * norm.sf(abs(difference) / error))
    elif abs(difference) < 1e-12:
        p_value = 1.0
    return AucComparison(float(auc[0]), float(auc[1]), error, (difference - reach, difference + reach), p_value)


def paired_bootstrap(
    labels: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    groups: NDArray[Any],
    statistic: Statistic,
    *,
    resamples: int = 500,
    seed: int = 7,
) -> PairedDifference:
    """Of `statistic`, a figure from labels and logits, the difference of two detectors when whole groups (N,) are drawn
    again, the same ones for both (percentiles). Draws without both labels are left out; with half of them gone, or
    fewer than two groups, there is no interval. Raises ValueError as `curves.checked`."""
    fake, one = checked(labels, first)
    other = checked(labels, second)[1]
    names, member = np.unique(groups, return_inverse=True)
    rows_of = [np.flatnonzero(member == place) for place in range(len(names))]
    whole = float(statistic(fake, one) - statistic(fake, other))
    rng, draws = np.random.default_rng(seed), []
    for _ in range(resamples if len(names) > 1 else 0):
        rows = np.concatenate([rows_of[place] for place in rng.integers(0, len(names), len(names))])
        if 0 < fake[rows].sum() < len(rows):
            draws.append(statistic(fake[rows], one[rows]) - statistic(fake[rows], other[rows]))
    if 2 * len(draws) <= resamples:
        return PairedDifference(whole, None, len(names))
    low, high = np.quantile(draws, [0.025, 0.975])
    return PairedDifference(whole, (float(low), float(high)), len(names))
