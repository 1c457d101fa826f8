"""A decoded frame as the picture that a viewer sees."""

from __future__ import annotations

from typing import Any

import numpy as np
from av.sidedata.sidedata import Type
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray


def to_rgb(frame: Any, reformatter: VideoReformatter) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB, contiguous, with the display matrix applied; any pixel format and bit depth.

    One function for sampled and for sought frames, so that both give the same pixels.
    """
    image = reformatter.reformat(frame, format="rgb24", threads=1).to_ndarray()
    return np.ascontiguousarray(Orientation.of(frame).apply(image.astype(np.uint8, copy=False)))


class Orientation:
    """A display matrix (ISO/IEC 14496-12, 8.3.2) reduced to the nearest of the eight axis-aligned orientations.

    `rotation_deg` is clockwise, in 0, 90, 180, 270, applied after an optional mirroring (`mirrored`); `exact` is
    false where the matrix turns by another angle, which is not applied.
    """

    def __init__(self, a: float, b: float, c: float, d: float) -> None:
        # x' = a x + c y, y' = b x + d y, with y downwards.
        self._transposed = abs(b) + abs(c) > abs(a) + abs(d)
        first, second = (c, b) if self._transposed else (a, d)
        self._flip_x, self._flip_y = first < 0, second < 0
        off_axis = abs(a) + abs(d) if self._transposed else abs(b) + abs(c)
        self.exact = off_axis < 0.02 * (abs(a) + abs(b) + abs(c) + abs(d)) + 1e-9
        self.mirrored = self._transposed == (self._flip_x == self._flip_y)

    @classmethod
    def of(cls, frame: Any) -> Orientation:
        """That of a decoded frame; upright without a display matrix."""
        data = next((bytes(side) for side in frame.side_data if side.type == Type.DISPLAYMATRIX), None)
        if data is None or len(data) < 36:
            return cls(1, 0, 0, 1)
        matrix = np.frombuffer(data[:36], np.int32).astype(np.float64)
        a, b, c, d = matrix[[0, 1, 3, 4]]
        return cls(a, b, c, d) if (a or b) and (c or d) else cls(1, 0, 0, 1)

    @property
    def swaps_sides(self) -> bool:
        """Whether the displayed width is the stored height."""
        return self._transposed

    @property
    def rotation_deg(self) -> int:
        """The rotation that displays the picture: 0, 90, 180 or 270."""
        if self._transposed:
            return 90 if self._flip_x else 270
        return 180 if self._flip_y else 0

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A view of `image` (H, W, C) as displayed."""
        if self._transposed:
            image = image.transpose(1, 0, 2)
        return image[:: -1 if self._flip_y else 1, :: -1 if self._flip_x else 1]
