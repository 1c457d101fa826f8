"""Attention of a sequence model, frame by frame, layer by layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from detector.analysis.kinds.sequence.windows import read_of, windows_of
from detector.analysis.types import FrameScore, TrackScore
from detector.analysis.workers import FaceReading
from detector.errors import ModelError
from detector.faces.temporal import thumbnail

if TYPE_CHECKING:
    from detector.registry import SequenceModel


@dataclass(frozen=True, eq=False)
class TrackAttentionMaps:
    """One window of a track. `pts` (t,) and `pts_s` (t,) of its frames; `layers` (L, H, t, t) float32: how much each
    frame (row, summing to 1) took from each other (column), L = 0 for a recurrent model; `pooling` (t,) summing to 1:
    how much each frame weighed in the window's score."""

    pts: tuple[int, ...]
    pts_s: tuple[float, ...]
    layers: NDArray[np.float32]
    pooling: NDArray[np.float32]
    model_id: str

    @property
    def rollout(self) -> NDArray[np.float32]:
        """Weight of each frame when attention is followed through all layers, (t,) summing to 1.

        Attention rollout, Abnar & Zuidema, ACL 2020: heads averaged, half of each layer passes straight on."""
        through = np.eye(len(self.pts), dtype=np.float32)
        for layer in self.layers:
            through = (0.5 * layer.mean(axis=0) + 0.5 * np.eye(len(self.pts), dtype=np.float32)) @ through
        weights = self.pooling @ through
        return np.asarray(weights / weights.sum(), dtype=np.float32)


def window_rows(score: TrackScore, length: int, pts: int | None) -> list[int]:
    """The frames (positions in `score.frames`) of the window in which `pts` lies most in the middle; without `pts`, of
    the one that held the most pooling weight. The windows are those of the analysis."""
    windows = windows_of([frame.pts_s for frame in score.frames], length)
    held = [rows[present] for rows, present in zip(windows.rows, windows.present, strict=True)]
    if pts is None:
        weights = np.asarray(score.attention.pooling if score.attention else np.ones(len(score.frames)))
        return max(held, key=lambda rows: float(weights[rows].sum())).tolist()
    at = [frame.pts for frame in score.frames].index(pts)
    holding = [rows for rows in held if at in rows]
    return min(holding, key=lambda rows: abs(float(rows.mean()) - at)).tolist()


def window_features(
    model: SequenceModel,
    score: TrackScore,
    rows: Sequence[int],
    crop_at: Callable[[int], NDArray[np.uint8]],
    just_before: Callable[[int], NDArray[np.uint8] | None],
    batch_size: int,
) -> NDArray[np.float32]:
    """The model's input (t, D) over one window; `crop_at(pts)` gives the trunk's crop of the track's face,
    `just_before(pts)` that of the same place in the frame just before, None where there is none. Raises ModelError for
    a model without a trunk."""
    if model.trunk is None:
        raise ModelError(f"{model.card.model_id} is no sequence model: it has no attention over time.")
    frames = [score.frames[row] for row in rows]
    crops = np.stack([crop_at(frame.pts) for frame in frames])
    parts = [model.trunk.features(crops[at : at + batch_size]).features for at in range(0, len(crops), batch_size)]
    before = thumbnail(crop_at(score.frames[rows[0] - 1].pts)) if rows[0] else None
    earlier = [just_before(frame.pts) for frame in frames]
    readings = [
        FaceReading(features, thumbnail(crop), None if cut is None else thumbnail(cut))
        for features, crop, cut in zip(np.concatenate(parts), crops, earlier, strict=True)
    ]
    return read_of(model, readings, before=before)


def attention_of(
    model: SequenceModel, frames: Sequence[FrameScore], features: NDArray[np.float32]
) -> TrackAttentionMaps:
    """The maps of one window of `frames` with the model's input (t, D) of them."""
    times_s = np.array([[frame.pts_s - frames[0].pts_s for frame in frames]], np.float32)
    layers, pooling = model.attention(features[None], times_s, np.ones_like(times_s, dtype=bool))
    shape = (0, 1, len(frames), len(frames))
    return TrackAttentionMaps(
        tuple(frame.pts for frame in frames),
        tuple(frame.pts_s for frame in frames),
        np.stack([layer[0] for layer in layers]) if layers else np.zeros(shape, np.float32),
        pooling[0],
        model.card.model_id,
    )
