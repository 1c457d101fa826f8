"""Face landmarks beside the JSON record: too many numbers for it, and only some readers need them."""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.analysis.types import Analysis
from detector.errors import StoreError

ARRAYS = ("track_ids", "pts", "landmarks")


@dataclass(frozen=True, eq=False)
class LandmarkTable:
    """The meshes of an analysis, one row a face that has one, by track then time.

    `track_ids` (M,) int32, `pts` (M,) int64, `landmarks` (M, 468, 3) float32 in pixels of the displayed frame.
    Raises ValueError where the lengths differ.
    """

    track_ids: NDArray[np.int32]
    pts: NDArray[np.int64]
    landmarks: NDArray[np.float32]
    _rows: dict[tuple[int, int], int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not len(self.track_ids) == len(self.pts) == len(self.landmarks):
            lengths = [len(self.track_ids), len(self.pts), len(self.landmarks)]
            raise ValueError(f"track_ids, pts and landmarks differ in length: {lengths}.")
        rows = {key: row for row, key in enumerate(zip(self.track_ids.tolist(), self.pts.tolist(), strict=True))}
        object.__setattr__(self, "_rows", rows)

    def find(self, track_id: int, pts: int) -> NDArray[np.float32] | None:
        """(468, 3) of that face, or None where it had no mesh."""
        row = self._rows.get((track_id, pts))
        return None if row is None else self.landmarks[row]


def landmark_table(analysis: Analysis) -> LandmarkTable:
    """The mesh points of every face of an analysis that has any."""
    rows = [
        (track.track_id, tracked.pts, tracked.face.landmarks)
        for track in analysis.tracks
        for tracked in track.faces
        if tracked.face.landmarks is not None
    ]
    meshes = [mesh for *_, mesh in rows]
    return LandmarkTable(
        np.array([track_id for track_id, *_ in rows], dtype=np.int32),
        np.array([pts for _, pts, _ in rows], dtype=np.int64),
        np.stack(meshes).astype(np.float32) if meshes else np.empty((0, 468, 3), dtype=np.float32),
    )


def save_landmarks(analysis: Analysis, path: Path) -> None:
    """Write the analysis's meshes to `path` (npz), whole or not at all; equal analyses give equal bytes."""
    table = landmark_table(analysis)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex}.unfinished")
    try:
        with unfinished.open("xb") as file:
            np.savez_compressed(file, **{name: getattr(table, name) for name in ARRAYS})
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def load_landmarks(path: Path) -> LandmarkTable:
    """Read what `save_landmarks` wrote. Raises StoreError where the file is missing or is something else."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return LandmarkTable(*(arrays[name] for name in ARRAYS))
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise StoreError(f"The landmarks at {path.name} cannot be read: {error}.") from error
