"""One thread a distinct network: each crop goes through it once, however many results rest on what it says."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.analysis.aggregate import FaceKey
from detector.analysis.crops import Batch, Cutter
from detector.analysis.thread_group import Channel, ThreadGroup
from detector.faces.temporal import Picture, thumbnail
from detector.faces.types import CropSpec

if TYPE_CHECKING:
    from detector.registry import LoadedModel

BATCHES_AHEAD = 2


class FaceReading(NamedTuple):
    """One face in one frame: `features` (D,) float32 of a trunk, `thumbnail` (64, 64, 3) uint8 of its crop, and that of
    the same place in the frame just before, None where there is none."""

    features: NDArray[np.float32]
    thumbnail: Picture
    just_before: Picture | None


class NetworkWorker:
    """What one network says of every crop of its cutter, in the order of the cutter's keys.

    A network that raises, or answers in another shape, is left at that: `failure` says why in one sentence, what it
    said before is dropped, and the other networks go on.
    """

    def __init__(self, group: ThreadGroup, model: LoadedModel, cutter: Cutter, *, keep_features: bool) -> None:
        self.model, self.cutter = model, cutter
        self.channel: Channel[Batch] = Channel(group, BATCHES_AHEAD)
        cutter.channels.append(self.channel)
        cutter.over_time |= keep_features
        self.done = 0
        self.busy_s = 0.0
        self.failure: str | None = None
        self._keep_features = keep_features
        self._logits: list[NDArray[np.float64]] = []
        self._features: list[NDArray[np.float32]] = []
        self._thumbnails: list[tuple[Picture, Picture | None]] = []
        self._cues: dict[str, list[tuple[NDArray[np.float64], NDArray[np.float32]]]] = {}

    def work(self) -> None:
        for batch in self.channel.items():
            start_s = time.perf_counter()
            if self.failure is None:
                try:
                    self._run(batch)
                except Exception as error:
                    # Whatever a network stumbles over, its neighbours' results stand; the reason reaches the record.
                    self.failure = describe_failure(self.model.card.model_id, error)
            self.busy_s += time.perf_counter() - start_s
            self.done += len(batch.crops)

    def logits(self) -> dict[FaceKey, float]:
        """The logit of each face, of a frame model; empty after a failure."""
        return self._by_face(self._logits)

    def readings(self) -> dict[FaceKey, FaceReading]:
        """What a model over time reads of each face; empty after a failure."""
        if self.failure is not None or not self._features:
            return {}
        pairs = zip(np.concatenate(self._features), self._thumbnails, strict=True)
        return dict(zip(self.cutter.keys, (FaceReading(features, *two) for features, two in pairs), strict=True))

    def cue(self, name: str) -> tuple[dict[FaceKey, float], dict[FaceKey, NDArray[np.float32]]]:
        """One cue of a specialists model: the logit and the channels' readings (C,) of each face."""
        parts = self._cues.get(name, [])
        if self.failure is not None or not parts:
            return {}, {}
        readings = np.concatenate([values for _, values in parts])
        return self._by_face([logits for logits, _ in parts]), dict(zip(self.cutter.keys, readings, strict=True))

    def _by_face(self, parts: Sequence[NDArray[np.float64]]) -> dict[FaceKey, float]:
        if self.failure is not None or not parts:
            return {}
        return dict(zip(self.cutter.keys, np.concatenate(parts).tolist(), strict=True))

    def _run(self, batch: Batch) -> None:
        crops = batch.crops
        if self.model.kind == "specialists":
            for cue, scores in self.model.specialists(crops).items():
                self._check(scores.logits, len(crops))
                self._cues.setdefault(cue, []).append((scores.logits.astype(np.float64), scores.readings))
            return
        if self._keep_features:
            logits, features = self.model.features(crops)
            self._features.append(features)
            self._thumbnails.extend(zip(map(thumbnail, crops), batch.just_before, strict=True))
        else:
            logits = self.model.score(crops)
        self._check(logits, len(crops))
        self._logits.append(np.asarray(logits, dtype=np.float64))

    def _check(self, logits: NDArray[np.float32], count: int) -> None:
        if logits.shape != (count,):
            raise ValueError(f"logits of shape {logits.shape} for {count} crops")


def describe_failure(model_id: str, error: BaseException) -> str:
    return f"{model_id} failed on this file ({type(error).__name__}: {error}), so it has no score."


def workers_of(
    group: ThreadGroup, models: Sequence[LoadedModel], cutters: Mapping[CropSpec, Cutter]
) -> dict[tuple[str, str], NetworkWorker]:
    """A pass for each distinct network that reads crops: those of frame and specialists models, and trunks, by id and
    weights."""
    trunks = {identity(model.trunk) for model in models if model.kind == "sequence" and model.trunk is not None}
    found: dict[tuple[str, str], NetworkWorker] = {}
    for model in readers_of_crops(models):
        found[identity(model)] = NetworkWorker(
            group, model, cutters[model.card.crop], keep_features=identity(model) in trunks
        )
    return found


def readers_of_crops(models: Sequence[LoadedModel]) -> list[LoadedModel]:
    """Each distinct network that reads crops, once, in the order of the models."""
    found: dict[tuple[str, str], LoadedModel] = {}
    for model in models:
        reader = model.trunk if model.kind == "sequence" else model
        if reader is not None and reader.kind in ("frame", "specialists"):
            found.setdefault(identity(reader), reader)
    return list(found.values())


def identity(model: LoadedModel) -> tuple[str, str]:
    return model.card.model_id, model.card.weights_sha256
