"""Patches of a face at the frame's own pixels: nothing is resized, so what a camera, a generator and an encoder left in
neighbouring pixels is still there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detector.faces.types import PLACES, Box, Place

CENTRES: Final[Mapping[Place, tuple[float, float]]] = {"middle": (0.5, 0.45), "left": (0.25, 0.5), "right": (0.75, 0.5)}
"""The centre of each patch, across and down the face's box in shares of its sides: between the eyes and the nose's tip,
and either cheek as the picture shows it. Skin says more than mouth, hair or background, which move and blur."""


def native_patches(image: NDArray[np.uint8], bbox_xyxy_px: Box, size_px: int) -> NDArray[np.uint8]:
    """The patches of one face in `image` (H, W, 3) uint8, stacked in the order of `PLACES`: (P * S, S, 3) uint8.

    They lie where `patch_corners` says. A frame smaller than a patch is mirrored at its right and lower edge. Raises
    ValueError for an odd `size_px`.
    """
    if size_px % 2:
        raise ValueError(f"Expected patches with an even side, found {size_px}.")
    down, across = (max(0, size_px - length) for length in image.shape[:2])
    if down or across:
        image = np.pad(image, ((0, down), (0, across), (0, 0)), mode="reflect")
    corners = patch_corners(bbox_xyxy_px, image.shape, size_px)
    return np.concatenate([image[y : y + size_px, x : x + size_px] for x, y in (corners[place] for place in PLACES)])


def patch_corners(bbox_xyxy_px: Box, shape: tuple[int, ...], size_px: int) -> dict[Place, tuple[int, int]]:
    """The upper left corner (x, y) of each patch about its place in `CENTRES`, moved into a picture of `shape`
    (H, W, …), at least a patch large. Corners are even, as 4:2:0 video has one value of colour for two pixels each way.
    """
    x0, y0, x1, y1 = bbox_xyxy_px
    room = np.array([shape[1] - size_px, shape[0] - size_px])
    corners: dict[Place, tuple[int, int]] = {}
    for place, (across, down) in CENTRES.items():
        centre = np.array([x0 + across * (x1 - x0), y0 + down * (y1 - y0)])
        left, top = np.clip(centre - size_px / 2, 0, room).astype(int) // 2 * 2
        corners[place] = int(left), int(top)
    return corners
