"""How steady the face looks: flicker of its light, and how alike its detail stays from moment to moment.

The grey faces are laid over one another by the eyes, so that what is left is light, detail and expression.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from detector.faces.motion.geometry import resample
from detector.faces.motion.statistics import Floats, log_ratio

# Rows and columns in an aligned face, px.
_PLACES: Final = {
    "forehead": (slice(2, 14), slice(18, 46)),
    "cheek_right": (slice(28, 42), slice(10, 22)),
    "cheek_left": (slice(28, 42), slice(42, 54)),
    "nose": (slice(24, 36), slice(28, 36)),
    "mouth": (slice(40, 56), slice(20, 44)),
    "eyes": (slice(16, 27), slice(12, 52)),
}
_DETAILED = ("forehead", "nose", "mouth", "eyes")
_SMOOTHING_S, _DETAIL_PX = 0.04, 2.0

SKIN_FEATURES: Final = (
    "flicker",
    "flicker_to_change",
    *(f"{place}_detail_{what}" for place in _DETAILED for what in ("change", "unsteadiness")),
)


def skin_features(faces: NDArray[np.uint8], times: Floats, grid: Floats) -> list[float]:
    """`SKIN_FEATURES` in that order, natural logarithms; `faces` (T, 64, 64) at `times` s, read at `grid`."""
    from scipy.ndimage import gaussian_filter1d

    pictures = resample(faces.astype(np.float32), times, grid, _SMOOTHING_S)
    light = [pictures[:, down, across].mean((1, 2)) for down, across in _PLACES.values()]
    whole = np.mean(light, axis=0)
    flicker = float(np.diff(whole, n=2).std())
    found = [
        float(np.log(flicker / max(float(whole.mean()), 5.0) + 1e-4)),
        log_ratio(flicker, float(np.diff(whole).std())),
    ]
    detail = pictures - gaussian_filter1d(gaussian_filter1d(pictures, _DETAIL_PX, axis=1), _DETAIL_PX, axis=2)
    for place in _DETAILED:
        down, across = _PLACES[place]
        found += _steadiness(detail[:, down, across].reshape(len(grid), -1))
    return found


def _steadiness(detail: Floats) -> list[float]:
    """Of (N, P): how unlike neighbouring samples are, and how the amount of detail varies."""
    detail = detail - detail.mean(1, keepdims=True)
    amount = np.linalg.norm(detail, axis=1) + 1e-3
    detail = detail / amount[:, None]
    unlike = 1.02 - float((detail[1:] * detail[:-1]).sum(1).mean())
    return [float(np.log(unlike)), float(np.log(amount.std() / amount.mean() + 1e-3))]
