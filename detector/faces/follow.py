"""Tracked faces through segments of time at whatever rate is asked for, with their mesh in every frame.

The mesh runs in a square that follows the face from its own last mesh; the face search runs again only where the mesh
has lost the face.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from detector.errors import CancelledError
from detector.evidence import Span, frames_of_spans
from detector.evidence.types import Evidence, Frame, ReadSpans
from detector.faces.backend import FaceBackend
from detector.faces.mesh import Roi, cut_roi, place_in_frame, roi_around, roi_of_detection
from detector.faces.types import Box, FaceTrack

Kept = TypeVar("Kept")

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


@dataclass(frozen=True, slots=True, eq=False)
class TrackSegment:
    """A part of a track, `start_s` <= pts_s < `end_s`, to be followed frame by frame."""

    track: FaceTrack
    start_s: float
    end_s: float


def follow_faces(
    evidence: Evidence,
    segments: Sequence[TrackSegment],
    backend: FaceBackend,
    keep: Callable[[Frame, FollowedFace], Kept],
    *,
    step_s: float,
    on_average: bool = False,
    cancelled: Callable[[], bool] | None = None,
    read: ReadSpans = frames_of_spans,
) -> Iterator[tuple[int, list[Kept]]]:
    """The number of each segment and what `keep` makes of the frames in which its face's mesh is found, as soon as the
    segment is over.

    The frames of a segment are at least `step_s` apart, or so far apart `on_average`, so that every faster video gives
    about equally many. The file is decoded once, and only where there are segments, by `read`. Raises CancelledError
    where `cancelled()` turns true, EvidenceError where the stored file is gone.
    """
    spans = [Span(one.start_s, one.end_s, step_s, on_average) for one in segments]
    followers = [_Follower(one.track, backend) for one in segments]
    kept: dict[int, list[Kept]] = {number: [] for number in range(len(segments))}
    for numbers, frame in read(evidence, spans):
        if cancelled is not None and cancelled():
            raise CancelledError("The analysis was cancelled before it finished; nothing was recorded.")
        for over in [number for number in kept if segments[number].end_s <= frame.pts_s]:
            yield over, kept.pop(over)
        for number in numbers:
            followed = followers[number].look(frame)
            if followed is not None:
                kept[number].append(keep(frame, followed))
    yield from kept.items()


def box_at(track: FaceTrack, pts_s: float) -> Box:
    """The box of the track's face at `pts_s`: between two sightings on the line that joins them."""
    after = bisect_right(track.faces, pts_s, key=lambda face: face.pts_s)
    if after in (0, len(track.faces)):
        return track.faces[max(0, after - 1)].face.bbox_xyxy_px
    near = track.faces[after - 1 : after + 1]
    times = [face.pts_s for face in near]
    x0, y0, x1, y1 = (
        float(np.interp(pts_s, times, [face.face.bbox_xyxy_px[side] for face in near])) for side in range(4)
    )
    return (x0, y0, x1, y1)


class _Follower:
    """Finds one track's face in one frame after the other."""

    def __init__(self, track: FaceTrack, backend: FaceBackend) -> None:
        self._track, self._backend = track, backend
        self._previous: FollowedFace | None = None

    def look(self, frame: Frame) -> FollowedFace | None:
        """The face in a frame later than the one before; None where it is not found."""
        previous = self._previous
        fresh = previous if previous is not None and frame.pts_s - previous.pts_s < _FRESH_S else None
        found = _follow(self._backend, frame.image, frame.pts_s, box_at(self._track, frame.pts_s), fresh)
        self._previous = found or previous
        return found


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
