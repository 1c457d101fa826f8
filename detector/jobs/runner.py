"""The real work of a worker: examine the file, load the models, analyse."""

from __future__ import annotations

import os
from collections.abc import Callable
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
        report(_Preparing("Starting the engine."))
        # Seconds of imports that the service and its pages must not pay.
        import torch

        from detector.analysis import analyze
        from detector.evidence import examine

        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
        report(_Preparing("Examining the file."))
        evidence = examine(task.file)
        report(_Preparing("Loading the models."))
        models = [self._model(model_id) for model_id in task.model_ids]
        return analyze(evidence, models, task.settings, on_progress=report, cancelled=cancelled)

    def _model(self, model_id: str) -> LoadedModel:
        from detector.registry import available_models, load_model

        known = self._models.get(model_id)
        wanted = {card.model_id: card.weights_sha256 for card in available_models()}.get(model_id)
        if known is None or known.card.weights_sha256 != wanted:
            self._models[model_id] = load_model(model_id, device="auto")
        return self._models[model_id]
