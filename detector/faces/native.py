"""Patches of a face at the frame's own pixels: nothing is resized, so what a camera, a generator and an encoder left in
neighbouring pixels is still there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.faces.types import PLACES, Box, Place

_EYES, _MOUTH = 0.45, 0.8  # how far down the box
_MOST_SHARED = 0.1  # of the patch beside the face that the face's box may cover


def native_patches(image: NDArray[np.uint8], bbox_xyxy_px: Box, size_px: int) -> NDArray[np.uint8]:
    """The patches of one face in `image` (H, W, 3) uint8, stacked in the order of `PLACES`: (P * S, S, 3) uint8.

    They lie where `patch_corners` says. A frame smaller than a patch is mirrored at its right and lower edge; a patch
    that the frame has no room for is black. Raises ValueError for an odd `size_px`.
    """
    if size_px % 2:
        raise ValueError(f"Expected patches with an even side, found {size_px}.")
    down, across = (max(0, size_px - length) for length in image.shape[:2])
    if down or across:
        image = np.pad(image, ((0, down), (0, across), (0, 0)), mode="reflect")
    column = np.zeros((len(PLACES), size_px, size_px, 3), np.uint8)
    for place, (x, y) in patch_corners(bbox_xyxy_px, image.shape, size_px).items():
        column[PLACES.index(place)] = image[y : y + size_px, x : x + size_px]
    return column.reshape(-1, size_px, 3)


def patch_corners(bbox_xyxy_px: Box, shape: tuple[int, ...], size_px: int) -> dict[Place, tuple[int, int]]:
    """The upper left corner (x, y) of each patch, moved into a picture of `shape` (H, W, …), at least a patch large.

    "middle" lies on the box's axis 45 % down, "mouth" 80 % down, "hair" on its upper edge; "beside" one width of the
    face to the side with more room, so far that the box ends before it, or left out where the frame does. Corners are
    even, as 4:2:0 video has one value of colour for two pixels each way.
    """
    x0, y0, x1, y1 = bbox_xyxy_px
    height, width = shape[:2]
    across, middle = (x0 + x1) / 2, y0 + _EYES * (y1 - y0)

    def corner(x: float, y: float) -> tuple[int, int]:
        left, top = np.clip([x - size_px / 2, y - size_px / 2], 0, [width - size_px, height - size_px])
        return int(left) // 2 * 2, int(top) // 2 * 2

    found: dict[Place, tuple[int, int]] = {
        "middle": corner(across, middle),
        "mouth": corner(across, y0 + _MOUTH * (y1 - y0)),
        "hair": corner(across, y0),
    }
    away = max(x1 - x0, (x1 - x0 + size_px) / 2)
    beside = corner(across + away if width - x1 > x0 else across - away, middle)
    if _shared(beside, size_px, bbox_xyxy_px) <= _MOST_SHARED:
        found["beside"] = beside
    return found


def _shared(corner: tuple[int, int], size_px: int, box: Box) -> float:
    """The part of a patch that `box` covers, 0..1."""
    across = min(corner[0] + size_px, box[2]) - max(corner[0], box[0])
    down = min(corner[1] + size_px, box[3]) - max(corner[1], box[1])
    return max(0.0, across) * max(0.0, down) / size_px**2
