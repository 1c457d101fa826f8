"""Samples mixed from two: mixup (Zhang et al., ICLR 2018) and CutMix (Yun et al., ICCV 2019), in space or along time.

A draw says which sample each one is mixed with and how much of itself it keeps; the same draw then mixes pictures,
masks and labels alike. Draws come from torch's global generator, which a run seeds by epoch.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Beta


@dataclass(frozen=True, slots=True)
class Mixup:
    """`partner` (B,) index of the sample mixed in, `own_share` how much of each one is left, 0.5..1."""

    partner: Tensor
    own_share: float

    def blend(self, values: Tensor) -> Tensor:
        """(B, ...) -> the same shape: pictures, features, masks or labels."""
        return self.own_share * values + (1 - self.own_share) * values[self.partner]


@dataclass(frozen=True, slots=True)
class Cutmix:
    """`partner` (B,) as above; the box `top, left, height, width` in shares of a picture's sides comes from it."""

    partner: Tensor
    box: tuple[float, float, float, float]

    def blend(self, pictures: Tensor) -> Tensor:
        """(B, ..., H, W) -> the same, the box pasted; masks of any resolution that divides the box go along."""
        height, width = pictures.shape[-2:]
        top, left, tall, wide = self.box
        rows = slice(round(top * height), round((top + tall) * height))
        columns = slice(round(left * width), round((left + wide) * width))
        mixed = pictures.clone()
        mixed[..., rows, columns] = pictures[self.partner][..., rows, columns]
        return mixed

    def blend_labels(self, labels: Tensor) -> Tensor:
        """(B,) -> (B,) in proportion to the areas."""
        own = 1 - self.box[2] * self.box[3]
        return own * labels + (1 - own) * labels[self.partner]


@dataclass(frozen=True, slots=True)
class TimeCutmix:
    """`partner` (B,) as above; frames `start` to `stop` (excluded) come from it."""

    partner: Tensor
    start: int
    stop: int

    def blend(self, frames: Tensor) -> Tensor:
        """(B, T, ...) features, times relative to the clip, presence or labels of frames -> the same, spliced."""
        mixed = frames.clone()
        mixed[:, self.start : self.stop] = frames[self.partner][:, self.start : self.stop]
        return mixed

    def blend_labels(self, labels: Tensor, present: Tensor) -> Tensor:
        """(B,) labels of clips, (B, T) bool -> (B,) in proportion to the frames that are there after splicing."""
        length = present.shape[1]
        inside = torch.zeros(length, dtype=torch.bool, device=present.device)
        inside[self.start : self.stop] = True
        pasted = (present[self.partner] & inside).sum(1).float()
        share = pasted / ((present & ~inside).sum(1) + pasted).clamp(min=1)
        return (1 - share) * labels + share * labels[self.partner]


def draw_mixup(size: int, alpha: float) -> Mixup:
    """Pairs for a batch of `size`; `alpha` > 0 of the Beta distribution, larger mixes more evenly."""
    share = float(Beta(alpha, alpha).sample())
    return Mixup(torch.randperm(size), max(share, 1 - share))


def draw_cutmix(size: int, alpha: float, *, cells: int) -> Cutmix:
    """Pairs and a box on a grid of `cells` x `cells`, so that masks of that many places mix exactly as pictures do."""
    side = float(1 - Beta(alpha, alpha).sample()) ** 0.5  # the box's area is one minus what is kept
    length = max(1, min(cells - 1, round(side * cells)))
    top, left = (int(torch.randint(0, cells - length + 1, ())) for _ in range(2))
    return Cutmix(torch.randperm(size), (top / cells, left / cells, length / cells, length / cells))


def draw_time_cutmix(size: int, frames: int, alpha: float) -> TimeCutmix:
    """Pairs and an interval of a clip of `frames` frames."""
    length = max(1, min(frames - 1, round(float(1 - Beta(alpha, alpha).sample()) * frames)))
    start = int(torch.randint(0, frames - length + 1, ()))
    return TimeCutmix(torch.randperm(size), start, start + length)
