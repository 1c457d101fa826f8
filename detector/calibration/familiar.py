"""Out-of-distribution detection: whether a file's faces look like those of a calibration set.

Of a trunk's features those are compared that say how a crop looks (`detector.models.appearance`): what its label rests
on is taught to pass over light and colour, and measured less of what is foreign.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

LEAST_FILES: Final = 50
"""Files with a known appearance below which no distance is called far."""
INSIDE_SHARE: Final = 0.975
_LEAST_STD: Final = 1e-6


class FamiliarAppearance(BaseModel):
    """How the faces of a set look: `mean` and `std` (D,) of its files, and the `farthest` distance still inside.

    The distance is Mahalanobis' with a diagonal covariance, divided by the root of D, so that a typical file of the set
    is at 1. Within `farthest` lies the share `inside` of the set's `files`, each measured without its cluster.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: tuple[FiniteFloat, ...]
    std: tuple[Annotated[FiniteFloat, Field(gt=0)], ...]
    farthest: Annotated[FiniteFloat, Field(gt=0)]
    inside: Annotated[FiniteFloat, Field(gt=0, lt=1)] = INSIDE_SHARE
    files: Annotated[int, Field(ge=1)]

    def distance(self, appearance: Sequence[float]) -> float | None:
        """The distance of a file's appearance (D,), None for one of another length."""
        if len(appearance) != len(self.mean):
            return None
        return float(_distances(np.array(self.mean), np.array(self.std), np.array([appearance]))[0])


def fit_appearance(
    appearances: Sequence[Sequence[float] | None], clusters: NDArray[np.object_]
) -> FamiliarAppearance | None:
    """The appearance of a set's files, of which some may be unknown, and the cluster of each. None with fewer than
    `LEAST_FILES` known ones, or where they are all of one cluster."""
    known = [place for place, one in enumerate(appearances) if one is not None]
    if len(known) < LEAST_FILES or len(set(clusters[known])) < 2:
        return None
    values = np.array([appearances[place] for place in known], float)
    groups = clusters[known]
    distances = np.zeros(len(values))
    for name in set(groups):
        own = groups == name
        distances[own] = _distances(*_spread(values[~own]), values[own])
    mean, std = _spread(values)
    return FamiliarAppearance(
        mean=tuple(mean.round(5).tolist()),
        std=tuple(std.round(6).tolist()),
        farthest=round(float(np.quantile(distances, INSIDE_SHARE)), 4),
        files=len(values),
    )


def _spread(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return values.mean(axis=0), values.std(axis=0) + _LEAST_STD


def _distances(mean: NDArray[np.float64], std: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm((values - mean) / std, axis=1) / np.sqrt(len(mean)), float)
