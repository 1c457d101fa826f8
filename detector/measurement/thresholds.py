"""The logits between which a model is inconclusive, and those from which frames within a track count by themselves."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Annotated, Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, FiniteFloat, model_validator
from pydantic.dataclasses import dataclass

FALSE_ALARM_SHARE: Final = 0.05
"""The share of genuine clips that may be called manipulated, unless a laboratory sets another."""
MISS_SHARE: Final = 0.10
"""The share of manipulated clips of which may be said that nothing was found, unless a laboratory sets another."""
_LEAST_GAP: Final = 0.1
Logit = Annotated[FiniteFloat, Field(ge=-1000, le=1000)]
"""A finite logit; no model reaches the ends, so a threshold there is one that is never passed."""


@dataclass(frozen=True, slots=True, config=ConfigDict(strict=True, extra="forbid"))
class Thresholds:
    """Video logits at or above `likely_manipulated_logit` are called manipulated, at or below `no_manipulation_logit`
    not; between them the model is inconclusive. `basis` says on what data they were set.

    Within a track whose mean hides it: a run of frames whose mean is at or above `run_logit` is called manipulated, a
    peak at or above `peak_logit` forbids to say that nothing was found (see `detector.analysis.frame_series`); None, as
    in older cards: no such rule. `within_track_basis` says on what data these were set.

    Raises pydantic's ValidationError, a ValueError, for a logit that is no finite number in -1000..1000, and unless
    `no_manipulation_logit` lies below `likely_manipulated_logit`."""

    likely_manipulated_logit: Logit
    no_manipulation_logit: Logit
    basis: str
    run_logit: Logit | None = None
    peak_logit: Logit | None = None
    within_track_basis: str | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Thresholds:
        if not self.no_manipulation_logit < self.likely_manipulated_logit:
            raise ValueError(
                "expected no_manipulation_logit below likely_manipulated_logit, found "
                f"{self.no_manipulation_logit} and {self.likely_manipulated_logit}"
            )
        return self

    def as_json(self) -> dict[str, Any]:
        """As cards and records have it: a rule that is not set is left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def calling_threshold(real: NDArray[np.float64], share: float) -> float:
    """The lowest logit that at most a `share` (0..1, 1 excluded) of genuine clips' logits (N,), N > 0, reaches."""
    allowed = int(share * len(real) + 1e-9)
    return math.nextafter(float(np.sort(real)[-1 - allowed]), math.inf)


def clearing_threshold(fake: NDArray[np.float64], share: float, calling: float) -> float:
    """The highest logit to which at most a `share` (0..1) of manipulated clips' logits (N,), N > 0, falls; just under
    the threshold `calling` where the two would cross, so that the promise about genuine clips holds."""
    return min(-calling_threshold(-fake, share), calling - _LEAST_GAP)


def rounded_thresholds(clearing: float, calling: float) -> tuple[float, float]:
    """Both thresholds to three places, each put beyond a logit that lies on such a place itself, so that the promises
    hold."""
    return (math.ceil(clearing * 1000 - 1e-6) - 1) / 1000, (math.floor(calling * 1000 + 1e-6) + 1) / 1000
