"""Batches of patches: half of them genuine, both labels spoiled alike; and clips as they are judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from detector.training.residual.clips import Clip, fixed_patches
from detector.training.residual.config import ResidualConfig
from detector.training.residual.spoil import filled, spoiled, to_rgb

# Where the middle of a patch may lie, across and down the face's box: about the places that an analysis looks at.
_ACROSS, _DOWN = (0.2, 0.8), (0.35, 0.6)
_WIDER = 1.4  # a patch is cut from a square so many times its side, which is then spoiled
_CLIPS_AT_ONCE: Final = 4
GENUINE: Final = "genuine"


class Batch(NamedTuple):
    """`images` (P, 3, S, S) uint8 RGB patches; `owner` (P,) the sample that each belongs to, `weight` (P,) its share of
    that sample's logit, summing to 1; `labels` (B,) float32, `groups` their families' names. In training a sample is a
    patch, in validation a clip."""

    images: Tensor
    owner: Tensor
    weight: Tensor
    labels: Tensor
    groups: list[str]


class _Patch(NamedTuple):
    rgb: NDArray[np.uint8]
    label: int
    family: str


class PatchBatches:
    """`steps_per_epoch` batches an epoch; what a batch holds depends on seed and step alone. `weights` (N,) of the
    clips, those of a label summing to 1."""

    def __init__(self, clips: Sequence[Clip], weights: NDArray[np.float64], config: ResidualConfig, seed: int) -> None:
        self._config, self._seed, self._epoch = config, seed, 0
        self._clips = [[clip for clip in clips if clip.label == label] for label in (0, 1)]
        self._odds = [_odds(clips, weights, chosen) for chosen in self._clips]

    def __len__(self) -> int:
        return self._config.steps_per_epoch

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, which seeds what is drawn."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[Batch]:
        for step in range(len(self)):
            yield self.batch(self._epoch * len(self) + step)

    def batch(self, step: int) -> Batch:
        """The batch of a step."""
        rng = np.random.default_rng((self._seed, step))
        count = self._config.fit.batch_size // 2 * 2
        patches = [self._patch(number % 2, rng) for number in range(count)]
        return Batch(
            torch.from_numpy(np.stack([patch.rgb for patch in patches])).permute(0, 3, 1, 2),
            torch.arange(count),
            torch.ones(count),
            torch.tensor([float(patch.label) for patch in patches]),
            [patch.family if patch.label else GENUINE for patch in patches],
        )

    def _patch(self, label: int, rng: np.random.Generator) -> _Patch:
        """A patch of the skin of a clip's face, cut from a somewhat larger part of its frames and spoiled."""
        clip = self._clips[label][int(rng.choice(len(self._clips[label]), p=self._odds[label]))]
        region = clip.regions[int(rng.integers(len(clip.regions)))]
        side = self._config.patch_px
        wide = int(side * _WIDER) // 2 * 2
        frames = [filled(planes, side) for planes in clip.frames(region)]
        height, width = frames[0].y.shape
        left, top, right, bottom = region.face
        x = left + rng.uniform(*_ACROSS) * (right - left)
        y = top + rng.uniform(*_DOWN) * (bottom - top)
        x0 = int(np.clip(x - wide / 2, 0, max(0, width - wide))) // 2 * 2
        y0 = int(np.clip(y - wide / 2, 0, max(0, height - wide))) // 2 * 2
        cuts = [planes.cut(x0, y0, wide, wide) for planes in frames]
        done = spoiled(cuts, side, self._config.spoil, rng)
        return _Patch(to_rgb(done[int(rng.integers(len(done)))]), label, clip.family)


def _odds(clips: Sequence[Clip], weights: NDArray[np.float64], chosen: Sequence[Clip]) -> NDArray[np.float64]:
    by_id = dict(zip((clip.id for clip in clips), weights, strict=True))
    odds = np.array([by_id[clip.id] for clip in chosen])
    return odds / odds.sum()


class ClipBatches:
    """Whole clips, each judged by patches at fixed places of `moments` moments as an analysis does: what is validated
    on. `order` lists the clips in the order of their samples."""

    def __init__(self, clips: Sequence[Clip], side_px: int, moments: int) -> None:
        self.order, self._side_px, self._moments = tuple(clips), side_px, moments

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, len(self.order), _CLIPS_AT_ONCE):
            clips = self.order[start : start + _CLIPS_AT_ONCE]
            found = [fixed_patches(clip, self._side_px, self._moments) for clip in clips]
            count = np.array([len(patches) for patches in found])
            yield Batch(
                torch.from_numpy(np.concatenate(found)).permute(0, 3, 1, 2),
                torch.from_numpy(np.repeat(np.arange(len(clips)), count)),
                torch.from_numpy(np.repeat(1 / count, count).astype(np.float32)),
                torch.tensor([float(clip.label) for clip in clips]),
                [clip.family if clip.label else GENUINE for clip in clips],
            )
