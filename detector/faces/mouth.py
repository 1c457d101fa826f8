"""The mouth of one tracked face through a short stretch of time: upright crops and lip measurements at 25 per second.

The mesh is the slowest stage of an analysis, so it runs only on stretches that are asked for, in a square that follows
the face from its own last mesh; the face search runs again only where the mesh has lost the face.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from detector.errors import CancelledError
from detector.evidence.stretch import frames_between
from detector.evidence.types import Evidence
from detector.faces.backend import FaceBackend
from detector.faces.mesh import Roi, cut_roi, place_in_frame, roi_around, roi_of_detection
from detector.faces.types import Box, FaceTrack

RATE_HZ = 25.0
CROP_PX = 48
LIP_MEASURES = ("inner_opening", "outer_opening", "width", "jaw", "protrusion")
# 50 and 60 frames a second are halved; 25 and 30 are all looked at.
_MIN_STEP_S = 0.03
# A grid point counts as seen where a measured frame lies this near.
_NEAR_S = 0.045
_MIN_PRESENCE = 0.5
_SMOOTHED_FRAMES = 5
# The crop's side, as a share of the distance between the outer corners of the eyes: lips, some cheek and chin.
_CROP_SHARE = 1.05
# Mesh rows: outer eye corners, outer lip corners, three inner and three outer pairs of upper and lower lip.
_EYES, _CORNERS = (33, 263), (61, 291)
_INNER = ((82, 87), (13, 14), (312, 317))
_OUTER = ((37, 84), (0, 17), (267, 314))
_NOSE_BASE, _CHIN = 2, 152


@dataclass(frozen=True, slots=True, eq=False)
class MouthTrack:
    """A mouth sampled at 25 Hz from `start_s`: `crops` (T, 48, 48) uint8 grey, eyes level, about one eye distance wide;
    `lips` (T, 5) float32 in shares of the distance between the outer eye corners (`LIP_MEASURES`); `seen` (T,) bool,
    false where no mesh was found (there `crops` and `lips` are 0). `eyes_px` median eye distance, 0 where never
    seen. Sample t is what is shown at `start_s` + t / 25."""

    start_s: float
    crops: NDArray[np.uint8]
    lips: NDArray[np.float32]
    seen: NDArray[np.bool_]
    eyes_px: float

    @property
    def end_s(self) -> float:
        return self.start_s + len(self.seen) / RATE_HZ


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """One frame: the square around the face as seen by the mesh network, and the mesh in pixels of the frame."""

    pts_s: float
    roi: Roi
    picture: NDArray[np.uint8]
    points: NDArray[np.float32]


def follow_mouth(
    evidence: Evidence,
    track: FaceTrack,
    start_s: float,
    end_s: float,
    backend: FaceBackend,
    *,
    cancelled: Callable[[], bool] | None = None,
) -> MouthTrack:
    """Measure the mouth of `track` from `start_s` to `end_s` (float seconds of the video's time line).

    Decodes that stretch only. Raises CancelledError where `cancelled()` turns true, EvidenceError where the stored file
    is gone.
    """
    looks: list[_Look] = []
    last_s = -math.inf

    def wants(pts_s: float) -> bool:
        nonlocal last_s
        if pts_s - last_s < _MIN_STEP_S:
            return False
        last_s = pts_s
        return True

    # Half a step more on both sides, so that the first and last grid points have neighbours.
    for frame in frames_between(evidence, start_s - 0.02, end_s + 0.02, wants=wants):
        if cancelled is not None and cancelled():
            raise CancelledError("The analysis was cancelled before it finished; nothing was recorded.")
        box = box_at(track, frame.pts_s)
        previous = looks[-1] if looks and frame.pts_s - looks[-1].pts_s < 0.2 else None
        look = _look(backend, frame.image, frame.pts_s, box, previous)
        if look is not None:
            looks.append(look)
    return _on_grid(looks, start_s, max(1, round((end_s - start_s) * RATE_HZ)))


def box_at(track: FaceTrack, pts_s: float) -> Box:
    """Where the track's face is at `pts_s`: between two sightings on the line that joins them."""
    times = np.array([face.pts_s for face in track.faces])
    boxes = np.array([face.face.bbox_xyxy_px for face in track.faces])
    x0, y0, x1, y1 = (float(np.interp(pts_s, times, boxes[:, side])) for side in range(4))
    return (x0, y0, x1, y1)


def measure_lips(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """(5,) float32 `LIP_MEASURES` of a mesh (468, 3), lengths in space as shares of the eyes' outer distance.

    Lengths are taken in three dimensions, so that a turned head changes them less. `protrusion` is how much nearer the
    lips are to the camera than the base of the nose.
    """
    eyes = float(np.linalg.norm(points[_EYES[0]] - points[_EYES[1]]))

    def mean_gap(pairs: tuple[tuple[int, int], ...]) -> float:
        return float(np.mean([np.linalg.norm(points[upper] - points[lower]) for upper, lower in pairs]))

    lips_z = float(points[[0, 17, 13, 14], 2].mean())
    lengths = (
        mean_gap(_INNER),
        mean_gap(_OUTER),
        float(np.linalg.norm(points[_CORNERS[0]] - points[_CORNERS[1]])),
        float(np.linalg.norm(points[_CHIN] - points[_NOSE_BASE])),
        float(points[_NOSE_BASE, 2]) - lips_z,
    )
    return np.array(lengths, np.float32) / max(eyes, 1e-3)


def _look(
    backend: FaceBackend, image: NDArray[np.uint8], pts_s: float, box: Box, previous: _Look | None
) -> _Look | None:
    roi = roi_around(_hull(previous.points), _eye_angle(previous.points)) if previous is not None else None
    found = _mesh(backend, image, pts_s, roi) if roi is not None else None
    if found is None or _overlap(_hull(found.points), box) < 0.2:
        found = _mesh(backend, image, pts_s, roi_around(box, 0.0))
    if found is not None:
        return found
    near = [face for face in backend.detect(image) if _overlap(face.bbox_xyxy_px, box) > 0.2]
    return _mesh(backend, image, pts_s, roi_of_detection(near[0])) if near else None


def _mesh(backend: FaceBackend, image: NDArray[np.uint8], pts_s: float, roi: Roi) -> _Look | None:
    picture = cut_roi(image, roi, backend.mesh_input_px)
    raw = backend.mesh(picture)
    if raw is None or raw.presence < _MIN_PRESENCE:
        return None
    return _Look(pts_s, roi, picture, place_in_frame(raw.points, roi, backend.mesh_input_px))


def _on_grid(looks: list[_Look], start_s: float, count: int) -> MouthTrack:
    crops = np.zeros((count, CROP_PX, CROP_PX), np.uint8)
    lips = np.zeros((count, len(LIP_MEASURES)), np.float32)
    seen = np.zeros(count, bool)
    if not looks:
        return MouthTrack(start_s, crops, lips, seen, 0.0)
    times = np.array([look.pts_s for look in looks])
    grid = start_s + np.arange(count) / RATE_HZ
    after = np.clip(np.searchsorted(times, grid), 1, max(1, len(times) - 1))
    nearest = np.where(
        np.abs(times[np.minimum(after, len(times) - 1)] - grid) < np.abs(times[after - 1] - grid),
        np.minimum(after, len(times) - 1),
        after - 1,
    )
    seen = np.abs(times[nearest] - grid) <= _NEAR_S
    measured = np.stack([measure_lips(look.points) for look in looks])
    for column in range(lips.shape[1]):
        lips[:, column] = np.interp(grid, times, measured[:, column])
    lips[~seen] = 0
    eyes_px = np.array([np.linalg.norm(look.points[_EYES[0]] - look.points[_EYES[1]]) for look in looks])
    cuts = _cut_mouths(looks, float(np.median(eyes_px)))
    crops[seen] = cuts[nearest[seen]]
    return MouthTrack(start_s, crops, lips, seen, float(np.median(eyes_px)))


def _cut_mouths(looks: list[_Look], eyes_px: float) -> NDArray[np.uint8]:
    """(N, 48, 48) grey crops around the lip corners; one scale for the stretch and smoothed places, so that the crop
    does not breathe with the mouth that it shows."""
    corners = np.stack([look.points[list(_CORNERS), :2].mean(axis=0) for look in looks])
    angles = np.array([_eye_angle(look.points) for look in looks])
    window = min(_SMOOTHED_FRAMES, len(looks))
    corners = uniform_filter1d(corners, window, axis=0, mode="nearest")
    angles = uniform_filter1d(angles, window, mode="nearest")
    side_px = max(4.0, _CROP_SHARE * eyes_px)
    cuts = []
    for look, corner, angle in zip(looks, corners, angles, strict=True):
        cuts.append(_cut_from(look, Roi(float(corner[0]), float(corner[1]), side_px, float(angle))))
    return np.stack(cuts)


def _cut_from(look: _Look, wanted: Roi) -> NDArray[np.uint8]:
    """`wanted` (in the frame) out of the square that was kept instead of the frame."""
    scale = look.picture.shape[0] / look.roi.side_px
    cosine, sine = math.cos(-look.roi.angle_rad), math.sin(-look.roi.angle_rad)
    x, y = wanted.centre_x_px - look.roi.centre_x_px, wanted.centre_y_px - look.roi.centre_y_px
    half = look.picture.shape[0] / 2
    inside = Roi(
        half + scale * (cosine * x - sine * y),
        half + scale * (sine * x + cosine * y),
        wanted.side_px * scale,
        wanted.angle_rad - look.roi.angle_rad,
    )
    return np.asarray(cv2.cvtColor(cut_roi(look.picture, inside, CROP_PX), cv2.COLOR_RGB2GRAY), np.uint8)


def _hull(points: NDArray[np.float32]) -> Box:
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    return (float(low[0]), float(low[1]), float(high[0]), float(high[1]))


def _eye_angle(points: NDArray[np.float32]) -> float:
    right, left = points[_EYES[0]], points[_EYES[1]]
    return math.atan2(float(left[1] - right[1]), float(left[0] - right[0]))


def _overlap(first: Box, second: Box) -> float:
    """Intersection over union."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return width * height / (areas - width * height)
