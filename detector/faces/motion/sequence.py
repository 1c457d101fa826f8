"""The landmarks of one face over time, cut into windows that compare: one length, one frame rate.

Genuine and generated clips differ in length and frame rate, and either would tell them apart. So every window lasts as
long, and whoever makes a sequence takes about `FPS` frames a second of faster clips, none of them averaged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detector.faces.motion.landmarks import LANDMARKS, LEFT_EYE_CORNER, RIGHT_EYE_CORNER

WINDOW_S: Final = 2.4
FACE_PX: Final = 64
FPS: Final = 15.5
MIN_FPS: Final = 9.0
_FEWEST_FRAMES = 8
# What two neighbouring frames of one face, uncut, stay below: seconds, eye distances, logarithm of size.
_GAP_S, _JUMP, _ZOOM = 0.25, 0.6, 0.3
# Frames beyond a window's ends that its smoothing may use, s.
_CONTEXT_S = 0.25
# Where the eyes lie in an aligned face, px.
_EYES_APART, _EYES_XY = 26.0, (32.0, 22.0)


@dataclass(frozen=True, slots=True, eq=False)
class FaceSequence:
    """One face through one clip: `landmarks` (T, 478, 3) float, pixels of the frame, z in the same unit and negative
    towards the camera, NaN rows where no face was found; `pts_s` (T,) ascending; `faces` (T, 64, 64) uint8 grey,
    see `align_face`. Raises ValueError where the shapes don't belong together."""

    landmarks: NDArray[np.float32]
    pts_s: NDArray[np.float64]
    faces: NDArray[np.uint8]

    def __post_init__(self) -> None:
        count = len(self.pts_s)
        expected = ((count, LANDMARKS, 3), (count, FACE_PX, FACE_PX))
        found = (self.landmarks.shape, self.faces.shape)
        if found != expected:
            raise ValueError(f"Expected landmarks and faces of shape {expected}, found {found}.")
        if count > 1 and not (np.diff(self.pts_s) > 0).all():
            raise ValueError("Expected time stamps that ascend.")

    def take(self, index: NDArray[np.intp]) -> FaceSequence:
        """The frames of `index`, in its order."""
        return FaceSequence(self.landmarks[index], self.pts_s[index], self.faces[index])


def align_face(image: NDArray[np.uint8], points: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(64, 64) uint8 grey face, outer eye corners level and 26 px apart, from (H, W, 3) uint8 RGB and its mesh."""
    import cv2

    right, left = points[RIGHT_EYE_CORNER, :2], points[LEFT_EYE_CORNER, :2]
    across = left - right
    angle_deg = math.degrees(math.atan2(float(across[1]), float(across[0])))
    middle = (right + left) / 2
    scale = _EYES_APART / max(float(np.hypot(*across)), 1e-6)
    matrix = cv2.getRotationMatrix2D((float(middle[0]), float(middle[1])), angle_deg, scale)
    matrix[:, 2] += np.array(_EYES_XY) - middle
    face = cv2.warpAffine(image, matrix, (FACE_PX, FACE_PX), flags=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), np.uint8)


def stretches(sequence: FaceSequence) -> list[FaceSequence]:
    """The parts without a cut: the face found, no gap over 0.25 s, no jump of position or size."""
    seen = np.flatnonzero(np.isfinite(sequence.landmarks).all((1, 2)))
    if len(seen) == 0:
        return []
    points = sequence.landmarks[seen].astype(np.float64)
    centre = points[:, :, :2].mean(1)
    eyes = eyes_px(points) + 1e-9
    cut = np.diff(sequence.pts_s[seen]) > _GAP_S
    cut |= np.linalg.norm(np.diff(centre, axis=0), axis=1) > _JUMP * np.minimum(eyes[1:], eyes[:-1])
    cut |= np.abs(np.diff(np.log(eyes))) > _ZOOM
    parts = np.split(seen, np.flatnonzero(cut) + 1)
    return [sequence.take(part) for part in parts if len(part) >= _FEWEST_FRAMES]


def eyes_px(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """(T,) distances of the outer eye corners of (T, 478, 3), in its unit."""
    return np.asarray(np.linalg.norm(points[:, RIGHT_EYE_CORNER] - points[:, LEFT_EYE_CORNER], axis=1), np.float64)


def window_starts(stretch: FaceSequence) -> list[float]:
    """Starts, s, of the windows that fit into a stretch, side by side about its middle."""
    # The last frame is shown for a while, too: half a frame is counted.
    span_s = float(stretch.pts_s[-1] - stretch.pts_s[0]) + 0.045
    count = int(span_s // WINDOW_S)
    first_s = float(stretch.pts_s[0]) + max(0.0, (span_s - count * WINDOW_S) / 2)
    return [first_s + number * WINDOW_S for number in range(count)]


def around(stretch: FaceSequence, start_s: float) -> FaceSequence | None:
    """The frames of the window from `start_s` and of 0.25 s at either end; None where they are under nine a second."""
    inside = (stretch.pts_s > start_s - _CONTEXT_S) & (stretch.pts_s < start_s + WINDOW_S + _CONTEXT_S)
    if inside.sum() < WINDOW_S * MIN_FPS:
        return None
    return stretch.take(np.flatnonzero(inside))
