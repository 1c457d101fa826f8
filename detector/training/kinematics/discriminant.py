"""A linear discriminant with a ridge: weighted least squares on the label, both labels weighing alike.

With two classes that is Fisher's discriminant (Friedman, JASA 1989, for the regularised one).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from detector.training.data.overlap import even

Floats = NDArray[np.float64]
Labels = NDArray[np.integer[Any]]


@dataclass(frozen=True, slots=True)
class Discriminant:
    """Rows (N, F) are standardised by `centre` and `scale` (F,), held at `farthest` and added up by `weight` (F,)."""

    centre: Floats
    scale: Floats
    weight: Floats
    bias: float
    farthest: float

    def scores(self, rows: Floats) -> Floats:
        """(N, F) -> (N,)."""
        return _held(rows, self.centre, self.scale, self.farthest) @ self.weight + self.bias

    def of_clips(self, clips: Sequence[Floats]) -> Floats:
        """The mean over the windows (N_i, F) of each clip."""
        return np.array([self.scores(windows).mean() for windows in clips])

    def stretched(self, slope: float, offset: float) -> Discriminant:
        """The same with `slope` times its scores plus `offset`."""
        return replace(self, weight=slope * self.weight, bias=slope * self.bias + offset)


def fit_discriminant(
    clips: Sequence[Floats], label: Labels, weight: Floats, genuine_weight: Floats, *, ridge: float, farthest: float
) -> Discriminant:
    """Fit on the windows (N_i, F) of each clip, which share its `weight`; those of a label sum to 1. The scores of the
    genuine clips, by `genuine_weight`, have mean 0 and standard deviation 1, so that fits of several folds compare."""
    rows = np.concatenate(clips)
    count = np.array([len(windows) for windows in clips])
    own, labels = np.repeat(weight / count, count), np.repeat(label, count)
    own = even(own, labels) / 2
    centre = own @ rows
    scale = np.sqrt(own @ (rows - centre) ** 2) + 1e-6
    x, target = _held(rows, centre, scale, farthest), np.where(labels == 1, 1.0, -1.0)
    mean = own @ x
    covariance = x.T @ (x * own[:, None]) - np.outer(mean, mean) + ridge * np.eye(x.shape[1])
    found = np.linalg.solve(covariance, x.T @ (own * target) - mean * (own @ target))
    raw = Discriminant(centre, scale, found, 0.0, farthest)
    scores, share = raw.of_clips(clips), np.where(label == 0, genuine_weight, 0.0)
    share = share / share.sum()
    middle = float(share @ scores)
    spread = float(np.sqrt(share @ (scores - middle) ** 2)) + 1e-6
    return raw.stretched(1 / spread, -middle / spread)


def _held(rows: Floats, centre: Floats, scale: Floats, farthest: float) -> Floats:
    return np.asarray(np.clip((rows - centre) / scale, -farthest, farthest), np.float64)


def fit_logit(scores: Floats, label: Labels, weight: Floats) -> tuple[float, float]:
    """(slope, offset) that make scores logits (Platt, 1999), 0 where both labels are equally likely; `weight` (N,),
    those of a label summing to 1."""
    model = LogisticRegression(C=1.0).fit(scores[:, None], label, sample_weight=weight * len(label) / 2)
    return float(model.coef_[0, 0]), float(model.intercept_[0])
