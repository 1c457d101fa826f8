"""What tells the labels apart without being a manipulation's motion: size, frame rate, noise, how much goes on.

A model fitted to these alone is the measure of how much of a figure may be the footage.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from detector.evidence.types import VideoStream
from detector.faces.motion import MotionWindow
from detector.faces.motion.geometry import RATE_HZ, Floats, face_motion, in_head_axes, mean_face, rigid_fit
from detector.faces.motion.landmarks import LEFT_SIDE, LOWER_LIP_INNER, NOSE, REGIONS, RIGHT_SIDE, UPPER_LIP_INNER
from detector.faces.motion.sequence import eyes_px
from detector.faces.motion.statistics import rms
from detector.training.data.overlap import overlap_weights
from detector.training.kinematics.config import KinematicsConfig

NUISANCES: Final = (
    "eyes_px",
    "eyes_to_picture",
    "picture_height",
    "frames_a_second",
    "repeated_frames",
    "jitter_px",
    "jitter",
    "head_speed",
    "shift_speed",
    "turned_away",
    "opening_amount",
    "opening_speed",
    "seconds",
)
_STEADY: Final = np.concatenate([REGIONS["bridge"], REGIONS["forehead"]])


def nuisances_of(window: MotionWindow, video: VideoStream) -> Floats:
    """(K,) float64, `NUISANCES` in that order: logarithms but for the share of repeated frames and how far the nose
    lies from the middle of the face, 0..1. The rate is that of the frames looked at."""
    points, times = window.frames.landmarks.astype(np.float64), window.frames.pts_s
    eyes = float(np.median(eyes_px(points)))
    motion = face_motion(window.frames, window.start_s)
    jitter = _jitter(points)
    opening = motion.shape[:, LOWER_LIP_INNER, 1] - motion.shape[:, UPPER_LIP_INNER, 1]
    moved = np.abs(np.diff(points[:, :, :2], axis=0)).mean((1, 2))
    return np.array(
        [
            np.log(eyes),
            np.log(eyes / min(video.width, video.height)),
            np.log(video.height),
            np.log(1 / np.median(np.diff(times))),
            (moved < 1e-3 * eyes).mean(),
            np.log(jitter * eyes + 0.01),
            np.log(jitter + 1e-4),
            np.log(rms(np.diff(motion.pose_deg, axis=0) * RATE_HZ) + 0.3),
            np.log(rms(np.diff(motion.shift, axis=0) * RATE_HZ) + 0.01),
            _turned(points),
            np.log(opening.std() + 0.003),
            np.log(np.abs(np.diff(opening)).mean() + 0.001),
            np.log(np.clip(video.duration_s or 1.0, 1.0, 8.0)),
        ]
    )


def _jitter(points: Floats) -> float:
    """How far the landmarks that expressions hardly move lie off the line between the frames around, eye distances."""
    own = in_head_axes(points, rigid_fit(points, mean_face(points)))[:, _STEADY, :2]
    return float(np.median(np.abs(own[1:-1] - (own[:-2] + own[2:]) / 2)))


def _turned(points: Floats) -> float:
    right, left, nose = points[:, RIGHT_SIDE, 0], points[:, LEFT_SIDE, 0], points[:, NOSE[0], 0]
    return float(np.median(np.abs((2 * nose - right - left) / np.maximum(np.abs(left - right), 1e-6))))


def balancing_weights(facts: pd.DataFrame, config: KinematicsConfig) -> Floats:
    """Weights (N,) of clips (`label` 0/1, `source`, `NUISANCES`) by which their nuisances tell the labels apart as
    little as the config asks for (`overlap_weights`)."""
    return overlap_weights(
        facts["label"].to_numpy(),
        facts["source"].tolist(),
        facts[list(NUISANCES)],
        power=config.source_power,
        strength=config.balance,
    )
