"""Training samples made ahead of time: shards of pseudo-fake pairs and of labelled crops on disk.

A pool is a folder of numbered shards. A writer keeps adding shards and dropping the oldest, so training sees new
manipulations all the time while both cores do what they are best at. A shard is visible only once complete.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import nn

from detector.faces import CropSpec, crop_box, crop_face
from detector.faces.types import Box
from detector.synthesis.blend import draw_fake
from detector.synthesis.degrade import Image, draw_degradation, draw_filter
from detector.synthesis.resynthesis import draw_whole_face
from detector.synthesis.sharpness import balance_sharpness, high_frequency_energy
from detector.synthesis.types import FaceImage
from detector.training.data.clip_pairs import ClipPairs, FramePair
from detector.training.data.facebank import BANK_PX, WIDE_CROP, FaceBank

STORED_SLACK_PX = 16
MASK_STRIDE = 4
_SHARPNESS_BINS = 12
_FILTERED_SHARE = 0.3
_MOST_OF_PICTURE = 1.1
# How far the twins' sharpness may lie apart, as the spread of a factor's logarithm.
_BLEND_SPREAD, _WHOLE_SPREAD = 0.15, 0.3
Twins = tuple[Image, Image, NDArray[np.uint8]]  # genuine and manipulated crop, mask


@dataclass(frozen=True, slots=True)
class Shard:
    """`images` (N, S, S, 3) uint8, `labels` (N,) uint8, `masks` (N, S/4, S/4) uint8, `has_mask` (N,) bool: false
    where a picture is known to be manipulated but not where. S is the input's side and 16 px to place it in. The first
    `pair_rows` rows are pseudo-fakes, each genuine picture followed by its manipulated twin; labelled crops follow."""

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    has_mask: NDArray[np.bool_]
    pair_rows: int


def labelled_rows(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Pictures of sources that hold genuine and manipulated ones: elsewhere the label would only name the source."""
    stills = table["kind"] == "image"
    mixed = table[stills].groupby("source")["label"].transform("nunique") == 2
    return (stills & mixed.reindex(table.index, fill_value=False)).to_numpy()


