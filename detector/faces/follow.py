"""One tracked face through a segment of time at whatever rate is asked for, with its mesh in every frame.

The mesh runs in a square that follows the face from its own last mesh; the face search runs again only where the mesh
has lost the face.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.errors import CancelledError
from detector.evidence import frames_between
from detector.evidence.types import Evidence, Frame
from detector.faces.backend import FaceBackend
from detector.faces.mesh import Roi, cut_roi, place_in_frame, roi_around, roi_of_detection
from detector.faces.types import Box, FaceTrack

EYES = (33, 263)  # mesh rows of the outer eye corners
_MIN_PRESENCE = 0.5
_SAME_FACE_IOU = 0.2
# A mesh older than this no longer tells where the face is now.
_FRESH_S = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class FollowedFace:
    """One frame: the square around the face as the mesh network saw it, and the mesh (468, 3), refined
    (478, 3), in frame pixels."""

    pts_s: float
    roi: Roi
    picture: NDArray[np.uint8]
    points: NDArray[np.float32]


def follow_face(
    evidence: Evidence,
    track: FaceTrack,
    start_s: float,
    end_s: float,
    backend: FaceBackend,
    *,
    step_s: float,
    on_average: bool = False,
    cancelled: Callable[[], bool] | None = None,
) -> Iterator[tuple[Frame, FollowedFace]]:
    """The frames from `start_s` to `end_s` in which the mesh of `track` is found, at least `step_s` apart, or so far
    apart `on_average`, so that every faster video gives about equally many.

    Decodes that segment only. Raises CancelledError where `cancelled()` turns true, EvidenceError where the stored file
    is gone.
    """
    previous: FollowedFace | None = None
    for frame in frames_between(evidence, start_s, end_s, step_s=step_s, on_average=on_average):
        if cancelled is not None and cancelled():
            raise CancelledError("The analysis was cancelled before it finished; nothing was recorded.")
        fresh = previous if previous is not None and frame.pts_s - previous.pts_s < _FRESH_S else None
        followed = _follow(backend, frame.image, frame.pts_s, box_at(track, frame.pts_s), fresh)
        if followed is not None:
            previous = followed
            yield frame, followed


def box_at(track: FaceTrack, pts_s: float) -> Box:
    """The box of the track's face at `pts_s`: between two sightings on the line that joins them."""
    times = np.array([face.pts_s for face in track.faces])
    boxes = np.array([face.face.bbox_xyxy_px for face in track.faces])
    x0, y0, x1, y1 = (float(np.interp(pts_s, times, boxes[:, side])) for side in range(4))
    return (x0, y0, x1, y1)


def _follow(
    backend: FaceBackend, image: NDArray[np.uint8], pts_s: float, box: Box, previous: FollowedFace | None
) -> FollowedFace | None:
    roi = roi_around(_hull(previous.points), eye_angle(previous.points)) if previous is not None else None
    found = _mesh(backend, image, pts_s, roi) if roi is not None else None
    if found is None or _overlap(_hull(found.points), box) < _SAME_FACE_IOU:
        found = _mesh(backend, image, pts_s, roi_around(box, 0.0))
    if found is not None:
        return found
    near = [face for face in backend.detect(image) if _overlap(face.bbox_xyxy_px, box) > _SAME_FACE_IOU]
    return _mesh(backend, image, pts_s, roi_of_detection(near[0])) if near else None


def _mesh(backend: FaceBackend, image: NDArray[np.uint8], pts_s: float, roi: Roi) -> FollowedFace | None:
    picture = cut_roi(image, roi, backend.mesh_input_px)
    raw = backend.mesh(picture)
    if raw is None or raw.presence < _MIN_PRESENCE:
        return None
    return FollowedFace(pts_s, roi, picture, place_in_frame(raw.points, roi, backend.mesh_input_px))


def _hull(points: NDArray[np.float32]) -> Box:
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    return (float(low[0]), float(low[1]), float(high[0]), float(high[1]))


def eye_angle(points: NDArray[np.float32]) -> float:
    """The angle of the line through the eyes, radians, positive where it falls to the right."""
    right, left = points[EYES[0]], points[EYES[1]]
    return math.atan2(float(left[1] - right[1]), float(left[0] - right[0]))


def _overlap(first: Box, second: Box) -> float:
    """Intersection over union."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return width * height / (areas - width * height)
