"""Statistics of short signals that stay finite where nothing moves."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_STILL: Final = 1e-12


def correlation(first: Floats, second: Floats) -> float:
    """Pearson's, in [-1, 1]; 0 where either stands still."""
    first, second = first - first.mean(), second - second.mean()
    norms = float((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / np.sqrt(norms)) if norms > _STILL**2 else 0.0


def log_ratio(above: float, below: float) -> float:
    """Natural logarithm of a ratio of two amounts that may be 0."""
    return float(np.log((above + 1e-6) / (below + 1e-6)))


def rms(values: Floats) -> float:
    """Root of the mean square over everything."""
    return float(np.sqrt((values**2).mean()))


def explained(causes: Floats, effect: Floats) -> float:
    """Share of the variance of `effect` (N,) that ridge regression on `causes` (N, K) explains, at most 1."""
    causes = (causes - causes.mean(0)) / (causes.std(0) + 1e-9)
    effect = (effect - effect.mean()) / (effect.std() + 1e-9)
    ridge = 0.01 * len(effect) * np.eye(causes.shape[1])
    slopes = np.linalg.solve(causes.T @ causes + ridge, causes.T @ effect)
    return float(1 - ((effect - causes @ slopes) ** 2).mean()) if effect.any() else 0.0
