"""Shot changes, found frame by frame on thumbnails while a video is decoded."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray

THUMBNAIL_WIDTH, THUMBNAIL_HEIGHT = 64, 36
_LUMA_BINS, _CHROMA_BINS = 32, 16
_HISTORY = 24
_LOOK_BACK = 3
# Where the movement so far is known too little to compare with, only an unmistakable change counts.
_SETTLED = 4


@dataclass(frozen=True, slots=True)
class _Limits:
    """`movement` grey levels summed over Y, U, V; `excess` times the largest recent movement; `correlation` of the
    luma pictures;
    `colour` share of the histograms that moved."""

    movement: float
    excess: float
    correlation: float
    colour: float


# Set on 111 single-shot clips and 800 joins of two of them: see the class.
_USUAL = _Limits(movement=8.0, excess=1.5, correlation=0.85, colour=0.04)
_UNSETTLED = _Limits(movement=20.0, excess=0.0, correlation=0.6, colour=0.12)


@dataclass(frozen=True, slots=True)
class _FrameSignature:
    """A frame as it is remembered: its thumbnail and the two descriptions derived from it."""

    thumbnail: NDArray[np.float32]
    histogram: NDArray[np.float32]
    structure: NDArray[np.float32]


class ShotDetector:
    """Says of each frame in turn whether it begins a new shot.

    Three cues on a 64 x 36 YUV thumbnail, compared with the frames before: the mean difference against the largest of
    the last second (a cut stands out from the movement around it), the distance of the luma and chroma histograms
    (Zhang, Kankanhalli and Smoliar 1993; a moving camera keeps its colours), and the correlation of the luma pictures
    (a change of light keeps the structure). A frame that resembles one of the three before it ends a flash rather
    than starts a shot. Dissolves and fades are not found, nor a cut between two nearly equal pictures.
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()
        self._before: deque[_FrameSignature] = deque(maxlen=_LOOK_BACK)
        self._movement: deque[float] = deque(maxlen=_HISTORY)

    def is_cut(self, frame: Any) -> bool:
        """Whether this decoded frame starts a new shot; the first frame of all does not count as a change."""
        thumbnail = self._reformatter.reformat(
            frame,
            width=THUMBNAIL_WIDTH,
            height=THUMBNAIL_HEIGHT,
            format="yuv444p",
            interpolation=Interpolation.FAST_BILINEAR,
            threads=1,
        ).to_ndarray()
        return self.is_cut_thumbnail(thumbnail.astype(np.uint8, copy=False))

    def is_cut_thumbnail(self, thumbnail: NDArray[np.uint8]) -> bool:
        """As `is_cut`, on a (3, 36, 64) uint8 YUV thumbnail."""
        signature = _FrameSignature(thumbnail.astype(np.float32), _histogram(thumbnail), _structure(thumbnail[0]))
        if not self._before:
            self._before.append(signature)
            return False
        movement = _movement(signature, self._before[-1])
        settled = len(self._movement) >= _SETTLED
        limits = _USUAL if settled else _UNSETTLED
        floor = max(limits.movement, limits.excess * (max(self._movement, default=0.0) + 1.0))
        cut = movement > floor and all(_unlike(signature, before, limits) for before in self._before)
        if cut:
            self._movement.clear()
        else:
            self._movement.append(movement)
        self._before.append(signature)
        return cut


def _movement(one: _FrameSignature, other: _FrameSignature) -> float:
    """Mean absolute difference in grey levels, summed over Y, U and V."""
    return 3 * float(np.abs(one.thumbnail - other.thumbnail).mean())


def _unlike(one: _FrameSignature, other: _FrameSignature, limits: _Limits) -> bool:
    correlation = float((one.structure * other.structure).sum())
    colour = float(np.abs(one.histogram - other.histogram).sum()) / 6
    return correlation < limits.correlation and colour > limits.colour


def _histogram(thumbnail: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Luma, U and V histograms, each summing to 1, each blurred a little so that a small drift costs little."""
    parts = []
    for plane, bins in zip(thumbnail, (_LUMA_BINS, _CHROMA_BINS, _CHROMA_BINS), strict=True):
        counts = np.bincount((plane.ravel().astype(np.intp) * bins) >> 8, minlength=bins).astype(np.float32)
        padded = np.concatenate([counts[:1], counts, counts[-1:]])
        parts.append((padded[:-2] + 2 * padded[1:-1] + padded[2:]) / (4 * plane.size))
    return np.concatenate(parts)


def _structure(luma: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The luma picture with zero mean and unit norm; of a flat picture, all zero."""
    values = luma.astype(np.float32)
    values -= values.mean()
    norm = float(np.sqrt((values * values).sum()))
    # Below one grey level of standard deviation there is no structure, only noise.
    return values / norm if norm > values.size**0.5 else np.zeros_like(values)
