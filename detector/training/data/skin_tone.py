"""The tone of the skin of a face as it is pictured, which slices measurements."""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.faces import DetectedFace

# Mesh points around which skin lies bare in most faces: both cheeks and the middle of the forehead.
_SKIN_POINTS: Final = (50, 280, 151)
_PATCH_SHARE = 0.06


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
