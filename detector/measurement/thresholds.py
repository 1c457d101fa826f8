"""The logits between which a model is inconclusive, and those from which frames within a track count by themselves."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Video logits at or above `likely_manipulated_logit` are called manipulated, at or below `no_manipulation_logit`
    not; between them the model is inconclusive. `basis` says on what data they were set.

    Within a track whose mean hides it: a run of frames whose mean is at or above `run_logit` is called manipulated, a
    peak at or above `peak_logit` forbids to say that nothing was found (see `detector.analysis.frame_series`); None, as
    in older cards: no such rule. `within_track_basis` says on what data these were set."""

    likely_manipulated_logit: float
    no_manipulation_logit: float
    basis: str
    run_logit: float | None = None
    peak_logit: float | None = None
    within_track_basis: str | None = None

    def as_json(self) -> dict[str, Any]:
        """As cards and records have it: a rule that is not set is left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}
