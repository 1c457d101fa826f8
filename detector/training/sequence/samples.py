"""Windows of cached features: batches of genuine and manipulated twins for sequence models."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from detector.analysis.kinds.sequence.windows import LEAST_FRAMES, windows_of
from detector.errors import SettingsError
from detector.training.data.splits import pad_window
from detector.training.sequence.features import ClipFeatures


class WindowBatch(NamedTuple):
    """`features` (B, T, D), `times_s` (B, T), `present` (B, T) bool, `labels` (B,) whether any frame is manipulated,
    `frame_labels` (B, T), `names` (B) what metrics are told apart by. In training row 2i + 1 is the manipulated twin
    of row 2i."""

    features: Tensor
    times_s: Tensor
    present: Tensor
    labels: Tensor
    frame_labels: Tensor
    names: list[str]


class TwinWindows:
    """Batches for training. Each epoch takes every set of twins `rounds` times: one window of the genuine clip and the
    same window of one manipulated twin. Windows are 16 frames to `frames` long (or the clip) and lie at a random place
    in their padding; one frame in twenty is lost. Equal seed and epoch give equal batches. Raises SettingsError where
    no clip has a twin.
    """

    def __init__(
        self,
        clips: Sequence[ClipFeatures],
        *,
        frames: int,
        batch_size: int,
        rounds: int = 2,
        seed: int = 0,
    ) -> None:
        self._sets = twin_sets(clips)
        if not self._sets:
            raise SettingsError("There is no genuine clip with a manipulated twin to train on.")
        self._taken = np.tile(np.arange(len(self._sets)), rounds)
        self._frames, self._pairs, self._seed = frames, max(1, batch_size // 2), seed
        self._epoch = 0

    def set_epoch(self, number: int) -> None:
        """Choose the epoch, which seeds what is drawn."""
        self._epoch = number

    def __len__(self) -> int:
        return max(1, len(self._taken) // self._pairs)

    def __iter__(self) -> Iterator[WindowBatch]:
        rng = np.random.default_rng((self._seed, self._epoch))
        order = rng.permutation(self._taken)
        for step in range(len(self)):
            rows = []
            for number in order[step * self._pairs : (step + 1) * self._pairs]:
                rows += self._pair(self._sets[number], rng)
            yield collate(rows)

    def _pair(self, twins: list[ClipFeatures], rng: np.random.Generator) -> list[dict[str, Any]]:
        real = next(clip for clip in twins if not clip.label)
        fakes = [clip for clip in twins if clip.label]
        fake = fakes[int(rng.integers(len(fakes)))]
        count = len(real.times_s)
        length = min(count, int(rng.integers(min(16, self._frames), self._frames + 1)))
        chosen = int(rng.integers(0, count - length + 1)) + np.arange(length)
        chosen = chosen[rng.random(length) > 0.05] if length > 2 * LEAST_FRAMES else chosen
        place = pad_window(len(chosen), self._frames, rng)
        return [_row(clip, chosen, place, self._frames) for clip in (real, fake)]


def twin_sets(clips: Sequence[ClipFeatures]) -> list[list[ClipFeatures]]:
    """Sets of one genuine clip and its manipulated twins, in the order of the clips."""
    sets: dict[str, list[ClipFeatures]] = defaultdict(list)
    for clip in clips:
        if len(clip.times_s) >= LEAST_FRAMES:
            sets[clip.twins].append(clip)
    return [one for one in sets.values() if {clip.label for clip in one} == {0, 1}]


def evaluation_batches(clips: Sequence[ClipFeatures], *, frames: int, batch_size: int) -> list[WindowBatch]:
    """Every window of every clip as analysis takes them: half overlapping, padding around short clips."""
    rows = []
    for clip in clips:
        if len(clip.times_s) < LEAST_FRAMES:
            continue
        windows = windows_of(clip.times_s.tolist(), frames)
        for held, present in zip(windows.rows, windows.present, strict=True):
            rows.append(_row(clip, held[present], int(np.argmax(present)), frames))
    return [collate(rows[start : start + batch_size]) for start in range(0, len(rows), batch_size)]


def _row(clip: ClipFeatures, chosen: NDArray[np.int64], place: int, frames: int) -> dict[str, Any]:
    held = slice(place, place + len(chosen))
    features = np.zeros((frames, clip.features.shape[1]), np.float32)
    times, present, labels = np.zeros(frames, np.float32), np.zeros(frames, bool), np.zeros(frames, np.float32)
    features[held], labels[held], present[held] = clip.features[chosen], clip.manipulated[chosen], True
    times[held] = clip.times_s[chosen] - clip.times_s[chosen[0]]
    return {
        "features": features,
        "times_s": times,
        "present": present,
        "labels": np.float32(labels.any()),
        "frame_labels": labels,
        "names": clip.group_name,
    }


def collate(rows: Sequence[dict[str, Any]]) -> WindowBatch:
    """One batch of windows."""
    arrays = {
        name: torch.from_numpy(np.stack([row[name] for row in rows]))
        for name in ("features", "times_s", "present", "labels", "frame_labels")
    }
    return WindowBatch(**arrays, names=[str(row["names"]) for row in rows])


class ClipScore(NamedTuple):
    """One clip: `logit`, and `frame_logits` (T,)."""

    logit: float
    frame_logits: NDArray[np.float64]


@torch.inference_mode()
def score_clip(network: nn.Module, clip: ClipFeatures, frames: int) -> ClipScore:
    """As analysis does: the mean over half-overlapping windows; frames averaged where windows overlap. `clip` is one
    that went through `with_pair_logits`."""
    windows = windows_of(clip.times_s.tolist(), frames)
    features = clip.features[windows.rows] * windows.present[..., None]
    tensors = (torch.from_numpy(array) for array in (features, windows.times_s, windows.present))
    output = network.forward_all(*tensors)  # type: ignore[operator]
    sums = np.zeros((2, len(clip.times_s)))
    held = windows.rows[windows.present]
    np.add.at(sums[0], held, output.frame_logit.numpy()[windows.present])
    np.add.at(sums[1], held, 1.0)
    return ClipScore(float(output.logit.mean()), sums[0] / sums[1])
