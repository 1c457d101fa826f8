"""The real work of a worker: examine the file, load the models, analyse."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from detector.analysis.types import Analysis
from detector.jobs.protocol import ProgressLike, Task

if TYPE_CHECKING:
    from detector.registry import LoadedModel


@dataclass(frozen=True, slots=True)
class _Preparing:
    """Progress before the analysis itself reports any."""

    message: str
    stage: str = "prepare"
    fraction: float = 0.0
    remaining_s: float | None = None


class WarmRunner:
    """Keeps each model loaded between jobs, for as long as its card names the same weights."""

    def __init__(self) -> None:
        self._models: dict[str, LoadedModel] = {}

    def __call__(self, task: Task, report: Callable[[ProgressLike], None], cancelled: Callable[[], bool]) -> Analysis:
        """Examine the file, load the models that are not loaded, and analyse."""
        report(_Preparing("Starting the engine."))
        # Seconds of imports that the service and its pages must not pay.
        import torch

        from detector.analysis import analyze
        from detector.evidence import examine

        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
        report(_Preparing("Examining the file."))
        evidence = examine(task.file)
        report(_Preparing("Loading the models."))
        models = self._models_for(task.model_ids)
        return analyze(evidence, models, task.settings, on_progress=report, cancelled=cancelled)

    def _models_for(self, model_ids: Sequence[str]) -> tuple[LoadedModel, ...]:
        from detector.registry import load_set

        models = load_set(model_ids, device="auto", loaded=self._models.values())
        self._models |= {model.card.model_id: model for model in models}
        return models
