"""A genuine clip whose face is torn for moments, as where a swap loses hold of the face it follows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.synthesis.blend import composite, face_width_px
from detector.synthesis.clips import FaceClip, FakeClip, Points
from detector.synthesis.degrade import Image
from detector.synthesis.regions import region_mask

LEAST_FRAMES: Final = 24  # room for two moments, genuine frames before and after each
_MOMENTS: Final = (2, 3)
_FRAMES_TORN: Final = (2, 6)
_SHIFT_SHARE: Final = (0.04, 0.10)  # of the face's width
_PARTS: Final = ("lower_face", "mouth", "eyes_nose", "eyes", "nose")


@dataclass(frozen=True, slots=True)
class _Tear:
    """A displacement of one part of the face: `shift` in face widths, and a turn; `feather` is the width of its seam in
    face widths, 0 for a hard one."""

    part: str
    shift: NDArray[np.float64]
    turn_deg: float
    feather: float

    @classmethod
    def draw(cls, part: str, strength: float, rng: np.random.Generator) -> _Tear:
        angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(*_SHIFT_SHARE) * strength
        feather = 0.0 if rng.random() < 0.5 else float(rng.uniform(0.01, 0.03))
        shift = length * np.array([np.cos(angle), np.sin(angle)])
        return cls(part, shift, float(rng.uniform(-8, 8) * strength), feather)

    def apply(self, image: Image, points: Points) -> tuple[Image, NDArray[np.float32], Points]:
        """The picture, the mask (H, W) of what was replaced, and the landmarks where they are now."""
        face_px, size = face_width_px(points), image.shape[1::-1]
        hull = region_mask(points, image.shape[:2], self.part)
        rows, columns = np.nonzero(hull)
        centre = (float(columns.mean()), float(rows.mean())) if len(rows) else (size[0] / 2, size[1] / 2)
        move = cv2.getRotationMatrix2D(centre, self.turn_deg, 1.0)
        move[:, 2] += self.shift * face_px
        mask = cv2.warpAffine(hull, move, size, flags=cv2.INTER_LINEAR)
        if self.feather:
            mask = cv2.GaussianBlur(mask, (0, 0), max(0.5, self.feather * face_px))
        source = cv2.warpAffine(image, move, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        torn = composite(image, source.astype(np.uint8), mask.astype(np.float32))
        last = np.array(image.shape[1::-1]) - 1
        at = np.clip(np.round(points), 0, last).astype(int)
        moved = points @ move[:, :2].T + move[:, 2]
        cover = hull[at[:, 1], at[:, 0]][:, None]
        return torn, mask.astype(np.float32), (points + cover * (moved - points)).astype(np.float32)


def tear(clip: FaceClip, rng: np.random.Generator, *, strength: float = 1.0) -> FakeClip:
    """Two or three moments of two to six frames in which one or two parts of the face are shifted by 4 to 10 % of its
    width, times `strength`, and turned, with hard or feathered seams; all other frames are left as they are.

    Each frame of a moment tears anew. Raises ValueError for a clip of fewer than 24 frames.
    """
    count = len(clip.times_s)
    if count < LEAST_FRAMES:
        raise ValueError(f"expected at least {LEAST_FRAMES} frames, found {count}")
    images, landmarks = np.array(clip.images), clip.landmarks.copy()
    masks = np.zeros(images.shape[:3], np.uint8)
    ends = np.r_[clip.times_s, clip.duration_s]
    intervals = []
    for first, last in _draw_moments(count, rng):
        parts = rng.choice(_PARTS, int(rng.integers(1, 3)), replace=False)
        for index in range(first, last):
            for part in parts:
                torn = _Tear.draw(str(part), strength, rng).apply(images[index], landmarks[index])
                images[index], mask, landmarks[index] = torn
                masks[index] = np.maximum(masks[index], (mask * 255).astype(np.uint8))
        intervals.append((float(ends[first]), float(ends[last])))
    return FakeClip(replace(clip, images=images, landmarks=landmarks), masks, tuple(intervals), "torn")


def _draw_moments(count: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Numbers of the first torn frame and of the one after the last, one pair in each of two or three equal stretches,
    with a genuine frame at either side."""
    low, high = _MOMENTS
    moments = int(rng.integers(low, high + 1)) if count >= LEAST_FRAMES * high // low else low
    stretch = count // moments
    found = []
    for number in range(moments):
        length = int(rng.integers(_FRAMES_TORN[0], _FRAMES_TORN[1] + 1))
        first = number * stretch + int(rng.integers(1, stretch - length))
        found.append((first, first + length))
    return found
