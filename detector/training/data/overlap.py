"""Weights under which plain statistics of clips have the same mean for both labels.

Overlap weights (Li, Morgan and Zaslavsky, JASA 2018): a logistic model of the label given the statistics, and of each
clip the model's probability of the *other* label.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

_FARTHEST = 4.0


def source_weights(label: NDArray[np.integer[Any]], source: Sequence[str], *, power: float) -> NDArray[np.float64]:
    """Weight (N,) of each clip; those of a label sum to 1, and a source weighs as its number of clips to `power`."""
    count = Counter(zip(label.tolist(), source, strict=True))
    return even(np.array([count[key] ** (power - 1.0) for key in zip(label.tolist(), source, strict=True)]), label)


def overlap_weights(
    label: NDArray[np.integer[Any]], source: Sequence[str], statistics: pd.DataFrame, *, power: float, strength: float
) -> NDArray[np.float64]:
    """`source_weights`, balanced. `strength` is the logistic model's inverse regularisation: the larger, the closer the
    balance and the fewer clips count."""
    base = source_weights(label, source, power=power)
    x = np.clip(StandardScaler().fit_transform(statistics.to_numpy()), -_FARTHEST, _FARTHEST)
    model = LogisticRegression(C=strength, max_iter=5000).fit(x, label, sample_weight=200 * base)
    fake = model.predict_proba(x)[:, 1]
    return even(base * np.where(label == 1, 1 - fake, fake), label)


def even(weight: NDArray[np.float64], label: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    """The weights of a label made to sum to 1."""
    return weight / np.bincount(label, weight)[label]
