"""A face's own coordinates through a clip, warps that follow its mesh, and the looks a paint can have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.synthesis.clips import FaceClip, Points
from detector.synthesis.degrade import Image, colour_shift, jpeg, rescale, sharpen

_GRID_PX = 4
_MAX_FACE_PX = 224.0


@dataclass(frozen=True, slots=True)
class FaceSpace:
    """Square pictures in which the face stays put: `size_px` wide, `shape` (468, 2) the landmarks of its middle frame.

    `to_face` (T, 2, 3) maps pixels of each frame there: the affine map that fits the landmarks best (least squares),
    so that turning and nodding are taken out to first order."""

    clip: FaceClip
    size_px: int
    shape: Points
    to_face: NDArray[np.float64]

    @classmethod
    def of(cls, clip: FaceClip) -> FaceSpace:
        """The space of a clip's face: that of its middle frame, no larger than the limit."""
        middle = clip.landmarks[len(clip.landmarks) // 2]
        low, high = middle.min(0), middle.max(0)
        scale = min(1.0, _MAX_FACE_PX / float((high - low).max()))
        size = round(1.5 * scale * float((high - low).max()) / 8) * 8
        shape = ((middle - (low + high) / 2) * scale + size / 2).astype(np.float32)
        return cls(clip, size, shape, np.stack([cls.affine(points, shape) for points in clip.landmarks]))

    @staticmethod
    def affine(source: Points, target: Points) -> NDArray[np.float64]:
        """(2, 3) least-squares affine map from (N, 2) points to (N, 2) points."""
        full = np.column_stack([source, np.ones(len(source))])
        return np.linalg.lstsq(full, target, rcond=None)[0].T

    @property
    def face_px(self) -> float:
        """The longer side of the face in this space, px."""
        return float(np.ptp(self.shape, axis=0).max())

    def image(self, index: int) -> Image:
        """One frame in the face's coordinates, (size_px, size_px, 3)."""
        size = (self.size_px, self.size_px)
        frame = np.asarray(self.clip.images[index])
        return cv2.warpAffine(
            frame, self.to_face[index], size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
        ).astype(np.uint8)

    def points(self, index: int) -> Points:
        """One frame's landmarks in the face's coordinates."""
        matrix = self.to_face[index]
        return (self.clip.landmarks[index] @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)

    def _back(self, index: int, move: NDArray[np.float64]) -> NDArray[np.float64]:
        """From the face's coordinates, first moved by `move`, to the frame's pixels."""
        out: NDArray[np.float64] = np.vstack([cv2.invertAffineTransform(self.to_face[index]), (0, 0, 1)])
        return (out @ np.vstack([move, (0, 0, 1)]))[:2]

    def paste(
        self, image: Image, painted: Image, opacity: NDArray[np.float32], index: int, move: NDArray[np.float64]
    ) -> tuple[Image, NDArray[np.uint8]]:
        """Blend a painted face into its frame; returns the picture and the mask (H, W) uint8."""
        back, size = self._back(index, move), image.shape[1::-1]
        weight = cv2.warpAffine(opacity.astype(np.float32), back, size, flags=cv2.INTER_LINEAR)
        placed = cv2.warpAffine(painted, back, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        mixed = placed * weight[..., None] + image * (1 - weight[..., None])
        return np.clip(mixed + 0.5, 0, 255).astype(np.uint8), np.clip(weight * 255, 0, 255).astype(np.uint8)

    def moved(
        self, landmarks: Points, painted: Points, mask: NDArray[np.float32], index: int, move: NDArray[np.float64]
    ) -> Points:
        """A frame's landmarks once its face is painted over: those of the paint where it covers."""
        own = self.points(index)
        where = np.clip(np.round(own), 0, self.size_px - 1).astype(int)
        cover = mask[where[:, 1], where[:, 0]][:, None]
        back = self._back(index, move)
        placed = painted @ back[:, :2].T + back[:, 2]
        return (landmarks + cover * (placed - landmarks)).astype(np.float32)


def follow(image: Image, source: Points, target: Points) -> Image:
    """Bend the picture so that the landmarks at `source` come to `target`; between them smoothly, far off rigidly.

    Displacements are spread over the picture by normalised convolution, finely near landmarks and coarsely elsewhere.
    """
    height, width = image.shape[:2]
    rows, columns = height // _GRID_PX + 1, width // _GRID_PX + 1
    cells = np.clip(np.round(target / _GRID_PX), 0, (columns - 1, rows - 1)).astype(int)
    splat = np.zeros((rows, columns, 3), np.float32)
    np.add.at(splat, (cells[:, 1], cells[:, 0]), np.column_stack([source - target, np.ones(len(target))]))
    face_cells = float(np.ptp(target, axis=0).max()) / _GRID_PX
    fine = cv2.GaussianBlur(splat, (0, 0), max(0.6, 0.035 * face_cells))
    coarse = cv2.GaussianBlur(splat, (0, 0), 0.4 * face_cells, borderType=cv2.BORDER_REPLICATE)
    mean = (source - target).mean(0)
    far = (coarse[..., :2] + 1e-5 * mean) / (coarse[..., 2:] + 1e-5)
    trust = fine[..., 2:] / (fine[..., 2:] + 0.02)
    field = trust * fine[..., :2] / (fine[..., 2:] + 1e-6) + (1 - trust) * far
    field = cv2.GaussianBlur(field.astype(np.float32), (0, 0), max(0.5, 0.015 * face_cells))
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    full = cv2.remap(field, x / _GRID_PX, y / _GRID_PX, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return cv2.remap(
        image, x + full[..., 0], y + full[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    ).astype(np.uint8)


def draw_look(rng: np.random.Generator, strength: float) -> Callable[[Image], Image]:
    """A fixed change of colour and sharpness, what a generator's output differs in; none at strength 0."""
    gain = 1 + rng.uniform(-0.12, 0.12, 3) * strength
    bias, gamma = rng.uniform(-12, 12, 3) * strength, float(2 ** (rng.uniform(-0.25, 0.25) * strength))
    choice, factor, sigma = rng.random(), float(rng.uniform(0.3, 0.75)), float(rng.uniform(0.6, 1.8))
    amount, quality = float(rng.uniform(0.5, 1.5)), int(rng.integers(30, 80))

    def look(image: Image) -> Image:
        if strength == 0:
            return image
        image = colour_shift(image, gain, bias, gamma)
        if choice < 0.35:
            return rescale(image, factor)
        if choice < 0.55:
            return cv2.GaussianBlur(image, (0, 0), sigma).astype(np.uint8)
        if choice < 0.75:
            return sharpen(image, amount)
        return jpeg(image, quality) if choice < 0.9 else image

    return look
