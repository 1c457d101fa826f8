"""One model's part in an analysis: its run, how far it is, how long it took, and its result or the reason for none."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from detector.analysis.kinds import Kind, Stage, TrackContext
from detector.analysis.thread_group import ThreadGroup, ThreadGroupStoppedError
from detector.analysis.types import ModelResult, Repeats, TrackSpread
from detector.analysis.workers import NetworkWorker, describe_failure
from detector.settings import AnalysisSettings

if TYPE_CHECKING:
    from detector.registry import LoadedModel


class ModelRun:
    """`work` always leaves a `result`, without a score where the model failed; `fraction` 0..1. `worker` is that of the
    model's crop reader, None for a kind without one."""

    def __init__(
        self,
        group: ThreadGroup,
        model: LoadedModel,
        kind: Kind,
        worker: NetworkWorker | None,
        settings: AnalysisSettings,
    ) -> None:
        self._group, self.model, self.kind, self.worker, self._settings = group, model, kind, worker, settings
        self.fraction = 0.0
        self.busy_s = 0.0
        self.result: ModelResult | None = None

    def work(self, context: TrackContext) -> None:
        """Run the model, or keep the reason why it has no result; a thread's function."""
        start_s = time.perf_counter()
        own = replace(
            context,
            worker=self.worker,
            check=self._check,
            stopped=lambda: self._group.stopped,
            report=self._report,
        )
        try:
            result = self.kind.run(self.model, own)
            result = replace(result, repeats=self._repeats(result, own))
        except ThreadGroupStoppedError:
            raise
        except Exception as error:
            if self._group.stopped:
                raise ThreadGroupStoppedError from error
            # Whatever one model stumbles over, the others' results stand; the reason reaches the record.
            result = self.kind.failed(self.model, describe_failure(self.model.card.model_id, error))
        self.busy_s = time.perf_counter() - start_s
        self.fraction = 1.0
        with self._group.changed:
            self.result = result
            self._group.changed.notify_all()

    def _repeats(self, result: ModelResult, context: TrackContext) -> Repeats | None:
        """What was repeated of the scoring, and what came of it; None where the settings ask for nothing."""
        passes, views = self._settings.dropout_passes, 1 + self._settings.test_time_augmentation
        if not passes and views == 1:
            return None
        one_view = self.kind.why_one_view(self.model) if views > 1 else None
        no_spread = (self.kind.why_no_spread(self.model) or result.reason) if passes else None
        spreads: tuple[TrackSpread, ...] = ()
        if passes and no_spread is None:
            logits = self.kind.track_passes(self.model, context, passes)
            spreads = tuple(TrackSpread(track_id, float(np.std(said))) for track_id, said in logits.items())
        return Repeats(1 if one_view else views, passes, spreads, one_view, no_spread)

    def _check(self) -> None:
        if self._group.stopped:
            raise ThreadGroupStoppedError

    def _report(self, fraction: float) -> None:
        self.fraction = fraction


def stage_fractions(staged: Iterable[tuple[Stage, ModelRun]]) -> dict[Stage, float]:
    """Progress of each stage, 0..1: the mean over its models."""
    stages: dict[Stage, list[float]] = {}
    for stage, run in staged:
        stages.setdefault(stage, []).append(run.fraction)
    return {stage: sum(parts) / len(parts) for stage, parts in stages.items()}
