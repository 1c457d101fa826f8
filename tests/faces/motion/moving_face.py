"""A face of 478 points that turns, shifts and opens its mouth as it is told."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from detector.faces.motion import FaceSequence
from detector.faces.motion import landmarks as rows

Floats = NDArray[np.float64]

# Where the parts lie on the person's left, eye distances from the bridge of the nose: to the left, down.
_LEFT_SIDE = {
    "BROWS": (0.33, -0.22),
    "CHEEKS": (0.38, 0.35),
    "JAW": (0.45, 0.85),
    "SIDES": (0.75, 0.2),
    "LIDS": (0.32, 0.0),
    "LIPS": (0.15, 0.7),
}
_MIDDLE = {"NOSE": (0.0, 0.35), "FOREHEAD": (0.0, -0.6), "CHIN": (0.0, 1.15), "LIPS_MIDDLE": (0.0, 0.7)}
_PLACED = {
    rows.RIGHT_EYE_CORNER: (-0.5, 0.0),
    rows.LEFT_EYE_CORNER: (0.5, 0.0),
    rows.RIGHT_EYE_INNER: (-0.2, 0.0),
    rows.LEFT_EYE_INNER: (0.2, 0.0),
    rows.RIGHT_IRIS: (-0.35, 0.0),
    rows.LEFT_IRIS: (0.35, 0.0),
    rows.FOREHEAD_TOP: (0.0, -0.7),
    rows.CHIN_TIP: (0.0, 1.2),
    rows.UPPER_LIP_INNER: (0.0, 0.68),
    rows.LOWER_LIP_INNER: (0.0, 0.72),
}


def still_face() -> Floats:
    """(478, 3) on an ellipsoid, symmetric where rows pair, one eye distance wide."""
    draw = np.random.default_rng(5)
    plane = draw.uniform((-0.7, -0.7), (0.7, 1.1), (rows.LANDMARKS, 2))
    for name, middle in _MIDDLE.items():
        plane[list(getattr(rows, name))] = np.array(middle) + draw.uniform(-0.05, 0.05, (len(getattr(rows, name)), 2))
    for name, place in _LEFT_SIDE.items():
        right, left = getattr(rows, name)
        plane[list(left)] = np.array(place) + draw.uniform(-0.06, 0.06, (len(left), 2))
        plane[list(right)] = plane[list(left)] * [-1, 1]
    for row, place in _PLACED.items():
        plane[row] = place
    depth = 0.6 - 0.6 * np.sqrt(np.clip(1 - (plane[:, 0] / 0.9) ** 2 - ((plane[:, 1] - 0.2) / 1.4) ** 2, 0, 1))
    return np.column_stack([plane, depth])


def times(seconds: float, fps: float) -> Floats:
    return np.arange(round(seconds * fps)) / fps


def wander(pts_s: Floats, seed: int, fastest_hz: float = 2.0) -> Floats:
    """A smooth curve about 0 of standard deviation about 1, the same at every frame rate."""
    draw = np.random.default_rng(seed)
    hertz, phase = draw.uniform(0.3, fastest_hz, 6), draw.uniform(0, 2 * np.pi, 6)
    return np.sin(2 * np.pi * hertz * pts_s[:, None] + phase).sum(1) / np.sqrt(3)


def turn(yaw_deg: Floats, pitch_deg: Floats) -> Floats:
    """(T, 3, 3): yaw about the axis down the face after pitch about the axis across."""
    yaw, pitch = np.radians(yaw_deg), np.radians(pitch_deg)
    zero, one = np.zeros_like(yaw), np.ones_like(yaw)
    about_down = np.array([[np.cos(yaw), zero, np.sin(yaw)], [zero, one, zero], [-np.sin(yaw), zero, np.cos(yaw)]])
    about_across = np.array(
        [[one, zero, zero], [zero, np.cos(pitch), -np.sin(pitch)], [zero, np.sin(pitch), np.cos(pitch)]]
    )
    return np.einsum("ijt,jkt->tik", about_down, about_across)


def living_shape(pts_s: Floats) -> Floats:
    """(T, 478, 3): mouth and jaw open together, brows, lids and irises move on their own, all else a little."""
    shape = np.repeat(still_face()[None], len(pts_s), axis=0)
    for number, points in enumerate(rows.REGIONS.values()):
        little = np.stack([0.0015 * wander(pts_s, 100 + 3 * number + axis) for axis in range(3)], 1)
        shape[:, points] += little[:, None]
    opening = 0.03 * (wander(pts_s, 1) + 1.5)
    shape[:, [*rows.CHIN, *rows.LOWER_LIP, rows.LOWER_LIP_INNER], 1] += opening[:, None]
    for number in range(2):
        shape[:, list(rows.BROWS[number]), 1] += 0.02 * wander(pts_s, 10 + number)[:, None]
        shape[:, list(rows.UPPER_LIDS[number]), 1] += 0.01 * wander(pts_s, 20)[:, None]
    shape[:, [rows.RIGHT_IRIS, rows.LEFT_IRIS], 0] += 0.01 * wander(pts_s, 30)[:, None]
    return shape


def filmed(
    shape: Floats,
    pts_s: Floats,
    *,
    yaw_deg: Floats | None = None,
    pitch_deg: Floats | None = None,
    shift: Floats | None = None,
    eyes_px: float = 120.0,
    centre_px: tuple[float, float] = (300.0, 200.0),
    faces: NDArray[np.uint8] | None = None,
) -> FaceSequence:
    """A sequence of (T, 478, 3) head-fixed points; `shift` (T, 2) in eye distances, `faces` constant unless given."""
    still = np.zeros(len(pts_s))
    rotation = turn(still if yaw_deg is None else yaw_deg, still if pitch_deg is None else pitch_deg)
    points = np.einsum("tij,tkj->tki", rotation, shape) * eyes_px
    points[:, :, :2] += np.array(centre_px)
    if shift is not None:
        points[:, :, :2] += shift[:, None] * eyes_px
    if faces is None:
        picture = np.random.default_rng(0).integers(60, 200, (64, 64)).astype(np.uint8)
        faces = np.repeat(picture[None], len(pts_s), axis=0)
    return FaceSequence(points.astype(np.float32), pts_s, faces)


def living(seconds: float = 3.0, fps: float = 25.0, **options: float | tuple[float, float]) -> FaceSequence:
    """A face that lives: it turns, nods, talks, blinks and looks about."""
    pts_s = times(seconds, fps)
    yaw = 4 * wander(pts_s, 2) + 0.2 * wander(pts_s, 40, 5.0)
    pitch = 2 * wander(pts_s, 3) + 0.2 * wander(pts_s, 41, 5.0)
    return filmed(living_shape(pts_s), pts_s, yaw_deg=yaw, pitch_deg=pitch, **options)  # type: ignore[arg-type]
