"""One thread a distinct network that reads face crops: each crop goes through it once, however many results rest on
what it says."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.analysis.aggregate import FaceKey
from detector.analysis.crops import Batch, Cutter
from detector.analysis.kinds.kind import Kind
from detector.analysis.thread_group import Channel, ThreadGroup
from detector.faces.temporal import Picture, thumbnail
from detector.faces.types import CropSpec
from detector.settings import AnalysisSettings

if TYPE_CHECKING:
    from detector.registry import LoadedModel

BATCHES_AHEAD = 2
_DROPOUT = "/dropout"  # after the name of a logit: the array of its passes


class FaceReading(NamedTuple):
    """One face in one frame: `features` (D,) float32 of a trunk, `thumbnail` (64, 64, 3) uint8 of its crop, and that of
    the same place in the frame just before, None where there is none."""

    features: NDArray[np.float32]
    thumbnail: Picture
    just_before: Picture | None


class NetworkWorker:
    """One network's output on every crop of its cutter, in the order of the cutter's keys.

    A network that raises, or answers in another shape, is left at that: `failure` says why in one sentence, what it
    said before is dropped, and the other networks go on.
    """

    def __init__(
        self,
        group: ThreadGroup,
        model: LoadedModel,
        kind: Kind,
        cutter: Cutter,
        *,
        keep_features: bool,
        settings: AnalysisSettings,
    ) -> None:
        self.model, self.cutter = model, cutter
        self.channel: Channel[Batch] = Channel(group, BATCHES_AHEAD)
        cutter.channels.append(self.channel)
        cutter.over_time |= keep_features
        self.done = 0
        self.busy_s = 0.0
        self.failure: str | None = None
        self._kind, self._keep_features = kind, keep_features
        self._mirrors = settings.test_time_augmentation and kind.why_one_view(model) is None
        spreads = settings.dropout_passes > 0 and kind.why_no_spread(model) is None
        self._passes = settings.dropout_passes if spreads else 0
        self._said: dict[str, list[NDArray[Any]]] = {}
        self._thumbnails: list[tuple[Picture, Picture | None]] = []

    def work(self) -> None:
        """Run the network on each batch of crops; a thread's function."""
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

    def rows(self, name: str) -> dict[FaceKey, NDArray[Any]]:
        """Each face's row of a named array (`Kind.read_crops`); empty after a failure."""
        parts = self._said.get(name, [])
        if self.failure is not None or not parts:
            return {}
        return dict(zip(self.cutter.keys, np.concatenate(parts), strict=True))

    def logits(self, name: str) -> dict[FaceKey, float]:
        """Each face's value of a named array of logits, in double precision; empty after a failure."""
        return {key: float(value) for key, value in self.rows(name).items()}

    def dropout_rows(self) -> list[dict[FaceKey, NDArray[np.float32]]]:
        """Of each of its logits every face's row (P,), a pass with dropout each; empty after a failure."""
        return [self.rows(name) for name in self._said if name.endswith(_DROPOUT)] if self.failure is None else []

    def face_readings(self) -> dict[FaceKey, FaceReading]:
        """The input of models over time, by face; empty after a failure or where no features were kept."""
        features = self.rows("features")
        pairs = zip(features.items(), self._thumbnails, strict=True) if features else ()
        return {key: FaceReading(values, *two) for (key, values), two in pairs}

    def _run(self, batch: Batch) -> None:
        count = len(batch.crops)
        said = self._kind.read_crops(self.model, batch.crops, keep_features=self._keep_features or self._passes > 0)
        for name, values in said.items():
            if values.shape[:1] != (count,) or (_is_logit(name) and values.ndim != 1):
                raise ValueError(f"{name} of shape {values.shape} for {count} crops")
        if self._passes or self._mirrors:
            said = self._repeated(batch.crops, said)
        for name, values in said.items():
            self._said.setdefault(name, []).append(values)
        if self._keep_features:
            self._thumbnails.extend(zip(map(thumbnail, batch.crops), batch.just_before, strict=True))

    def _repeated(self, crops: NDArray[np.uint8], said: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """What was said, with the logits of the passes with dropout, and averaged with those of the mirrored crops."""
        found = dict(said)
        if self._passes:
            for name, logits in self._kind.dropout_logits(self.model, crops, said, self._passes).items():
                found[name + _DROPOUT] = logits
            if not self._keep_features:
                found = {name: values for name, values in found.items() if name.split("/")[-1] != "features"}
        if self._mirrors:
            mirrored = np.ascontiguousarray(crops[:, :, ::-1])
            other = self._kind.read_crops(self.model, mirrored, keep_features=False)
            found |= {name: (values + other[name]) / 2 for name, values in said.items() if _is_logit(name)}
        return found


def _is_logit(name: str) -> bool:
    return name == "logits" or name.endswith("/logits")


def describe_failure(model_id: str, error: BaseException) -> str:
    """A failure in one sentence, for the record."""
    return f"{model_id} failed on this file ({type(error).__name__}: {error}), so it has no score."


def workers_of(
    group: ThreadGroup,
    models: Sequence[LoadedModel],
    cutters: Mapping[CropSpec, Cutter],
    kinds: Mapping[str, Kind],
    settings: AnalysisSettings,
) -> dict[tuple[str, str], NetworkWorker]:
    """A worker for each distinct network that reads crops, by id and weights."""
    kept = {
        identity(reader)
        for model in models
        if kinds[model.kind].keeps_features and (reader := kinds[model.kind].crop_reader(model)) is not None
    }
    scored, plain = {identity(model) for model in models}, AnalysisSettings()  # a mere trunk's own score is nobody's
    return {
        identity(reader): NetworkWorker(
            group,
            reader,
            kinds[reader.kind],
            cutters[reader.card.crop],
            keep_features=identity(reader) in kept,
            settings=settings if identity(reader) in scored else plain,
        )
        for reader in crop_readers(models, kinds)
    }


def crop_readers(models: Sequence[LoadedModel], kinds: Mapping[str, Kind]) -> list[LoadedModel]:
    """Each distinct network that reads crops, once, in the order of the models."""
    found: dict[tuple[str, str], LoadedModel] = {}
    for model in models:
        reader = kinds[model.kind].crop_reader(model)
        if reader is not None:
            found.setdefault(identity(reader), reader)
    return list(found.values())


def identity(model: LoadedModel) -> tuple[str, str]:
    """Id and weights, which name a network."""
    return model.card.model_id, model.card.weights_sha256
