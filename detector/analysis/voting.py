"""From the models' results to those that a conclusion rests on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from detector.analysis.kinds import kind_of
from detector.analysis.types import ModelResult


def voting(results: Sequence[ModelResult]) -> list[ModelResult]:
    """The models that the conclusion rests on: those that fuse others where one has a score, else all that have one. A
    one-sided model is among them only where it is alone, or where it speaks for manipulation and raises the others'
    mean."""
    scored = [result for result in results if result.logit is not None]
    if fusing := [result for result in scored if kind_of(result).fuses]:
        return fusing
    voters = [result for result in scored if not kind_of(result).one_sided]
    for result in scored:
        if kind_of(result).one_sided and (not voters or _logit(result) > max(0.0, mean_logit(voters))):
            voters.append(result)
    return voters


def mean_logit(voters: Sequence[ModelResult]) -> float:
    """The mean logit of models that all have a score. Raises ValueError for one that has none."""
    return float(np.mean([_logit(result) for result in voters]))


def _logit(result: ModelResult) -> float:
    if result.logit is None:
        raise ValueError(f"{result.model_id} has no score.")
    return result.logit
