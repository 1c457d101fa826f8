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
from detector.faces.motion.sequence import WINDOW_S, FaceSequence, around, eyes_px, stretches, window_starts
from detector.faces.motion.skin import SKIN_FEATURES, skin_features

FEATURES: Final[tuple[str, ...]] = (*HEAD_FEATURES, *PART_FEATURES, *COUPLING_FEATURES, *SKIN_FEATURES)
LEAST_EYES_PX: Final = 20.0
# The stillest of a thousand windows of people moves by 0.0018 eye distances.
_STILL: Final = float(np.log(0.0015))

Missing = Literal["still", "small_face", "low_frame_rate", "too_short", "no_face"]
MISSING: Final[tuple[Missing, ...]] = ("still", "small_face", "low_frame_rate", "too_short", "no_face")
"""Why a face has no window, the one that got farthest first."""


@dataclass(frozen=True, slots=True, eq=False)
class MotionWindow:
    """From `start_s` to `end_s`: `features` (F,) float64, `FEATURES` in that order, all finite, measured on `frames`,
    which reach up to 0.25 s beyond it."""

    start_s: float
    end_s: float
    features: NDArray[np.float64]
    frames: FaceSequence


@dataclass(frozen=True, slots=True, eq=False)
class MotionMeasurement:
    """`windows` in the order of time; `missing` says why there is none, None where there is one."""

    windows: tuple[MotionWindow, ...]
    missing: Missing | None = None


def measure_motion(sequence: FaceSequence) -> MotionMeasurement:
    """Windows of 2.4 s side by side, as many as fit between cuts, each with the features of its motion.

    All is measured in the face's own size and at one rate, so that neither resolution nor frame rate speaks. What has
    its eyes less than 20 px apart is left out, and what does not move: a photograph.
    """
    if not np.isfinite(sequence.landmarks).all((1, 2)).any():
        return MotionMeasurement((), "no_face")
    planned = [(part, start_s) for part in stretches(sequence) for start_s in window_starts(part)]
    windows, why = [], {"too_short"}
    for part, start_s in planned:
        measured = _measure(part, start_s)
        if isinstance(measured, MotionWindow):
            windows.append(measured)
        else:
            why.add(measured)
    return MotionMeasurement(tuple(windows), None if windows else next(code for code in MISSING if code in why))


def _measure(part: FaceSequence, start_s: float) -> MotionWindow | Missing:
    frames = around(part, start_s)
    if frames is None:
        return "low_frame_rate"
    if float(np.median(eyes_px(frames.landmarks))) < LEAST_EYES_PX:
        return "small_face"
    motion = face_motion(frames, start_s)
    parts = part_features(motion)
    if parts[PART_FEATURES.index("face_amount")] < _STILL:
        return "still"
    skin = skin_features(frames.faces, frames.pts_s, window_grid(start_s))
    features = np.array([*head_features(motion), *parts, *coupling_features(motion), *skin])
    return MotionWindow(start_s, start_s + WINDOW_S, features, frames)
