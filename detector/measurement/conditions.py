"""Classes of the conditions under which a face was seen: its size, its light and how light its skin looks."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Final

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
SHORT_SIDE_EDGES_PX: Final = (480.0, 720.0, 1080.0)
BITS_EDGES: Final = (0.05, 0.1, 0.2)


def skin_class(ita_deg: float) -> str:
    """The class of skin tone of an individual typology angle in degrees."""
    return next(name for lowest_deg, name in ITA_CLASSES if ita_deg > lowest_deg or lowest_deg == -math.inf)


def size_class(size_px: float) -> str:
    """The class of a face's size in pixels."""
    return _band(size_px, SIZE_EDGES_PX, "px")


def light_class(exposure: float) -> str:
    """`exposure`: mean luma of the face, 0..1."""
    return _band(exposure, EXPOSURE_EDGES, "mean luma")


def resolution_class(short_side_px: float) -> str:
    """The class of a picture's shorter side in pixels."""
    return _band(short_side_px, SHORT_SIDE_EDGES_PX, "px")


def bits_class(bits_per_pixel: float) -> str:
    """The class of a file's size in bits a pixel of all its pictures."""
    return _band(bits_per_pixel, BITS_EDGES, "bits per pixel")


def _band(value: float, edges: tuple[float, ...], unit: str) -> str:
    if value < edges[0]:
        return f"below {edges[0]:g} {unit}"
    for low, high in pairwise(edges):
        if value < high:
            return f"{low:g} to {high:g} {unit}"
    return f"{edges[-1]:g} {unit} and more"
