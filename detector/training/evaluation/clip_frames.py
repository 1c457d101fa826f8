"""Clips as their frames' logits: read from kept predictions, without running a model again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from detector.analysis.frame_series import FrameSeries
from detector.analysis.identity import model_digest
from detector.registry import EnsembleModel, LoadedModel
from detector.training.evaluation.prediction_store import (
    ClipKey,
    FileLogits,
    PredictionStore,
    TrackFrames,
)
from detector.training.evaluation.predictions import asked_of, own_cue


@dataclass(frozen=True, slots=True)
class ClipFrames:
    """One model on one clip: its `logit` of the clip, and `tracks`, its logits of the usable faces of each track that
    may decide. `label` real or fake; `group` the person or source clip that it is of; `manipulation` how it was made.
    """

    label: str
    group: str
    logit: float
    tracks: tuple[FrameSeries, ...]
    manipulation: str = ""

    @property
    def highest_run(self) -> float:
        """The highest run of any track, -inf where no track is long enough for one."""
        return max((run for track in self.tracks if (run := track.highest_run) is not None), default=-np.inf)

    @property
    def highest_peak(self) -> float:
        """The highest peak of any track, -inf where there is no usable face."""
        return max((peak for track in self.tracks if (peak := track.highest_peak) is not None), default=-np.inf)


def clip_frames(
    model: LoadedModel,
    models: Sequence[LoadedModel],
    files: pd.DataFrame,
    data_root: Path,
    store: Path,
    *,
    decided_by: LoadedModel | None = None,
) -> list[ClipFrames]:
    """The clips among `files` (columns `file`, `kind`, `label`, `group`, `manipulation`, as in `predictions.gather`) of
    which `store` holds what the model said; of an ensemble, what its members among `models` said, fused frame by frame
    as the pipeline does. `decided_by`: the model whose logit of the clip counts, where it is another.

    Clips without a logit are left out: they are not called anything, and there is nothing to be mended."""
    kept = PredictionStore(store)
    reader = LogitReader(kept, model, models)
    deciding = reader if decided_by is None else LogitReader(kept, decided_by, models)
    found = []
    for _, row in files[files["kind"] != "image"].iterrows():
        key = asked_of(row, data_root).key
        own, decisive = reader.series(key), deciding.series(key)
        if own is not None and decisive is not None:
            found.append(ClipFrames(row["label"], row["group"], decisive[0], own[1], row["manipulation"]))
    return found


class LogitReader:
    """What a store holds of one model; of an ensemble, what it holds of its members among `models`, fused."""

    def __init__(self, kept: PredictionStore, model: LoadedModel, models: Sequence[LoadedModel]) -> None:
        self._kept, self._model = kept, model
        self._made_by = {one.card.model_id: model_digest(one) for one in (*models, model)}

    def series(self, key: ClipKey) -> tuple[float, tuple[FrameSeries, ...]] | None:
        """The model's logit of a clip and its frames; None where it has no logit."""
        facts, said = self._kept.facts(key), self.logits(key)
        if facts is None or said is None or said.logit is None:
            return None
        return said.logit, tuple(
            _series(track, said.frames[number]) for number, track in facts.tracks.items() if number in said.frames
        )

    def logits(self, key: ClipKey) -> FileLogits | None:
        """The model's logits of a clip, its tracks and their faces, fused as the pipeline does it
        (`detector.analysis.kinds.ensemble`); None where it has none of the clip."""
        facts = self._kept.facts(key)
        if facts is None or facts.problem is not None:
            return None
        if not isinstance(self._model, EnsembleModel):
            own = self._said(key, {"model_id": self._model.card.model_id})
            return None if own.logit is None else own
        said = [self._said(key, member) for member in self._model.card.inputs["members"]]
        tracks, frames = {}, {}
        for number, track in facts.tracks.items():
            (logit,) = _fused(self._model, [[one.tracks.get(number) for one in said]])
            if logit is not None:
                tracks[number] = logit
            rows = [one.frames.get(number) or (None,) * len(track.pts_s) for one in said]
            frames[number] = tuple(_fused(self._model, list(zip(*rows, strict=True))))
        return FileLogits(logit=max(tracks.values()), tracks=tracks, frames=frames) if tracks else None

    def times_s(self, key: ClipKey) -> dict[int, tuple[float, ...]]:
        """The seconds of each deciding track's faces, beside the frames of `logits`."""
        facts = self._kept.facts(key)
        return {} if facts is None else {number: track.pts_s for number, track in facts.tracks.items()}

    def _said(self, key: ClipKey, member: Mapping[str, Any]) -> FileLogits:
        """The logits of a model or of its cue; none where it was not asked or has none."""
        name, cue = str(member["model_id"]), own_cue(member)
        said = self._kept.prediction(key, name, self._made_by[name]) if name in self._made_by else None
        if said is None:
            return FileLogits()
        return said.whole if cue is None else said.cues.get(cue, FileLogits())


def _fused(model: EnsembleModel, rows: Sequence[Sequence[float | None]]) -> list[float | None]:
    """One logit a row of the members' logits, None where there is none."""
    table = np.array(rows, float)  # None becomes NaN
    fused = model.fuse(table, np.isfinite(table))[0]
    return [float(logit) if np.isfinite(logit) else None for logit in fused]


def _series(track: TrackFrames, logits: Sequence[float | None]) -> FrameSeries:
    """The faces that have a logit."""
    rows = [
        (pts_s, logit, weight)
        for pts_s, logit, weight in zip(track.pts_s, logits, track.weight, strict=True)
        if logit is not None
    ]
    return FrameSeries.of(*([row[place] for row in rows] for place in range(3)))
