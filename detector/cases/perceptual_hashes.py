"""Perceptual hashes of frames: 64 bits that stay nearly the same when a picture is re-encoded, scaled or recoloured.

The DCT hash of pHash (Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010): the picture
as 32 x 32 luma, its discrete cosine transform, the 8 x 8 lowest frequencies without the constant ones, each one bit:
above their median or not. It compares whole pictures: it does not recognise a face in another scene, and a crop, a
mirror image or a large caption defeats it. Different people filmed alike before a plain wall can come out alike, so a
match is a reason to look, not a finding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.errors import EvidenceError
from detector.evidence import Evidence, frame_at, frame_times

FRAMES = 16
_SIDE_PX = 32
# The standard deviation of luma (0..255) below which a picture says nothing: black, white, a fade.
_FLAT_LUMA = 6.0
_WEIGHTS = 1 << np.arange(64, dtype=np.uint64)


@dataclass(frozen=True, slots=True)
class PerceptualHashes:
    """`hashes` are unsigned 64-bit integers, one a frame at `pts`; flat pictures have none. `problem` is the reason why
    there are none at all, else empty."""

    pts: tuple[int, ...]
    hashes: tuple[int, ...]
    problem: str = ""


def picture_hash(image: NDArray[np.uint8]) -> int | None:
    """The hash of an RGB picture (H, W, 3) uint8; None for a picture too flat to be told from another."""
    import cv2

    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    small = cv2.resize(luma, (_SIDE_PX, _SIDE_PX), interpolation=cv2.INTER_AREA)
    if small.std() < _FLAT_LUMA:
        return None
    low = cv2.dct(small)[1:9, 1:9].ravel()
    return int(_WEIGHTS[low > np.median(low)].sum())


def perceptual_hashes(evidence: Evidence) -> PerceptualHashes:
    """Hashes of up to 16 frames, evenly spaced over the presentation. A file that cannot be read gives the reason."""
    try:
        times = frame_times(evidence)
        places = np.linspace(0, len(times), FRAMES, endpoint=False) + len(times) / FRAMES / 2
        chosen = sorted({times[int(place)] for place in places}) if times else []
        found = [(pts, picture_hash(frame_at(evidence, pts).image)) for pts in chosen]
    except (EvidenceError, OSError) as error:
        return PerceptualHashes((), (), f"The frames cannot be read: {error}")
    told = [(pts, value) for pts, value in found if value is not None]
    if not told:
        return PerceptualHashes((), (), "Every frame that was looked at is flat: there is nothing to compare.")
    return PerceptualHashes(tuple(pts for pts, _ in told), tuple(value for _, value in told))
