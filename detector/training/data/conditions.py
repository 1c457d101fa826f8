"""Under which conditions a face was seen: its size, its light and how light its skin looks."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.faces import DetectedFace

# Mesh points around which skin lies bare in most faces: both cheeks and the middle of the forehead.
_SKIN_POINTS: Final = (50, 280, 151)
_PATCH_SHARE = 0.06
# Classes of the individual typology angle: Chardon et al. (1991), Del Bino & Bernerd (2013).
ITA_CLASSES: Final = (
    (55.0, "very light"),
    (41.0, "light"),
    (28.0, "intermediate"),
    (10.0, "tan"),
    (-30.0, "brown"),
    (-math.inf, "dark"),
)
SIZE_EDGES_PX: Final = (80.0, 160.0, 320.0)
EXPOSURE_EDGES: Final = (0.3, 0.6)


def skin_ita_deg(image: NDArray[np.uint8], face: DetectedFace) -> float | None:
    """Individual typology angle, atan((L* - 50) / b*) in degrees, of the skin as pictured; None without a mesh.

    `image` (H, W, 3) uint8 RGB. The median over patches on cheeks and forehead, in CIELAB (D65). It says how light the
    skin looks in this picture, which depends on the light too: it slices measurements and names nobody.
    """
    if face.landmarks is None:
        return None
    height, width = image.shape[:2]
    half = max(1, round(_PATCH_SHARE * face.quality.size_px / 2))
    patches = []
    for row in _SKIN_POINTS:
        x, y = (round(float(value)) for value in face.landmarks[row, :2])
        patch = image[max(0, y - half) : y + half + 1, max(0, x - half) : x + half + 1]
        if 0 <= x < width and 0 <= y < height and patch.size:
            patches.append(patch.reshape(-1, 3))
    if not patches:
        return None
    pixels = np.concatenate(patches).astype(np.float32)[None] / 255
    lightness, _, yellow = np.median(cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)[0], axis=0)
    return math.degrees(math.atan2(float(lightness) - 50.0, max(float(yellow), 1e-3)))


def skin_class(ita_deg: float) -> str:
    return next(name for lowest_deg, name in ITA_CLASSES if ita_deg > lowest_deg or lowest_deg == -math.inf)


def size_class(size_px: float) -> str:
    return _band(size_px, SIZE_EDGES_PX, "px")


def light_class(exposure: float) -> str:
    """`exposure`: mean luma of the face, 0..1."""
    return _band(exposure, EXPOSURE_EDGES, "mean luma")


def _band(value: float, edges: tuple[float, ...], unit: str) -> str:
    if value < edges[0]:
        return f"below {edges[0]:g} {unit}"
    for low, high in pairwise(edges):
        if value < high:
            return f"{low:g} to {high:g} {unit}"
    return f"{edges[-1]:g} {unit} and more"
