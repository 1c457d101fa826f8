"""Batches of patches: half of them genuine, both labels spoiled alike; and clips as they are judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from detector.analysis.kinds.residual import PLACE_WEIGHTS
from detector.faces.types import Place
from detector.training.data.manifest import FAMILIES
from detector.training.residual.bank import Region
from detector.training.residual.clips import FACE_ONLY, Clip, fixed_patches
from detector.training.residual.config import ResidualConfig
from detector.training.residual.spoil import filled, spoiled, to_rgb

_WIDER = 1.4  # a patch is cut from a square so many times its side, which is then spoiled
_CLIPS_AT_ONCE: Final = 4
GENUINE: Final = "genuine"
Item = TypeVar("Item")


class Batch(NamedTuple):
    """`images` (P, 3, S, S) uint8 RGB patches; `owner` (P,) the sample that each belongs to, `weight` (P,) its share of
    that sample's logit, summing to 1; `labels` (B,) float32, `families` (B,) indices into `FAMILIES` or -1, `groups`
    their names. In training a sample is a patch, in validation a clip."""

    images: Tensor
    owner: Tensor
    weight: Tensor
    labels: Tensor
    families: Tensor
    groups: list[str]


def family_index(family: str) -> int:
    """The place of a family among `FAMILIES`, -1 for none."""
    return FAMILIES.index(family) if family in FAMILIES else -1


class _Patch(NamedTuple):
    rgb: NDArray[np.uint8]
    label: int
    family: str


class PatchBatches:
    """`steps_per_epoch` batches an epoch; what a batch holds depends on seed and step alone. `weights` (N,) of the
    clips, those of a label summing to 1."""

    def __init__(self, clips: Sequence[Clip], weights: NDArray[np.float64], config: ResidualConfig, seed: int) -> None:
        self._config, self._seed, self._epoch = config, seed, 0
        self._clips = [[clip for clip in clips if clip.label == label and _drawable(clip)] for label in (0, 1)]
        self._odds = [_odds(clips, weights, chosen) for chosen in self._clips]
        # Deepfakes whose background is the camera's: it is genuine at the same resolution and compression.
        self._inner = [c for c in self._clips[1] if c.back == "real" and c.of_kind("back")]
        count = Counter(clip.source for clip in self._clips[1])
        inner = np.array([count[clip.source] ** (config.source_power - 1) for clip in self._inner])
        self._inner_odds = inner / inner.sum() if len(inner) else inner

    @property
    def family_weights(self) -> list[float]:
        """Of `FAMILIES`, by which each counts alike however often it is drawn; 0 for one that never is."""
        drawn = dict.fromkeys(FAMILIES, 0.0)
        for clip, odds in zip(self._clips[1], self._odds[1], strict=True):
            if clip.family in drawn:
                drawn[clip.family] += float(odds)
        there = sum(share > 0 for share in drawn.values())
        return [1 / (there * share) if share else 0.0 for share in drawn.values()]

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
        patches: list[_Patch] = []
        while len(patches) < self._config.fit.batch_size // 2 * 2:
            if self._inner and rng.random() < self._config.inner_share:
                patches += self._inner_pair(rng)
            else:
                patches += [self._genuine(rng), self._of(1, rng)]
        count = len(patches)
        return Batch(
            torch.from_numpy(np.stack([patch.rgb for patch in patches])).permute(0, 3, 1, 2),
            torch.arange(count),
            torch.ones(count),
            torch.tensor([float(patch.label) for patch in patches]),
            torch.tensor([family_index(patch.family) if patch.label else -1 for patch in patches]),
            [patch.family if patch.label else GENUINE for patch in patches],
        )

    def _genuine(self, rng: np.random.Generator) -> _Patch:
        if self._inner and rng.random() < self._config.genuine_backs:
            clip = _one(self._inner, rng)
            return self._patch(clip, _one(clip.of_kind("back"), rng), 0, rng)
        return self._of(0, rng)

    def _of(self, label: int, rng: np.random.Generator) -> _Patch:
        clip = self._clips[label][int(rng.choice(len(self._clips[label]), p=self._odds[label]))]
        faces, backs = clip.of_kind("face"), _own_backs(clip)
        beside = bool(backs) and (not faces or rng.random() < self._config.back_share)
        return self._patch(clip, _one(backs if beside else faces, rng), label, rng)

    def _inner_pair(self, rng: np.random.Generator) -> list[_Patch]:
        """Background and face of one clip, spoiled alike."""
        clip = self._inner[int(rng.choice(len(self._inner), p=self._inner_odds))]
        seed = int(rng.integers(2**31))
        return [
            self._patch(clip, _one(clip.of_kind("back"), rng), 0, rng, seed),
            self._patch(clip, _one(clip.of_kind("face"), rng), 1, rng, seed),
        ]

    def _patch(
        self, clip: Clip, region: Region, label: int, rng: np.random.Generator, seed: int | None = None
    ) -> _Patch:
        """A patch about a place of the region, cut from a somewhat larger part of its frames and spoiled."""
        side = self._config.patch_px
        wide = int(side * _WIDER) // 2 * 2
        frames = [filled(planes, side) for planes in clip.frames(region)]
        height, width = frames[0].y.shape
        x, y = _aim(region, clip, width, height, rng)
        x0 = int(np.clip(x - wide / 2, 0, max(0, width - wide))) // 2 * 2
        y0 = int(np.clip(y - wide / 2, 0, max(0, height - wide))) // 2 * 2
        cuts = [planes.cut(x0, y0, wide, wide) for planes in frames]
        done = spoiled(cuts, side, self._config.spoil, rng if seed is None else np.random.default_rng(seed))
        return _Patch(to_rgb(done[int(rng.integers(len(done)))]), label, clip.family)


def _odds(clips: Sequence[Clip], weights: NDArray[np.float64], chosen: Sequence[Clip]) -> NDArray[np.float64]:
    by_id = dict(zip((clip.id for clip in clips), weights, strict=True))
    odds = np.array([by_id[clip.id] for clip in chosen])
    return odds / odds.sum()


def _own_backs(clip: Clip) -> list[Region]:
    """Its background, where that is of the clip's own label."""
    return clip.of_kind("back") if clip.back == ("real", "fake")[clip.label] else []


