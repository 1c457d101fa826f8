"""How much, how fast and how evenly each part of the face moves on the head, and how its landmarks tremble."""

from __future__ import annotations

from typing import Final

import numpy as np

from detector.faces.motion.geometry import RATE_HZ, FaceMotion
from detector.faces.motion.landmarks import LEFT_IRIS, PAIRED, REGIONS, RIGHT_IRIS
from detector.faces.motion.statistics import Floats, correlation, log_ratio, rms

_EXPRESSIVE = ("mouth", "lids", "brows", "cheeks", "jaw")
_TREMBLING = ("mouth", "lids", "brows", "cheeks", "jaw", "sides", "nose")
_STEADY = np.concatenate([REGIONS["bridge"], REGIONS["forehead"]])
_MESH = 468  # without the irises, which are found by another branch of the network

PART_FEATURES: Final = (
    *(f"{region}_{measure}" for region in REGIONS for measure in ("amount", "speed", "quickness", "depth")),
    "face_to_head",
    "face_amount",
    "face_speed",
    *(f"{region}_asymmetry" for region in PAIRED),
    *(f"{region}_jitter" for region in _TREMBLING),
    "iris_jitter",
    "depth_jitter",
    "jitter_dimensions",
    "jitter_with_turning",
)


def part_features(motion: FaceMotion) -> list[float]:
    """`PART_FEATURES` in that order, natural logarithms but for the last, a correlation.

    Of each region: its amount and speed of motion against the whole face's, speed against amount, and motion in depth
    against that in the plane. Of both sides of the face: what moves against the mirror against what moves with it.
    """
    offset = motion.shape - motion.shape.mean(0)
    step = np.diff(offset, axis=0)
    whole_amount, whole_speed = (
        float(np.sqrt(np.mean([_plane(x, r) ** 2 for r in _EXPRESSIVE]))) for x in (offset, step)
    )
    found = []
    for region, rows in REGIONS.items():
        amount, speed = _plane(offset, region), _plane(step, region)
        found += [log_ratio(amount, whole_amount), log_ratio(speed, whole_speed), log_ratio(speed, amount)]
        found.append(log_ratio(rms(offset[:, rows, 2]), amount))
    turning = rms(np.diff(motion.pose_deg, axis=0) * RATE_HZ)
    found += [log_ratio(100 * RATE_HZ * whole_speed, turning), log_ratio(whole_amount, 1), log_ratio(whole_speed, 1)]
    return [*found, *(_asymmetry(offset, sides) for sides in PAIRED.values()), *_jitter(motion)]


def _plane(values: Floats, region: str) -> float:
    return rms(values[:, REGIONS[region], :2])


def _asymmetry(offset: Floats, sides: tuple[tuple[int, ...], tuple[int, ...]]) -> float:
    right, left = (offset[:, list(side), :2] for side in sides)
    mirrored = right * np.array([-1.0, 1.0])
    return log_ratio(rms(left - mirrored), rms(left + mirrored))


def _jitter(motion: FaceMotion) -> list[float]:
    jitter = motion.jitter
    steady = float(np.median(np.abs(jitter[:, _STEADY, :2])))
    regions = [REGIONS[region] for region in _TREMBLING] + [np.array([RIGHT_IRIS, LEFT_IRIS])]
    relative = [log_ratio(float(np.median(np.abs(jitter[:, rows, :2]))), steady) for rows in regions]
    plane = jitter[:, :_MESH, :2]
    depth = log_ratio(float(np.median(np.abs(jitter[:, :_MESH, 2]))), float(np.median(np.abs(plane))))
    power = np.linalg.svd(plane.reshape(len(plane), -1), compute_uv=False) ** 2
    # Participation ratio: in how many independent ways the mesh trembles, a frame.
    dimensions = log_ratio(float(power.sum() ** 2), float((power**2).sum() * len(power)))
    trembling = np.log(np.abs(jitter[:, _STEADY, :2]).mean((1, 2)) + 1e-4)
    return [*relative, depth, dimensions, correlation(trembling, np.log(motion.turning_deg_s + 0.3))]
