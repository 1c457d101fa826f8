"""Genuine clips and their manipulated twins as files in one folder, with the manifest that says which is which."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detector.evidence.audio import Sound
from detector.synthesis.catalogue import Twins
from detector.synthesis.degrade import jpeg
from detector.synthesis.sources import Source
from detector.synthesis.video import write_clip

_COLUMNS = (
    "file", "label", "kind", "manipulation", "use", "group", "source", "parameters", "seed", "source_sha256", "sha256",
    "start_s", "end_s", "intervals_s", "genuine", "mask", "mask_sha256",
)  # fmt: skip


def write_manifest(folder: Path, rows: Sequence[dict[str, object]]) -> None:
    """Write `manifest.csv` of a folder, whole or not at all."""
    partial = folder / ".manifest.partial"
    with partial.open("w", newline="", encoding="utf-8") as out:
        table = csv.DictWriter(out, fieldnames=_COLUMNS)
        table.writeheader()
        table.writerows(rows)
    os.replace(partial, folder / "manifest.csv")


class TwinWriter:
    """Writes clips of one source and collects their manifest rows.

    Genuine and manipulated twins go through the same compression; a genuine clip that several twins share is written
    once.
    """

    def __init__(self, out: Path, source: Source, *, seed: int, crf: int, jpeg_quality: int | None) -> None:
        self._out, self._source, self._seed, self._crf, self._jpeg = out, source, seed, crf, jpeg_quality
        self.rows: list[dict[str, object]] = []

    def write(self, kind: str, twins: Twins) -> None:
        """Write both twins, and the mask where there is one, and add their rows: `start_s` to `end_s` holds all that is
        manipulated, `intervals_s` each segment of time, as JSON."""
        name = f"{self._source.name}_{kind.replace('+', '_')}"
        shared = twins.real is self._source.clip
        real = f"{self._source.name}_genuine.mp4" if shared else f"{name}_genuine.mp4"
        if not any(row["file"] == real for row in self.rows):
            sha256 = self._clip(real, twins.real.images, twins.real_sound)
            self.rows.append(self._row(real, "real", "", sha256))
        row = self._row(f"{name}.mp4", "fake", kind, self._clip(f"{name}.mp4", twins.fake.images, twins.fake_sound))
        intervals = ((0.0, twins.real.duration_s),) if twins.intervals_s is None else twins.intervals_s
        row |= {"parameters": json.dumps(twins.parameters), "intervals_s": json.dumps(intervals), "genuine": real}
        row |= {"start_s": intervals[0][0], "end_s": intervals[-1][1]}
        if twins.masks is not None:
            path = self._out / f"{name}_mask.mp4"
            write_clip(path, twins.masks, self._source.fps, crf=12)
            row |= {"mask": path.name, "mask_sha256": _sha256(path)}
        self.rows.append(row)

    def _clip(self, name: str, images: NDArray[np.uint8], sound: Sound | None) -> str:
        pictures = (image if self._jpeg is None else jpeg(image, self._jpeg) for image in images)
        write_clip(self._out / name, pictures, self._source.fps, crf=self._crf, sound=sound)
        return _sha256(self._out / name)

    def _row(self, file: str, label: str, manipulation: str, sha256: str) -> dict[str, object]:
        return dict.fromkeys(_COLUMNS, "") | {
            "file": file,
            "label": label,
            "kind": "video",
            "manipulation": manipulation,
            "use": "validation",
            "group": self._source.name,
            "source": self._source.name,
            "seed": self._seed,
            "source_sha256": self._source.sha256,
            "sha256": sha256,
        }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
