"""The mouths of tracked faces through short segments of time: upright crops and lip measurements at 25 per second.

The mesh is the slowest stage of an analysis, so it runs only on segments that are asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d

from detector.evidence import frames_of_spans
from detector.evidence.types import Evidence, ReadSpans
from detector.faces.backend import FaceBackend
from detector.faces.follow import EYES, FollowedFace, TrackSegment, eye_angle, follow_faces
from detector.faces.mesh import Roi, cut_roi

RATE_HZ = 25.0
CROP_PX = 48
LIP_MEASURES = ("inner_opening", "outer_opening", "width", "jaw", "protrusion")
# 50 and 60 frames a second are halved; 25 and 30 are all looked at.
_MIN_STEP_S = 0.03
# A grid point counts as seen where a measured frame lies this near.
_NEAR_S = 0.045
_SMOOTHED_FRAMES = 5
# The crop's side, as a share of the distance between the outer corners of the eyes: lips, some cheek and chin.
_CROP_SHARE = 1.05
# Mesh rows: outer lip corners, three inner and three outer pairs of upper and lower lip.
_CORNERS = (61, 291)
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
        """The time after its last sample, s."""
        return self.start_s + len(self.seen) / RATE_HZ


def follow_mouths(
    evidence: Evidence,
    segments: Sequence[TrackSegment],
    backend: FaceBackend,
    *,
    cancelled: Callable[[], bool] | None = None,
    read: ReadSpans = frames_of_spans,
) -> list[MouthTrack]:
    """The mouth of each segment, in their order.

    Decodes those segments only, by `read`, and a frame that several share once. Raises CancelledError
    where `cancelled()` turns true, EvidenceError where the stored file is gone.
    """
    # Half a step more on both sides, so that the first and last grid points have neighbours.
    wider = [TrackSegment(one.track, one.start_s - 0.02, one.end_s + 0.02) for one in segments]
    looks = follow_faces(
        evidence, wider, backend, lambda _, face: face, step_s=_MIN_STEP_S, cancelled=cancelled, read=read
    )
    mouths = {number: _on_segment(faces, segments[number]) for number, faces in looks}
    return [mouths[number] for number in range(len(segments))]


def _on_segment(faces: list[FollowedFace], segment: TrackSegment) -> MouthTrack:
    return _on_grid(faces, segment.start_s, max(1, round((segment.end_s - segment.start_s) * RATE_HZ)))


def measure_lips(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """(5,) float32 `LIP_MEASURES` of a mesh (468, 3), lengths in space as shares of the eyes' outer distance.

    Lengths are taken in three dimensions, so that a turned head changes them less. `protrusion` is how much nearer the
    lips are to the camera than the base of the nose.
    """
    eyes = float(np.linalg.norm(points[EYES[0]] - points[EYES[1]]))

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


def _on_grid(faces: list[FollowedFace], start_s: float, count: int) -> MouthTrack:
    crops = np.zeros((count, CROP_PX, CROP_PX), np.uint8)
    lips = np.zeros((count, len(LIP_MEASURES)), np.float32)
    seen = np.zeros(count, bool)
    if not faces:
        return MouthTrack(start_s, crops, lips, seen, 0.0)
    times = np.array([face.pts_s for face in faces])
    grid = start_s + np.arange(count) / RATE_HZ
    after = np.clip(np.searchsorted(times, grid), 1, max(1, len(times) - 1))
    nearest = np.where(
        np.abs(times[np.minimum(after, len(times) - 1)] - grid) < np.abs(times[after - 1] - grid),
        np.minimum(after, len(times) - 1),
        after - 1,
    )
    seen = np.abs(times[nearest] - grid) <= _NEAR_S
    measured = np.stack([measure_lips(face.points) for face in faces])
    for column in range(lips.shape[1]):
        lips[:, column] = np.interp(grid, times, measured[:, column])
    lips[~seen] = 0
    eyes_px = np.array([np.linalg.norm(face.points[EYES[0]] - face.points[EYES[1]]) for face in faces])
    cuts = _cut_mouths(faces, float(np.median(eyes_px)))
    crops[seen] = cuts[nearest[seen]]
    return MouthTrack(start_s, crops, lips, seen, float(np.median(eyes_px)))


def _cut_mouths(faces: list[FollowedFace], eyes_px: float) -> NDArray[np.uint8]:
    """(N, 48, 48) grey crops around the lip corners; one scale for the segment and smoothed places, so that the crop
    does not breathe with the mouth that it shows."""
    corners = np.stack([face.points[list(_CORNERS), :2].mean(axis=0) for face in faces])
    angles = np.array([eye_angle(face.points) for face in faces])
    window = min(_SMOOTHED_FRAMES, len(faces))
    corners = uniform_filter1d(corners, window, axis=0, mode="nearest")
    angles = uniform_filter1d(angles, window, mode="nearest")
    side_px = max(4.0, _CROP_SHARE * eyes_px)
    cuts = []
    for face, corner, angle in zip(faces, corners, angles, strict=True):
        cuts.append(_cut_from(face, Roi(float(corner[0]), float(corner[1]), side_px, float(angle))))
    return np.stack(cuts)


def _cut_from(face: FollowedFace, wanted: Roi) -> NDArray[np.uint8]:
    """`wanted` (in the frame) out of the square that was kept instead of the frame."""
    scale = face.picture.shape[0] / face.roi.side_px
    cosine, sine = math.cos(-face.roi.angle_rad), math.sin(-face.roi.angle_rad)
    x, y = wanted.centre_x_px - face.roi.centre_x_px, wanted.centre_y_px - face.roi.centre_y_px
    half = face.picture.shape[0] / 2
    inside = Roi(
        half + scale * (cosine * x - sine * y),
        half + scale * (sine * x + cosine * y),
        wanted.side_px * scale,
        wanted.angle_rad - face.roi.angle_rad,
    )
    return np.asarray(cv2.cvtColor(cut_roi(face.picture, inside, CROP_PX), cv2.COLOR_RGB2GRAY), np.uint8)
