"""How the head moves: smoothness, and how its turning and shifting belong together.

A head turns on a neck, so that shift and size follow from the turning; portrait animators and video generators move
it by their own habits (Yang et al., ICASSP 2019, https://arxiv.org/abs/1811.00661, found poses that don't agree).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from detector.faces.motion.geometry import RATE_HZ, FaceMotion
from detector.faces.motion.statistics import Floats, correlation, explained, log_ratio, rms

_ANGLES, _SHIFTS = ("yaw", "pitch", "roll"), ("right", "down", "size")
_TURNS_TOGETHER = (("yaw", "roll"), ("yaw", "pitch"), ("pitch", "roll"))
_TURN_AND_SHIFT = (("yaw", "right"), ("pitch", "down"), ("roll", "right"), ("pitch", "size"))

HEAD_FEATURES: Final = (
    "head_acceleration_to_speed",
    "head_jerk_to_acceleration",
    "head_shift_acceleration_to_speed",
    "head_shift_to_turning",
    *(f"head_share_{angle}" for angle in _ANGLES),
    "head_range_to_path",
    "head_shift_range_to_path",
    "head_bursts",
    *(f"head_{first}_{second}" for first, second in _TURNS_TOGETHER),
    *(f"head_{turn}_{shift}" for turn, shift in _TURN_AND_SHIFT),
    "head_down_size",
    *(f"head_{shift}_by_turning" for shift in _SHIFTS),
)


def head_features(motion: FaceMotion) -> list[float]:
    """`HEAD_FEATURES` in that order: natural logarithms of ratios and shares, correlations, shares of variance."""
    pose, shift = motion.pose_deg, motion.shift
    turning, shifting = np.diff(pose, axis=0) * RATE_HZ, np.diff(shift, axis=0) * RATE_HZ
    turn_acceleration, shift_acceleration = np.diff(turning, axis=0) * RATE_HZ, np.diff(shifting, axis=0) * RATE_HZ
    jerk = np.diff(turn_acceleration, axis=0) * RATE_HZ
    speed = rms(turning)
    turn = dict(zip(_ANGLES, turning.T, strict=True))
    move = dict(zip(_SHIFTS, shifting.T, strict=True))
    energy = (turning**2).sum(1)
    return [
        log_ratio(rms(turn_acceleration), speed),
        log_ratio(rms(jerk), rms(turn_acceleration)),
        log_ratio(rms(shift_acceleration), rms(shifting)),
        log_ratio(100 * rms(shifting), speed),
        *(log_ratio(rms(turn[angle]), speed) for angle in _ANGLES),
        _range_to_path(pose),
        _range_to_path(shift),
        log_ratio(float((energy**2).mean()), float(energy.mean() ** 2)),
        *(abs(correlation(turn[first], turn[second])) for first, second in _TURNS_TOGETHER),
        *(correlation(turn[angle], move[side]) for angle, side in _TURN_AND_SHIFT),
        correlation(move["down"], move["size"]),
        *(explained(turning, move[side]) for side in _SHIFTS),
    ]


def _range_to_path(signals: Floats) -> float:
    return log_ratio(float(np.ptp(signals, axis=0).sum()), float(np.abs(np.diff(signals, axis=0)).sum()))
