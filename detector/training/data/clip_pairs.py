"""Frames of genuine clips and of their manipulated twins, as video carries them: pairs to train frame models on.

Photographs alone teach what photographs look like. Here both twins are frames of one video: same camera, motion, loss
of resolution and H.264 stream; only the manipulation differs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn

from detector.synthesis.clip_fakes import draw_fake_clip
from detector.synthesis.clips import FaceClip, FakeClip, draw_transmission
from detector.synthesis.degrade import Image
from detector.synthesis.sharpness import balance_sharpness
from detector.training.data.readings import Reading

# A short segment is enough for a codec to predict frames from each other, and cheap enough to draw thousands.
_FRAMES, _PAIRS = 12, 8
_FACE_PX: Final = (90.0, 224.0)
_SPREAD = 0.2  # how far the twins' sharpness may lie apart, as the spread of a factor's logarithm
_LEAST_CHANGE = 2.0  # grey levels inside the mask, so that no frame carries a false label
_TRIES = 8


class FramePair(NamedTuple):
    """`real` and `fake` (H, W, 3) uint8, `mask` (H, W) uint8, `landmarks` (468, 2) of the genuine frame."""

    real: Image
    fake: Image
    mask: NDArray[np.uint8]
    landmarks: NDArray[np.float32]


class ClipPairs:
    """Draws from the readings of one split; sources count by the root of their size.

    Raises ValueError without readings of at least two people: swaps need another one."""

    def __init__(self, readings: Sequence[Reading], networks: Sequence[nn.Module] = ()) -> None:
        if len({reading.group for reading in readings}) < 2:
            raise ValueError("expected readings of at least two people")
        self._readings, self._networks = tuple(readings), tuple(networks)
        sources = [reading.source for reading in readings]
        weights = np.array([sources.count(source) ** -0.5 for source in sources])
        self._weights = weights / weights.sum()

    def draw(self, rng: np.random.Generator) -> list[FramePair]:
        """Up to eight pairs of one clip: frames that the manipulation visibly changed. Deterministic by `rng`.

        Raises ValueError where eight clips in a row cannot be changed visibly."""
        for _ in range(_TRIES):
            reading = self._readings[int(rng.choice(len(self._readings), p=self._weights))]
            pairs = self._pairs(reading, rng)
            if pairs:
                return pairs
        raise ValueError("no clip could be manipulated visibly")

    def _pairs(self, reading: Reading, rng: np.random.Generator) -> list[FramePair]:
        face_px = float(rng.uniform(*_FACE_PX))
        real = _segment(reading.clip, face_px, rng)
        others = [one for one in self._readings if one.group != reading.group]
        donor = others[int(rng.integers(len(others)))].clip
        fake = draw_fake_clip(real, lambda: _segment(donor, face_px, rng), self._networks, rng)
        real, fake = _balanced(real, fake, rng)
        changed = np.flatnonzero(_change(real, fake) >= _LEAST_CHANGE)
        if not len(changed):
            return []
        transmission = draw_transmission(real, rng)
        shown, made = transmission(real), transmission.shown(fake)
        # A frame that is shown later than it was made shows the manipulation of the frame it was made as.
        places = np.flatnonzero(np.isin(transmission.index, changed))
        chosen = rng.choice(places, min(_PAIRS, len(places)), replace=False)
        return [
            FramePair(shown.images[i], made.clip.images[i], made.masks[i], shown.landmarks[i]) for i in np.sort(chosen)
        ]


def _segment(clip: FaceClip, face_px: float, rng: np.random.Generator) -> FaceClip:
    """Up to a dozen frames in a row, or every second, third … of them, from a place drawn."""
    count = len(clip.times_s)
    held = min(_FRAMES, count)
    step = int(rng.integers(1, min(4, max(1, (count - 1) // max(1, held - 1))) + 1))
    start = int(rng.integers(0, count - (held - 1) * step))
    return clip.part(start + step * np.arange(held), face_px=face_px)


def _balanced(real: FaceClip, fake: FakeClip, rng: np.random.Generator) -> tuple[FaceClip, FakeClip]:
    """Twins of like sharpness, by the same factor in every frame: a generator's softness must not name the fake."""
    seed = int(rng.integers(2**31))
    twins = [
        balance_sharpness(one, other, np.random.default_rng(seed), spread=_SPREAD)
        for one, other in zip(real.images, fake.clip.images, strict=True)
    ]
    own, made = (np.stack([pair[side] for pair in twins]) for side in (0, 1))
    return replace(real, images=own), replace(fake, clip=replace(fake.clip, images=made))


def _change(real: FaceClip, fake: FakeClip) -> NDArray[np.float64]:
    """Mean absolute difference in grey levels inside each frame's mask, (T,); 0 where there is none."""
    weight = fake.masks.astype(np.float32)
    difference = np.abs(fake.clip.images.astype(np.int16) - real.images).mean(3)
    total = weight.sum((1, 2))
    return np.where(total > 0, (difference * weight).sum((1, 2)) / np.maximum(total, 1.0), 0.0)
