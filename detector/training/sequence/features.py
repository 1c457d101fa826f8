"""The features that a trunk reads in every cached crop, stored once: sequence models train on them in minutes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detector.analysis.kinds.sequence.windows import with_temporal_differences
from detector.analysis.workers import FaceReading
from detector.errors import SettingsError
from detector.faces.temporal import thumbnail
from detector.registry import FrameModel
from detector.training.data.clip_crops import CropShard, read_shard, shard_files
from detector.training.engine.progress import tracked

_LAYOUT = 3  # raise when what is stored of a crop changes


@dataclass(frozen=True, slots=True)
class ClipFeatures:
    """One clip through one trunk: `features` (T, D) float32 as a sequence model reads them, `logits` (T,) the frame
    model's own, `times_s` (T,), `manipulated` (T,) bool. `twins` names the genuine clip and its manipulated twins,
    `facts` is its row (label, kind, intervals_s, crf, file, group, source, split, name); `pairs` (T, 64, 64, 11) uint8
    its pairs of frames (`detector.training.sequence.frame_pairs`), where they were asked for, read from disk as they
    are used."""

    features: NDArray[np.float32]
    logits: NDArray[np.float32]
    times_s: NDArray[np.float32]
    manipulated: NDArray[np.bool_]
    facts: dict[str, Any]
    pairs: NDArray[np.uint8] | None = None

    @property
    def label(self) -> int:
        """The clip's label, 1 fake."""
        return int(self.facts["label"])

    @property
    def twins(self) -> str:
        """The name that twins share."""
        return str(self.facts["name"]).rpartition(".")[0]

    @property
    def group_name(self) -> str:
        """The name by which metrics are told apart: "genuine", "spliced", or what was painted."""
        kind = str(self.facts["kind"])
        return "spliced" if kind.endswith("+spliced") else kind.partition("+")[0]


def extract_features(crops: Path, folder: Path, trunk: FrameModel, *, batch_size: int = 32) -> Path:
    """Pass every shard of `crops` through `trunk`; returns the folder of these weights' features under `folder`.

    One file a shard, written whole, so that an interrupted pass goes on; one shard in memory at a time. Raises
    SettingsError where the crops are of another size than the trunk reads, or there are none.
    """
    out = folder / f"{trunk.card.weights_sha256[:16]}-{_LAYOUT}"
    out.mkdir(parents=True, exist_ok=True)
    paths = shard_files(crops)
    if not paths:
        raise SettingsError(f"{crops} holds no crops.")
    unread = [path for path in paths if not (out / path.name).is_file()]
    for path in tracked(unread, f"features of {crops.name}"):
        shard = read_shard(path)
        if shard.crops.shape[1] != trunk.card.crop.size_px:
            raise SettingsError(
                f"{path.name} holds crops of {shard.crops.shape[1]} px, {trunk.card.model_id} reads "
                f"{trunk.card.crop.size_px} px: make the crops anew."
            )
        parts = [
            trunk.features(shard.crops[start : start + batch_size]) for start in range(0, len(shard.crops), batch_size)
        ]
        partial = out / f".{path.stem}.partial.npz"
        np.savez(
            partial,
            features=_with_changes(shard, np.concatenate([part.features for part in parts]), trunk.card.crop.margin),
            logits=np.concatenate([part.logits for part in parts]),
            times_s=shard.times_s,
            clip=shard.clip,
            manipulated=shard.manipulated,
            clips=np.array(json.dumps(shard.clips)),
            trunk_weights_sha256=np.array(trunk.card.weights_sha256),
        )
        os.replace(partial, out / path.name)
    return out


def _with_changes(shard: CropShard, features: NDArray[np.float32], margin: float) -> NDArray[np.float32]:
    """As analysis makes them of a track, clip by clip."""
    before = [picture if there else None for picture, there in zip(shard.before, shard.has_before, strict=True)]
    readings = [FaceReading(*one) for one in zip(features, map(thumbnail, shard.crops), before, strict=True)]
    starts = np.flatnonzero(np.diff(shard.clip, prepend=-1))
    return np.concatenate(
        [with_temporal_differences(readings[start:stop], margin) for start, stop in pairwise([*starts, len(readings)])]
    )


def read_features(folder: Path, pairs: Path | None = None) -> Iterator[ClipFeatures]:
    """Every clip in a folder of `extract_features`, in a fixed order, with what `pairs` holds of it, a folder of
    `detector.training.sequence.frame_pairs.extract_pairs`. Raises SettingsError where it holds none."""
    paths = sorted(folder.glob("[!.]*.npz"))
    if not paths:
        raise SettingsError(f"{folder} holds no features.")
    for path in paths:
        with np.load(path) as data:
            rows = json.loads(str(data["clips"]))
            arrays = [data[name] for name in ("features", "logits", "times_s", "manipulated")]
            starts = np.searchsorted(data["clip"], np.arange(len(rows) + 1))
        stored = np.load(pairs / f"{path.stem}.npy", mmap_mode="r") if pairs else None
        for row, start, stop in zip(rows, starts, starts[1:], strict=False):
            features, logits, times, manipulated = (array[start:stop] for array in arrays)
            own = None if stored is None else stored[start:stop]
            yield ClipFeatures(features, logits, times.astype(np.float32), manipulated, row, own)
