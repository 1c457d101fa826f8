"""How much each part of the face moves on the head, and how much of that in depth."""

from __future__ import annotations

from typing import Final

import numpy as np

from detector.faces.motion.geometry import RATE_HZ, FaceMotion
from detector.faces.motion.landmarks import REGIONS
from detector.faces.motion.statistics import Floats, log_ratio, rms

_EXPRESSIVE = ("mouth", "lids", "brows", "cheeks", "jaw")

PART_FEATURES: Final = (
    *(f"{region}_{measure}" for region in REGIONS for measure in ("amount", "depth")),
    "face_to_head",
    "face_amount",
    "face_speed",
)


def part_features(motion: FaceMotion) -> list[float]:
    """`PART_FEATURES` in that order, natural logarithms.

    Of each region: its amount of motion against the whole face's, and its motion in depth against that in the plane.
    Of the whole face: its speed against the head's turning, its amount and its speed.
    """
    offset = motion.shape - motion.shape.mean(0)
    step = np.diff(offset, axis=0)
    whole_amount, whole_speed = (
        float(np.sqrt(np.mean([_plane(x, r) ** 2 for r in _EXPRESSIVE]))) for x in (offset, step)
    )
    found = []
    for region, rows in REGIONS.items():
        amount = _plane(offset, region)
        found += [log_ratio(amount, whole_amount), log_ratio(rms(offset[:, rows, 2]), amount)]
    turning = rms(np.diff(motion.pose_deg, axis=0) * RATE_HZ)
    whole = [log_ratio(100 * RATE_HZ * whole_speed, turning), log_ratio(whole_amount, 1), log_ratio(whole_speed, 1)]
    return [*found, *whole]


def _plane(values: Floats, region: str) -> float:
    return rms(values[:, REGIONS[region], :2])
