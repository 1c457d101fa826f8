"""The two logits between which a model is inconclusive."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Video logits at or above `likely_manipulated_logit` are called manipulated, at or below `no_manipulation_logit`
    not; between them the model is inconclusive. `basis` says on what data they were set."""

    likely_manipulated_logit: float
    no_manipulation_logit: float
    basis: str
