"""Samples of single cues for specialists, drawn from genuine wide face crops while training runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from detector.synthesis.cue_edits import EDITS, SynthesisCue
from detector.synthesis.cues import CueQuad, draw_cue
from detector.synthesis.types import FaceImage
from detector.training.data.facebank import BANK_PX, FaceBank

CUES: Final[tuple[SynthesisCue, ...]] = ("BG", "CM", "RR", "LL")
MODULES: Final = tuple(module for cue in CUES for module, _ in EDITS[cue].values())
KINDS: Final = tuple(kind for cue in CUES for kind in EDITS[cue])
MAP_STRIDE: Final = 8
# A face that fills more of its stored crop than this was cut tight: its surroundings are missing.
_WIDE_FACE_PX: Final = (40.0, 165.0)
# Sides to which a stored crop is brought before it is edited: faces of about 90 to 135 px in their own pictures.
_NATIVE_PX: Final = (176, BANK_PX)
_TRIES: Final = 12


class CueBatch(NamedTuple):
    """`images` (B, 3, S, S) float32 normalised; `labels` (B,) float32; `masks` (B, S/8, S/8) float32; `cues` (B,) int64
    into `CUES`; `kinds` (B,) int64 into `KINDS`; `strengths` (B,) and `rows` (B,), the face's row in the bank."""

    images: Tensor
    labels: Tensor
    masks: Tensor
    cues: Tensor
    kinds: Tensor
    strengths: Tensor
    rows: Tensor


def wide_rows(bank: FaceBank, split: str, label: str = "real") -> NDArray[np.int64]:
    """Faces of a split with a mesh and some of the picture around them."""
    side = np.ptp(np.nan_to_num(bank.landmarks), axis=1).max(1)
    wide = bank.has_mesh & (side > _WIDE_FACE_PX[0]) & (side < _WIDE_FACE_PX[1])
    return np.flatnonzero(wide & ((bank.table["split"] == split) & (bank.table["label"] == label)).to_numpy())


class CueSource:
    """Draws quads from the genuine faces of one split; sources count by the root of their size."""

    def __init__(self, bank: FaceBank, split: str, input_px: int) -> None:
        self._bank, self._input_px = bank, input_px
        self._rows = wide_rows(bank, split)
        if not len(self._rows):
            raise ValueError(f"the bank has no wide genuine faces in the split {split!r}")
        counts = bank.table["source"].iloc[self._rows]
        weights = counts.map(counts.value_counts()).to_numpy(float) ** -0.5
        self._weights = weights / weights.sum()

    def _donor(self, side: int, rng: np.random.Generator) -> FaceImage:
        return self._face(self._row(rng), side)

    def _face(self, row: int, side: int) -> FaceImage:
        face = self._bank.face(row)
        scale = side / face.image.shape[0]
        image = cv2.resize(face.image, (side, side), interpolation=cv2.INTER_AREA).astype(np.uint8)
        return FaceImage(image, face.landmarks * np.float32(scale))

    def _row(self, rng: np.random.Generator) -> int:
        return int(rng.choice(self._rows, p=self._weights))

    def quad(
        self, cue: SynthesisCue, rng: np.random.Generator, *, kind: str | None = None
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32], CueQuad, int]:
        """Pictures (4, S, S, 3) and masks (4, S/8, S/8) as the network gets them, the quad and the face's row.

        Raises ValueError where a dozen faces in a row carry nothing that the cue could be shown on.
        """
        for _ in range(_TRIES):
            side = int(rng.integers(_NATIVE_PX[0], _NATIVE_PX[1] + 1))
            row = self._row(rng)
            donor = partial(self._donor, side, rng)
            quad = draw_cue(self._face(row, side), donor, cue, rng, kind=kind)
            if quad is not None:
                return *self._cut(quad, rng), quad, row
        raise ValueError(f"no face of this split can show {kind or cue}")

    def _cut(self, quad: CueQuad, rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """One window for all four, jittered as detections jitter, mirrored in half of the draws."""
        side = quad.images.shape[1]
        window = round(side * float(rng.uniform(0.9, 1.0)))
        top, left = (int(rng.integers(0, side - window + 1)) for _ in range(2))
        flip = slice(None, None, -1 if rng.random() < 0.5 else 1)
        size, cells = (self._input_px,) * 2, (self._input_px // MAP_STRIDE,) * 2
        place = np.s_[top : top + window, left : left + window]
        images = [cv2.resize(image[place], size, interpolation=cv2.INTER_AREA)[:, flip] for image in quad.images]
        masks = [cv2.resize(mask[place], cells, interpolation=cv2.INTER_AREA)[:, flip] for mask in quad.masks]
        return np.stack(images).astype(np.uint8), np.clip(np.stack(masks), 0, 1).astype(np.float32)


class CueBatches:
    """An iterable of batches, each of as many quads of a cue as `quads` says. Equal arguments and epoch, equal
    batches."""

    def __init__(
        self,
        source: CueSource,
        *,
        batches: int,
        quads: Mapping[str, int],
        seed: int,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
    ) -> None:
        self._source, self._batches, self._quads, self._seed = source, batches, dict(quads), seed
        self._mean, self._std = (torch.tensor(values).view(1, 3, 1, 1) for values in (mean, std))
        self._epoch = 0

    def set_epoch(self, number: int) -> None:
        """Choose the epoch, which seeds what is drawn."""
        self._epoch = number

    def __len__(self) -> int:
        return self._batches

    def __iter__(self) -> Iterator[CueBatch]:
        for number in range(self._batches):
            rng = np.random.default_rng((self._seed, self._epoch, number))
            yield self._batch(rng, number)

    def _batch(self, rng: np.random.Generator, number: int) -> CueBatch:
        images, masks, labels, cues, kinds, strengths, rows = [], [], [], [], [], [], []
        for index, cue in enumerate(CUES):
            for place in range(self._quads.get(cue, 0)):
                every = list(EDITS[cue])
                kind = every[(number * self._quads[cue] + place) % len(every)]
                pictures, truth, quad, row = self._source.quad(cue, rng, kind=kind)
                images.append(pictures)
                masks.append(truth)
                labels.append(quad.labels)
                cues += [index] * 4
                kinds += [KINDS.index(kind)] * 4
                strengths += [quad.strength] * 4
                rows += [row] * 4
        pixels = torch.from_numpy(np.concatenate(images)).permute(0, 3, 1, 2).float() / 255
        return CueBatch(
            ((pixels - self._mean) / self._std).contiguous(memory_format=torch.channels_last),
            torch.from_numpy(np.concatenate(labels)).float(),
            torch.from_numpy(np.concatenate(masks)),
            torch.tensor(cues),
            torch.tensor(kinds),
            torch.tensor(strengths),
            torch.tensor(rows),
        )


def map_cross_entropy(map_logit: Tensor, masks: Tensor) -> Tensor:
    """Mean cross-entropy a row, (B,), of a map (B, h, w) against masks; masks are brought to the map's size."""
    if masks.shape[-2:] != map_logit.shape[-2:]:
        masks = functional.adaptive_avg_pool2d(masks.unsqueeze(1), (map_logit.shape[-2], map_logit.shape[-1])).squeeze(
            1
        )
    return functional.binary_cross_entropy_with_logits(map_logit, masks, reduction="none").mean((1, 2))
