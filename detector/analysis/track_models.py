"""Models that read finished tracks: over time, and with the sound. A thread each, results in the caller's hands."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from detector.analysis.results import (
    HELD_STILL,
    NO_FACE,
    NO_TIME,
    TOO_SHORT,
    audiovisual_result,
    failed_result,
    sequence_result,
    tracks_result,
)
from detector.analysis.temporal import read_track
from detector.analysis.thread_group import ThreadGroup, ThreadGroupStoppedError
from detector.analysis.types import ModelResult
from detector.analysis.workers import NetworkWorker, describe_failure
from detector.evidence.types import Evidence
from detector.faces.types import FaceTrack

if TYPE_CHECKING:
    from detector.registry import LoadedModel


@dataclass(frozen=True, slots=True)
class TrackContext:
    """What late models start from: the file, its finished tracks, and those of them that decide."""

    evidence: Evidence
    tracks: tuple[FaceTrack, ...]
    deciding: tuple[FaceTrack, ...]


class TrackModel(ABC):
    """One model's thread. `work` always leaves a `result`, without a score where the model failed; `fraction` 0..1."""

    stage = ""

    def __init__(self, group: ThreadGroup, model: LoadedModel) -> None:
        self._group, self.model = group, model
        self.fraction = 0.0
        self.busy_s = 0.0
        self.result: ModelResult | None = None

    def work(self, seen: TrackContext) -> None:
        start_s = time.perf_counter()
        try:
            result = self._examine(seen)
        except ThreadGroupStoppedError:
            raise
        except Exception as error:
            if self._group.stopped:
                raise ThreadGroupStoppedError from error
            # Whatever one model stumbles over, the others' results stand; the reason reaches the record.
            result = failed_result(self.model, describe_failure(self.model.card.model_id, error))
        self.busy_s = time.perf_counter() - start_s
        self.fraction = 1.0
        with self._group.changed:
            self.result = result
            self._group.changed.notify_all()

    @abstractmethod
    def _examine(self, seen: TrackContext) -> ModelResult:
        """The model's result; what it raises becomes the reason why it has no score."""

    def _go_on(self) -> None:
        if self._group.stopped:
            raise ThreadGroupStoppedError


class SequenceModel(TrackModel):
    """Reads the features that its trunk's pass has left; started when that pass is complete."""

    stage = "sequences"

    def __init__(self, group: ThreadGroup, model: LoadedModel, trunk: NetworkWorker) -> None:
        super().__init__(group, model)
        self.trunk = trunk

    def _examine(self, seen: TrackContext) -> ModelResult:
        if seen.evidence.kind == "still":
            return failed_result(self.model, NO_TIME)
        if self.trunk.failure is not None:
            return failed_result(self.model, f"Its trunk has nothing for it to read. {self.trunk.failure}")
        readings = self.trunk.readings()
        scores = []
        for number, track in enumerate(seen.tracks):
            score = read_track(self.model, track, readings, each_batch=self._go_on)
            if score is not None:
                scores.append(score)
            self.fraction = (number + 1) / len(seen.tracks)
        return sequence_result(self.model, scores, seen.deciding, TOO_SHORT if seen.tracks else NO_FACE)


class SyncModel(TrackModel):
    """Compares sound and mouth; it reads the file itself, at its own rate, beside everything else."""

    stage = "sync"

    def __init__(self, group: ThreadGroup, model: LoadedModel, examine_sync: Callable[..., Any]) -> None:
        super().__init__(group, model)
        self._examine_sync = examine_sync

    def _examine(self, seen: TrackContext) -> ModelResult:
        if not seen.tracks:
            return failed_result(self.model, NO_FACE)
        findings = self._examine_sync(seen.evidence, seen.tracks, self.model, cancelled=lambda: self._group.stopped)
        self._go_on()
        return audiovisual_result(self.model, findings)


class TextureModel(TrackModel):
    """Compares the detail of a face between moments; it reads stretches of the file itself, at its own rate."""

    stage = "texture"

    def __init__(self, group: ThreadGroup, model: LoadedModel, examine_texture: Callable[..., Any]) -> None:
        super().__init__(group, model)
        self._examine_texture = examine_texture

    def _examine(self, seen: TrackContext) -> ModelResult:
        if seen.evidence.kind == "still":
            return failed_result(self.model, NO_TIME)
        if not seen.tracks:
            return failed_result(self.model, NO_FACE)
        scores = self._examine_texture(seen.evidence, seen.deciding, self.model, cancelled=lambda: self._group.stopped)
        self._go_on()
        return tracks_result(self.model, scores, seen.deciding, HELD_STILL)


def fractions_of(models: Sequence[TrackModel]) -> dict[str, float]:
    """How far each late stage is: the mean over its models."""
    stages: dict[str, list[float]] = {}
    for model in models:
        stages.setdefault(model.stage, []).append(model.fraction)
    return {stage: sum(parts) / len(parts) for stage, parts in stages.items()}
