"""Where the head is and what the face does on it: a rigid fit of each frame's mesh to the window's own mean face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.faces.motion.landmarks import (
    CHIN_TIP,
    FOREHEAD_TOP,
    LEFT_EYE_CORNER,
    LEFT_SIDE,
    RIGHT_EYE_CORNER,
    RIGHT_SIDE,
    RIGID,
)
from detector.faces.motion.sequence import WINDOW_S, FaceSequence

RATE_HZ: Final = 12.5
_SMOOTHING_S: Final = 0.05
_ROUNDS = 2

Floats = NDArray[np.float64]


class RigidFit(NamedTuple):
    """`points` = `scale` * `rotation` @ reference + `shift`: (T,), (T, 3, 3), (T, 3)."""

    scale: Floats
    rotation: Floats
    shift: Floats


@dataclass(frozen=True, slots=True, eq=False)
class FaceMotion:
    """One window at 12.5 Hz (N samples).

    `pose_deg` (N, 3) yaw, pitch, roll against the window's mean face; `shift` (N, 3) to the right and down in eye
    distances, and three times the logarithm of size; `shape` (N, 478, 3) landmarks in the head's axes (x to the
    person's left, y down, z away from the camera), eye distances."""

    pose_deg: Floats
    shift: Floats
    shape: Floats


def face_motion(frames: FaceSequence, start_s: float) -> FaceMotion:
    """The motion in the window from `start_s` of `frames`, which reach a little beyond it at both ends."""
    points, times = frames.landmarks.astype(np.float64), frames.pts_s
    grid = window_grid(start_s)
    smooth = resample(points, times, grid, _SMOOTHING_S)
    fit = rigid_fit(smooth, mean_face(smooth))
    size = float(np.median(fit.scale))
    shift = np.column_stack([fit.shift[:, :2] / size, 3 * np.log(fit.scale / size)])
    return FaceMotion(euler_deg(fit.rotation), shift, in_head_axes(smooth, fit))


def window_grid(start_s: float) -> Floats:
    """The times of a window's samples, s."""
    return start_s + np.arange(round(WINDOW_S * RATE_HZ)) / RATE_HZ


def resample(values: NDArray[np.floating], times: Floats, grid: Floats, smoothing_s: float) -> Floats:
    """Local linear regression with a Gaussian kernel (Fan 1992): (T, ...) at uneven `times` -> (N, ...) at `grid`."""
    apart = times[None] - grid[:, None]
    # The faint second kernel keeps the line determined where frames are missing.
    weight = np.exp(-0.5 * (apart / smoothing_s) ** 2) + 1e-12 * np.exp(-np.abs(apart) / smoothing_s)
    total, first, second = weight.sum(1), (weight * apart).sum(1), (weight * apart**2).sum(1)
    spread = total * second - first**2 + 1e-9 * (total * smoothing_s) ** 2
    kernel = weight * (second[:, None] - first[:, None] * apart) / spread[:, None]
    flat = kernel @ values.reshape(len(values), -1)
    return np.asarray(flat.reshape(len(grid), *values.shape[1:]), np.float64)


def mean_face(points: Floats) -> Floats:
    """(N, 478, 3) -> (478, 3): the mean face upright, centred on its rigid points, one eye distance wide."""
    reference = _upright(points[len(points) // 2])
    for _ in range(_ROUNDS):
        reference = _upright(in_head_axes(points, rigid_fit(points, reference)).mean(0))
    return reference


def rigid_fit(points: Floats, reference: Floats) -> RigidFit:
    """Least-squares similarity of the rigid landmarks in each frame (Umeyama, PAMI 1991)."""
    seen, model = points[:, RIGID], reference[RIGID]
    seen_mean, model_mean = seen.mean(1, keepdims=True), model.mean(0)
    centred, model = seen - seen_mean, model - model_mean
    left, singular, right = np.linalg.svd(np.einsum("tki,kj->tij", centred, model))
    sign = np.ones((len(points), 3))
    sign[:, 2] = np.sign(np.linalg.det(left @ right))  # never a mirror image
    rotation = left * sign[:, None] @ right
    scale = (singular * sign).sum(1) / (model**2).sum()
    return RigidFit(scale, rotation, seen_mean[:, 0] - scale[:, None] * (rotation @ model_mean))


def in_head_axes(points: Floats, fit: RigidFit) -> Floats:
    """(T, 478, 3) in the frame -> in the axes and the unit of the fit's reference."""
    moved = points - fit.shift[:, None]
    return np.asarray(np.einsum("tji,tkj->tki", fit.rotation, moved) / fit.scale[:, None, None], np.float64)


def euler_deg(rotation: Floats) -> Floats:
    """(T, 3, 3) -> (T, 3) yaw, pitch and roll in degrees; roll after yaw after pitch."""
    yaw = np.arctan2(rotation[:, 0, 2], rotation[:, 2, 2])
    pitch = np.arcsin(np.clip(-rotation[:, 1, 2], -1, 1))
    roll = np.arctan2(rotation[:, 1, 0], rotation[:, 1, 1])
    return np.degrees(np.stack([yaw, pitch, roll], 1))


def _upright(face: Floats) -> Floats:
    across = face[LEFT_EYE_CORNER] - face[RIGHT_EYE_CORNER] + face[LEFT_SIDE] - face[RIGHT_SIDE]
    across /= np.linalg.norm(across)
    down = face[CHIN_TIP] - face[FOREHEAD_TOP]
    down = down - across * (across @ down)
    down /= np.linalg.norm(down)
    axes = np.stack([across, down, np.cross(across, down)], 1)
    turned = (face - face[RIGID].mean(0)) @ axes
    return np.asarray(turned / np.linalg.norm(turned[LEFT_EYE_CORNER] - turned[RIGHT_EYE_CORNER]), np.float64)
