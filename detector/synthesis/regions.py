"""Masks of face regions from the 468-point face mesh, deformed and feathered so that no outline can be learned."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

# Indices into the MediaPipe face mesh; each region is the convex hull of its points.
_OVAL = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152, 148, 176, 149,
         150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)  # fmt: skip
_LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
_LEFT_EYE = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7, 70, 63, 105, 66, 107)
_RIGHT_EYE = (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249, 300, 293, 334, 296, 336)
_NOSE = (168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 98, 327, 129, 358, 122, 351)
_JAW = (234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 454)
_CHEEKS = (50, 101, 36, 205, 280, 330, 266, 425)

REGIONS: Final[dict[str, tuple[int, ...]]] = {
    "face": _OVAL,
    "inner_face": _LEFT_EYE + _RIGHT_EYE + _NOSE + _LIPS + _CHEEKS,
    "lower_face": (*_JAW, 195),
    "mouth": (*_LIPS, 164, 18, 200, 57, 287),
    "eyes": _LEFT_EYE + _RIGHT_EYE,
    "nose": _NOSE,
    "eyes_nose": _LEFT_EYE + _RIGHT_EYE + _NOSE,
}
COARSE_REGIONS: Final = ("face", "inner_face", "lower_face")


def region_mask(landmarks: NDArray[np.float32], shape: tuple[int, ...], region: str) -> NDArray[np.float32]:
    """Filled convex hull of a region: (H, W) float32, 0 or 1. `region` is a key of `REGIONS`."""
    hull = cv2.convexHull(landmarks[list(REGIONS[region])].astype(np.int32))
    mask = np.zeros(shape, np.uint8)
    cv2.fillConvexPoly(mask, hull, 1)
    return mask.astype(np.float32)


def elastic_field(
    shape: tuple[int, ...], strength_px: float, smoothness_px: float, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Smooth random displacement as `cv2.remap` coordinates: x and y maps, each (H, W) float32."""
    height, width = shape
    coarse = (max(2, round(height / smoothness_px)), max(2, round(width / smoothness_px)))
    shift = rng.uniform(-strength_px, strength_px, (2, *coarse)).astype(np.float32)
    x_shift, y_shift = (cv2.resize(plane, (width, height), interpolation=cv2.INTER_CUBIC) for plane in shift)
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return columns + x_shift, rows + y_shift


def soft_mask(
    mask: NDArray[np.float32], face_px: float, rng: np.random.Generator, *, coarse: bool = False
) -> NDArray[np.float32]:
    """Deform and feather a hard mask, scaled to the face (`face_px` wide). Returns (H, W) float32 in [0, 1].

    As in self-blended images (Shiohara & Yamasaki, CVPR 2022): elastic deformation, then erosion or dilation, then a
    blur of random width. `coarse` keeps edges crisp, which is what an untrained network can learn from first.
    """
    x_map, y_map = elastic_field(mask.shape, face_px * 0.06, face_px * 0.25, rng)
    mask = cv2.remap(mask, x_map, y_map, cv2.INTER_LINEAR)
    # A mouth must not be eroded or blurred away: limits follow the region's own size, and the peak is restored.
    region_px = float(np.sqrt(mask.sum()))
    size = int(min(face_px * rng.uniform(0.0, 0.08), 0.12 * region_px))
    if size:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * size + 1, 2 * size + 1))
        mask = cv2.erode(mask, kernel) if rng.random() < 0.5 else cv2.dilate(mask, kernel)
    sigma = max(0.5, min(face_px * rng.uniform(0.005, 0.025 if coarse else 0.07), 0.25 * region_px))
    soft = cv2.GaussianBlur(mask, (0, 0), sigma)
    return np.clip(soft / max(float(soft.max()), 1e-6), 0.0, 1.0)
