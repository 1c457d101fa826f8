"""Drift: how far recent values lie from those of a reference set.

The population stability index (PSI; Siddiqi, Credit Risk Scorecards, 2006) compares shares in bins: the sum of
(recent - reference) * ln(recent / reference), in nats. Bins of numbers are deciles of the reference; a value that fills
more than one of them is a bin of its own. Every bin's count is raised by a half (Krichevsky & Trofimov, 1981), so that
an empty one is no infinity. Few values alone give a high index: without drift it is about (1/n + 1/m) times chi-squared
of k - 1 degrees of freedom for n recent and m reference values in k bins (Yurdakul & Naranjo, Journal of Risk Model
Validation, 2020). As smoothing lowers that for small n, pairs of samples are drawn from the shares of both together.
Numbers are also compared by the two-sample Kolmogorov-Smirnov test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

LEAST_RECENT: Final = 20
"""Recent values below which nothing is measured."""
MODERATE_PSI: Final = 0.1
LARGE_PSI: Final = 0.25
"""From where a PSI is read as a moderate and as a large shift: a rule of thumb of credit scoring, not a test."""
Reading = Literal["stable", "moderate", "large"]

_DECILES: Final = np.arange(1, 10) / 10
_SMOOTHING: Final = 0.5
_BY_CHANCE: Final = 0.95
_DRAWS: Final = 2000
_SEED: Final = 7


@dataclass(frozen=True, slots=True)
class Drift:
    """How recent values of `quantity` differ from the set's, of which there are `n_recent` and `n_set`.

    `psi` in nats, and `psi_by_chance`, below which it stays in 95 of 100 samples of these sizes without any drift.
    `ks` is the largest difference of the two distribution functions, 0..1, and `ks_p` its p-value; both None of
    categories. All are None, with a `reason`, where there is too little.
    """

    quantity: str
    n_recent: int
    n_set: int
    psi: float | None = None
    psi_by_chance: float | None = None
    ks: float | None = None
    ks_p: float | None = None
    reason: str | None = None

    @property
    def reading(self) -> Reading | None:
        """The usual reading of the PSI; None where there is none."""
        if self.psi is None:
            return None
        return "stable" if self.psi < MODERATE_PSI else "moderate" if self.psi < LARGE_PSI else "large"

    @property
    def drifted(self) -> bool:
        """Whether the shift is large by the usual reading and more than chance gives."""
        return self.reading == "large" and (self.psi or 0.0) > (self.psi_by_chance or 0.0)


def measure_drift(
    of_set: pd.DataFrame, recent: pd.DataFrame, *, numbers: Sequence[str], categories: Sequence[str]
) -> tuple[Drift, ...]:
    """The drift of each named column, in this order, between two tables of a row a file. What is None or NaN is not
    known and left out. Raises KeyError for a column that either lacks."""
    return (
        *(numeric_drift(name, _numbers(of_set[name]), _numbers(recent[name])) for name in numbers),
        *(categorical_drift(name, _names(of_set[name]), _names(recent[name])) for name in categories),
    )


def numeric_drift(quantity: str, of_set: NDArray[np.float64], recent: NDArray[np.float64]) -> Drift:
    """The drift of finite numbers: (M,) of the set, (N,) recent."""
    from scipy.stats import ks_2samp

    if reason := _too_few(len(of_set), len(recent)):
        return Drift(quantity, len(recent), len(of_set), reason=reason)
    edges = bin_edges(of_set)
    counts = [np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1) for values in (of_set, recent)]
    test = ks_2samp(recent, of_set)
    return Drift(
        quantity,
        len(recent),
        len(of_set),
        psi=float(population_stability_index(*counts)),
        psi_by_chance=psi_by_chance(*counts),
        ks=float(test.statistic),
        ks_p=float(test.pvalue),
    )


def categorical_drift(quantity: str, of_set: Sequence[str], recent: Sequence[str]) -> Drift:
    """The drift of named values; one that either side lacks is a bin that is empty there."""
    if reason := _too_few(len(of_set), len(recent)):
        return Drift(quantity, len(recent), len(of_set), reason=reason)
    names = sorted({*of_set, *recent})
    counts = [np.array([list(values).count(name) for name in names]) for values in (of_set, recent)]
    return Drift(
        quantity,
        len(recent),
        len(of_set),
        psi=float(population_stability_index(*counts)),
        psi_by_chance=psi_by_chance(*counts),
    )


def bin_edges(of_set: NDArray[np.float64]) -> NDArray[np.float64]:
    """The inner edges (K - 1,) of K bins, rising; a value belongs to the bin that ends at the first edge not below it.
    They are the set's deciles; one that several deciles share has an edge just below itself as well."""
    deciles = np.quantile(of_set, _DECILES, method="inverted_cdf")
    repeated = deciles[1:][np.diff(deciles) == 0]
    return np.unique(np.r_[deciles, np.nextafter(repeated, -np.inf)])


def population_stability_index(of_set: NDArray[np.int64], recent: NDArray[np.int64]) -> NDArray[np.float64]:
    """The PSI in nats, 0 and above, of counts (..., K) in the same bins, each raised by a half: (...)."""
    raised = [counts + _SMOOTHING for counts in (of_set, recent)]
    before, after = (counts / counts.sum(-1, keepdims=True) for counts in raised)
    return np.asarray(((after - before) * np.log(after / before)).sum(-1), np.float64)


def psi_by_chance(of_set: NDArray[np.int64], recent: NDArray[np.int64]) -> float:
    """The PSI that 95 of 100 pairs of samples stay below which have as many values as these counts (K,) and are drawn
    from the shares of both together; the same for the same counts."""
    rng = np.random.default_rng(_SEED)
    shares = (of_set + recent) / (of_set.sum() + recent.sum())
    drawn = [rng.multinomial(counts.sum(), shares, _DRAWS) for counts in (of_set, recent)]
    return float(np.quantile(population_stability_index(*drawn), _BY_CHANCE))


def _too_few(of_set: int, recent: int) -> str | None:
    if recent < LEAST_RECENT:
        return f"too few: {recent} recent files with a value, at least {LEAST_RECENT} are needed"
    return None if of_set else "the set has no such value"


def _numbers(values: pd.Series) -> NDArray[np.float64]:
    import pandas as pd

    found = pd.to_numeric(values).to_numpy(np.float64)
    return found[np.isfinite(found)]


def _names(values: pd.Series) -> list[str]:
    return [str(value) for value in values.dropna()]