def _drawable(clip: Clip) -> bool:
    return bool(clip.of_kind("face") or _own_backs(clip))


def _one(found: Sequence[Item], rng: np.random.Generator) -> Item:
    return found[int(rng.integers(len(found)))]


def _aim(region: Region, clip: Clip, width: int, height: int, rng: np.random.Generator) -> tuple[float, float]:
    """A place of the region: anywhere in a background; else mostly on the face, always for fakes that end there, on the
    mouth's half for lip-sync."""
    local = clip.label == 1 and clip.family in FACE_ONLY
    if region.kind == "back" or region.face is None or (not local and rng.random() < 0.3):
        return rng.uniform(0, width), rng.uniform(0, height)
    x0, y0, x1, y1 = region.face
    low, high = (0.6, 0.9) if local and clip.family == "lipsync" else (0.15, 0.9)
    return x0 + rng.uniform(0.2, 0.8) * (x1 - x0), y0 + rng.uniform(low, high) * (y1 - y0)


class ClipBatches:
    """Whole clips, each judged by patches at fixed places of `moments` moments as an analysis does: what is validated
    on. `order` lists the clips in the order of their samples."""

    def __init__(self, clips: Sequence[Clip], side_px: int, moments: int) -> None:
        self.order, self._side_px, self._moments = tuple(clips), side_px, moments

    def __iter__(self) -> Iterator[Batch]:
        for start in range(0, len(self.order), _CLIPS_AT_ONCE):
            clips = self.order[start : start + _CLIPS_AT_ONCE]
            found = [fixed_patches(clip, self._side_px, self._moments) for clip in clips]
            yield Batch(
                torch.from_numpy(np.concatenate([patches for patches, _ in found])).permute(0, 3, 1, 2),
                torch.from_numpy(np.repeat(np.arange(len(clips)), [len(places) for _, places in found])),
                torch.from_numpy(np.concatenate([place_shares(places) for _, places in found])),
                torch.tensor([float(clip.label) for clip in clips]),
                torch.tensor([family_index(clip.family) if clip.label else -1 for clip in clips]),
                [clip.family if clip.label else GENUINE for clip in clips],
            )


def place_shares(places: Sequence[Place]) -> NDArray[np.float32]:
    """Each patch's share of its clip's logit: the weighted mean over the places of the means at each place."""
    count = Counter(places)
    total = sum(PLACE_WEIGHTS[place] for place in count)
    return np.array([PLACE_WEIGHTS[place] / count[place] / total for place in places], np.float32)