class SampleMaker:
    """Draws samples from the faces of one split of a bank. Shard `number` is a pure function of what is given here.

    `margin` and `input_px` are the model's crop; what is stored is larger, so that training can place its window.
    `resynthesis_share` of the pseudo-fakes are painted anew as a whole (`draw_whole_face`, with the networks
    `resynthesisers`, or by animation alone where there are none), the others are blends, swaps and mouths.
    `clip_share` of the pairs are frames of `clips` and their twins, the others photographs.
    """

    def __init__(
        self,
        bank: FaceBank,
        split: str,
        margin: float,
        input_px: int,
        *,
        seed: int = 0,
        resynthesisers: Sequence[nn.Module] = (),
        resynthesis_share: float = 0.5,
        clips: ClipPairs | None = None,
        clip_share: float = 0.0,
    ) -> None:
        table = bank.table
        chosen = (table["split"] == split).to_numpy()
        real = (table["label"] == "real").to_numpy()
        labelled = labelled_rows(table)
        self._bank, self._seed = bank, seed
        self._stored_px = input_px + STORED_SLACK_PX
        self._mask_px = self._stored_px // MASK_STRIDE
        self._margin = ((1 + 2 * margin) * self._stored_px / input_px - 1) / 2
        self._resynthesisers = tuple(resynthesisers)
        self._resynthesis_share = resynthesis_share
        self._clips, self._clip_share = clips, clip_share if clips is not None else 0.0
        usable = np.flatnonzero(chosen & real & bank.has_mesh & _shows(bank, margin))
        # Sources of very different size count alike up to a point, so that none becomes "the genuine look".
        counts = table["source"].iloc[usable].map(table["source"].iloc[usable].value_counts()).to_numpy(float)
        self._real, self._real_p = usable, counts**-0.5 / (counts**-0.5).sum()
        self._labelled = [np.flatnonzero(chosen & labelled & (real == flag)) for flag in (True, False)]
        self._labelled_p = self._match_sharpness()

    def _match_sharpness(self) -> list[NDArray[np.float64] | None]:
        """Draw weights of the labelled crops, [genuine, manipulated]: genuine ones so that their sharpness is spread as
        that of the manipulated ones, which are softer on the whole. Softness alone must not give the label away."""
        if not all(len(rows) for rows in self._labelled):
            return [None, None]
        sharpness = [
            np.log(1 + np.array([high_frequency_energy(np.asarray(self._bank.images[i])) for i in rows]))
            for rows in self._labelled
        ]
        both = np.concatenate(sharpness)
        edges = np.linspace(both.min(), both.max(), _SHARPNESS_BINS + 1)[1:-1]
        real, manipulated = (np.digitize(values, edges) for values in sharpness)
        have, want = (np.bincount(bins, minlength=_SHARPNESS_BINS) for bins in (real, manipulated))
        weights = (want / np.maximum(have, 1))[real]
        return [weights / weights.sum(), None] if weights.sum() > 0 else [None, None]

    def shard(self, number: int, *, pairs: int, labelled: int, coarse: bool = False) -> Shard:
        """Make the shard of that number; equal seeds and numbers give equal shards."""
        rng = np.random.default_rng((self._seed, number))
        total = 2 * pairs + labelled
        images = np.empty((total, self._stored_px, self._stored_px, 3), np.uint8)
        masks = np.zeros((total, self._mask_px, self._mask_px), np.uint8)
        labels = np.zeros(total, np.uint8)
        has_mask = np.ones(total, bool)
        from_clips = self._clip_pairs(rng, round(self._clip_share * pairs))
        for i in range(pairs):
            pair = next(from_clips, None) or self._pair(rng, coarse)
            images[2 * i], images[2 * i + 1], masks[2 * i + 1] = pair
            labels[2 * i + 1] = 1
        for i in range(2 * pairs, total):
            fake = int(rng.random() < 0.5)
            images[i] = self._labelled_crop(int(rng.choice(self._labelled[fake], p=self._labelled_p[fake])), rng)
            labels[i], has_mask[i] = fake, not fake
        return Shard(images, labels, masks, has_mask, 2 * pairs)

    def _clip_pairs(self, rng: np.random.Generator, count: int) -> Iterator[Twins]:
        """`count` pairs of frames of video, several of each clip drawn."""
        drawn: list[FramePair] = []
        for _ in range(count):
            if not drawn:
                assert self._clips is not None
                drawn = self._clips.draw(rng)
            pair = drawn.pop()
            box, angle = self._draw_crop(pair.landmarks, rng)
            yield self._cut_pair(pair.real, pair.fake, pair.mask, box, angle, bool(rng.random() < 0.5))

    def _cut_pair(
        self, real: Image, manipulated: Image, mask: NDArray[np.uint8], box: Box, angle: float, flip: bool
    ) -> Twins:
        cut_mask = self._cut(mask[..., None].repeat(3, 2), box, angle, flip)[..., 0]
        return (
            self._cut(real, box, angle, flip),
            self._cut(manipulated, box, angle, flip),
            cv2.resize(cut_mask, (self._mask_px,) * 2, interpolation=cv2.INTER_AREA).astype(np.uint8),
        )

    def _pair(self, rng: np.random.Generator, coarse: bool) -> Twins:
        face = self._bank.face(int(rng.choice(self._real, p=self._real_p)))
        box, angle = self._draw_crop(face.landmarks, rng)
        face, box = self._visible(face, box, angle)
        if rng.random() < self._resynthesis_share:
            face, fake = draw_whole_face(face, self._resynthesisers, rng)
            spread = _WHOLE_SPREAD
        else:
            fake = draw_fake(face, lambda: self._bank.face(int(rng.choice(self._real))), rng, coarse=coarse)
            spread = _BLEND_SPREAD
        twins = (face.image, fake.image)
        if rng.random() < _FILTERED_SHARE:  # innocent filters, each twin its own: they are no sign of manipulation
            twins = (draw_filter(rng)(twins[0]), draw_filter(rng)(twins[1]))
        degrade = draw_degradation(rng, 0.5 if coarse else 0.7)
        flip = rng.random() < 0.5
        twins = balance_sharpness(twins[0], twins[1], rng, spread=spread)
        real, manipulated = (degrade(image) for image in twins)
        return self._cut_pair(real, manipulated, (fake.mask * 255).astype(np.uint8), box, angle, flip)

    def _visible(self, face: FaceImage, box: Box, angle: float) -> tuple[FaceImage, Box]:
        """The part of the picture that the crop will show, and the box inside it: the rest would cost time for nothing,
        and the grid of the compression that follows lies anywhere."""
        x0, y0, x1, y1 = crop_box(box, CropSpec(self._stored_px, self._margin))
        spare = 8 + (0.2 * (x1 - x0) if angle else 0.0)
        height, width = face.image.shape[:2]
        left, top = (int(max(0, low - spare)) for low in (x0, y0))
        right, bottom = int(min(width, x1 + spare)), int(min(height, y1 + spare))
        view = np.ascontiguousarray(face.image[top:bottom, left:right])
        moved = (box[0] - left, box[1] - top, box[2] - left, box[3] - top)
        return FaceImage(view, face.landmarks - np.array((left, top), np.float32)), moved

    def _labelled_crop(self, index: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        image = np.asarray(self._bank.images[index])
        box, angle = self._draw_crop(self._bank.landmarks[index], rng)
        # These pictures went through video compression already, so they get less than photographs get.
        return self._cut(draw_degradation(rng, 0.2)(image), box, angle, bool(rng.random() < 0.5))

    def _draw_crop(self, landmarks: NDArray[np.float32], rng: np.random.Generator) -> tuple[Box, float]:
        """The crop, jittered as detections jitter: the face's box moved and scaled a little, turned a little."""
        if np.isnan(landmarks[0, 0]):
            inner = BANK_PX / (1 + 2 * WIDE_CROP.margin)
            low, high = np.full(2, (BANK_PX - inner) / 2), np.full(2, (BANK_PX + inner) / 2)
        else:
            low, high = landmarks.min(0), landmarks.max(0)
        side = float((high - low).max())
        centre = (low + high) / 2 + rng.uniform(-0.05, 0.05, 2) * side
        half = (high - low) / 2 * rng.uniform(0.94, 1.1)
        low, high = centre - half, centre + half
        # Turning costs sharpness that analysis does not cost, so most crops are left as they are.
        angle = float(rng.normal(0, 6)) if rng.random() < 0.3 else 0.0
        return (float(low[0]), float(low[1]), float(high[0]), float(high[1])), angle

    def _cut(self, image: NDArray[np.uint8], box: Box, angle: float, flip: bool) -> NDArray[np.uint8]:
        height, width = image.shape[:2]
        if angle:
            centre = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
            turn = cv2.getRotationMatrix2D(centre, angle, 1.0)
            turned = cv2.warpAffine(
                image, turn, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
            )
            image = turned.astype(np.uint8)
        crop = crop_face(image, box, None, CropSpec(self._stored_px, self._margin))
        return np.ascontiguousarray(crop[:, ::-1]) if flip else crop


def _shows(bank: FaceBank, margin: float) -> NDArray[np.bool_]:
    """Whether the stored picture shows what a crop of that margin asks for: of faces cut tighter only a border would
    be seen in its place."""
    side = np.ptp(np.nan_to_num(bank.landmarks), axis=1).max(1)
    return side * (1 + 2 * margin) <= _MOST_OF_PICTURE * BANK_PX


def write_shard(folder: Path, number: int, shard: Shard) -> Path:
    """Write a shard, whole or not at all, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path, partial = folder / f"shard_{number:06d}.npz", folder / f".shard_{number:06d}.partial.npz"
    np.savez(
        partial,
        images=shard.images,
        labels=shard.labels,
        masks=shard.masks,
        has_mask=shard.has_mask,
        pair_rows=shard.pair_rows,
    )
    os.replace(partial, path)
    return path


def shard_paths(folder: Path) -> list[Path]:
    """The shards of a folder in their order."""
    return sorted(folder.glob("shard_*.npz"))


def read_shard(path: Path) -> Shard:
    """Read a shard that `write_shard` wrote."""
    with np.load(path) as data:
        return Shard(data["images"], data["labels"], data["masks"], data["has_mask"], int(data["pair_rows"]))


def keep_filling(
    maker: SampleMaker,
    folder: Path,
    *,
    pairs: int,
    labelled: int,
    coarse_shards: int,
    keep: int,
    pause_s: float = 0.0,
    writer: int = 0,
    writers: int = 1,
) -> None:
    """Add shards for ever, dropping the oldest beyond `keep`; the first `coarse_shards` hold coarse fakes. Run it in a
    process of its own and end that process to stop. Of several, each makes every `writers`-th shard, from `writer` on.
    """
    while True:
        present = [int(path.stem.split("_")[1]) for path in shard_paths(folder)]
        own = [number for number in present if number % writers == writer]
        number = max(own) + writers if own else writer
        # One that fell behind goes on where the others are: what it would add is dropped as old otherwise.
        while present and number + writers <= max(present) - keep:
            number += writers
        write_shard(folder, number, maker.shard(number, pairs=pairs, labelled=labelled, coarse=number < coarse_shards))
        for old in shard_paths(folder)[:-keep]:
            old.unlink(missing_ok=True)
        time.sleep(pause_s)
