"""From a face's landmarks over time to the features of its motion, window by window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from detector.faces.motion.coupling import COUPLING_FEATURES, coupling_features
from detector.faces.motion.geometry import face_motion, window_grid
from detector.faces.motion.head import HEAD_FEATURES, head_features
from detector.faces.motion.parts import PART_FEATURES, part_features
from detector.faces.motion.sequence import WINDOW_S, FaceSequence, around, even_rate, stretches, window_starts
from detector.faces.motion.skin import SKIN_FEATURES, skin_features

FEATURES: Final[tuple[str, ...]] = (*HEAD_FEATURES, *PART_FEATURES, *COUPLING_FEATURES, *SKIN_FEATURES)

Why = Literal["no_face", "too_short", "low_frame_rate"]
REASONS: dict[Why, str] = {
    "no_face": "No face was followed, so nothing can be said about its motion.",
    "too_short": f"No face is followed without a cut for {WINDOW_S} seconds, too little to measure its motion.",
    "low_frame_rate": "The face is seen in fewer than nine frames a second, too few to measure its motion.",
}


@dataclass(frozen=True, slots=True, eq=False)
class MotionWindow:
    """From `start_s` to `end_s`: `features` (F,) float64, `FEATURES` in that order, all finite."""

    start_s: float
    end_s: float
    features: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class MotionMeasurement:
    """`windows` in the order of time; where there is none, `code` names the reason for programs and `reason` for
    people."""

    windows: tuple[MotionWindow, ...]
    code: Why | None = None

    @property
    def reason(self) -> str | None:
        """Why nothing was measured; None where something was."""
        return None if self.code is None else REASONS[self.code]


def measure_motion(sequence: FaceSequence) -> MotionMeasurement:
    """Windows of 2.4 s side by side, as many as fit between cuts, each with the features of its motion.

    All is measured in the face's own size and at one rate, so that neither resolution nor frame rate speaks.
    """
    if not np.isfinite(sequence.landmarks).all((1, 2)).any():
        return MotionMeasurement((), "no_face")
    planned = [(part, start_s) for part in stretches(even_rate(sequence)) for start_s in window_starts(part)]
    if not planned:
        return MotionMeasurement((), "too_short")
    found = ((around(part, start_s), start_s) for part, start_s in planned)
    windows = tuple(_measure(frames, start_s) for frames, start_s in found if frames is not None)
    return MotionMeasurement(windows, None if windows else "low_frame_rate")


def _measure(frames: FaceSequence, start_s: float) -> MotionWindow:
    motion = face_motion(frames, start_s)
    skin = skin_features(frames.faces, frames.pts_s, window_grid(start_s))
    features = np.array([*head_features(motion), *part_features(motion), *coupling_features(motion), *skin])
    return MotionWindow(start_s, start_s + WINDOW_S, features)
