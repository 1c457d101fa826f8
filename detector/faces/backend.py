"""The interface to a face library: raw detections and a mesh, nothing else.

Another library replaces MediaPipe by implementing `FaceBackend`; search, fit, pose, quality and tracks stay as
they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from detector.faces.types import Box

# Rows of `RawDetection.keypoints_px`; right and left are the person's.
RIGHT_EYE, LEFT_EYE, NOSE_TIP, MOUTH, RIGHT_EAR, LEFT_EAR = range(6)


@dataclass(frozen=True, slots=True)
class RawDetection:
    """One face as a detector reports it: `bbox_xyxy_px`, `score` in [0, 1], `keypoints_px` (6, 2) float32: right eye,
    left eye, nose tip, mouth, right ear, left ear; in pixels of the image that was searched."""

    bbox_xyxy_px: Box
    score: float
    keypoints_px: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class RawMesh:
    """`points` (468, 3) float32 in pixels of the image given to `mesh` (z relative, negative towards the camera), of a
    refined mesh (478, 3), the irises last; `presence` in [0, 1]: the mesh network's own belief that it looks at a
    face."""

    points: NDArray[np.float32]
    presence: float


class FaceBackend(Protocol):
    """A face detector with a mesh network. Stateless between calls: equal images give equal answers."""

    mesh_input_px: int
    detector_input_px: int

    def detect(self, image: NDArray[np.uint8]) -> tuple[RawDetection, ...]:
        """Faces of an (H, W, 3) uint8 RGB image, strongest first."""
        ...

    def mesh(self, crop: NDArray[np.uint8]) -> RawMesh | None:
        """Mesh of the one upright face that fills about two thirds of `crop`, a square (S, S, 3) uint8 RGB image;
        None where the network sees no face at all."""
        ...

    def close(self) -> None:
        """Free the networks; later calls are an error."""
        ...


def default_backend(*, refined: bool = False) -> FaceBackend:
    """The library that faces are searched with, opened; to be closed by the caller. `refined` asks for its mesh network
    with attention to eyes and lips, which gives the irises too and other numbers for every point."""
    from detector.faces.mediapipe_backend import MediaPipeBackend  # seconds of imports, and a cycle

    return MediaPipeBackend(refined=refined)
