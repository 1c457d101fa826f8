"""Types of synthesis: a genuine face with its landmarks, and a manipulated one with the truth about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class FaceImage:
    """A genuine face. `image` (H, W, 3) uint8 RGB; `landmarks` (468, 2) float32 pixels, MediaPipe face-mesh order."""

    image: NDArray[np.uint8]
    landmarks: NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.image.ndim != 3 or self.image.shape[2] != 3 or self.image.dtype != np.uint8:
            raise ValueError(f"expected an (H, W, 3) uint8 image, found {self.image.shape} {self.image.dtype}")
        if self.landmarks.shape != (468, 2):
            raise ValueError(f"expected (468, 2) landmarks, found {self.landmarks.shape}")


@dataclass(frozen=True, slots=True)
class FakeImage:
    """A manipulated face. `image` as in `FaceImage`; `mask` (H, W) float32 in [0, 1] says where and how much each
    pixel was replaced; `kind` names the manipulation."""

    image: NDArray[np.uint8]
    mask: NDArray[np.float32]
    kind: str
