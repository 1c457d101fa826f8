"""Tracked faces of a file, watched closely enough to measure how they move."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.evidence import frames_of_spans
from detector.evidence.types import Evidence, Frame, ReadSpans
from detector.faces.backend import FaceBackend
from detector.faces.motion.features import MISSING, MotionMeasurement, measure_motion
from detector.faces.motion.landmarks import LANDMARKS
from detector.faces.motion.sequence import FACE_PX, FPS, FaceSequence, align_face
from detector.faces.types import FaceTrack

if TYPE_CHECKING:
    from detector.faces.follow import FollowedFace

WINDOWS: Final = 3
_WHOLE_S, _SEGMENT_S = 8.2, 3.4
_MOST_SLACK_S = 1.0


def watch_motion(
    evidence: Evidence,
    tracks: Sequence[FaceTrack],
    backend: FaceBackend,
    *,
    cancelled: Callable[[], bool] | None = None,
    read: ReadSpans = frames_of_spans,
) -> list[MotionMeasurement]:
    """Up to three windows of each track, spread over it: of a long track three segments are watched.

    `backend` gives the refined mesh, `read` the frames. Raises CancelledError where `cancelled()` turns true,
    EvidenceError where the stored file is gone.
    """
    from detector.faces.follow import TrackSegment, follow_faces  # not for a list of features: OpenCV, PyAV

    segments = [TrackSegment(track, *times) for track in tracks for times in segments_of(track)]
    followed = follow_faces(
        evidence, segments, backend, _look, step_s=1 / FPS, on_average=True, cancelled=cancelled, read=read
    )
    measured = {number: measure_motion(_sequence(looks)) for number, looks in followed}
    return [
        _spread([measured[number] for number, one in enumerate(segments) if one.track is track]) for track in tracks
    ]


def _spread(found: Sequence[MotionMeasurement]) -> MotionMeasurement:
    windows = [window for measured in found for window in measured.windows]
    if not windows:
        return MotionMeasurement((), min((one.missing for one in found if one.missing), key=MISSING.index))
    chosen = np.unique(np.linspace(0, len(windows) - 1, WINDOWS).round().astype(int))
    return MotionMeasurement(tuple(windows[index] for index in chosen))


def segments_of(track: FaceTrack) -> Iterator[tuple[float, float]]:
    """(start, end) seconds: the whole of a track up to 8.2 s, else three segments of 3.4 s from its first to its last
    face. Between two sightings a face may have come or gone, so either end reaches as far as sightings lie apart."""
    times = [face.pts_s for face in track.faces]
    apart = [after - before for before, after in pairwise(times)]
    slack = min(_MOST_SLACK_S, float(np.median(apart))) if apart else 0.0
    start, end = max(0.0, times[0] - slack), times[-1] + slack + 1e-3
    if end - start <= _WHOLE_S:
        yield start, end
        return
    for number in range(WINDOWS):
        begin = start + (end - start - _SEGMENT_S) * number / (WINDOWS - 1)
        yield begin, begin + _SEGMENT_S


class _Look(NamedTuple):
    """A time, the face's mesh then, and the face laid onto the grid of all."""

    pts_s: float
    points: NDArray[np.float32]
    face: NDArray[np.uint8]


def _look(frame: Frame, look: FollowedFace) -> _Look:
    return _Look(look.pts_s, look.points, align_face(frame.image, look.points))


def _sequence(looks: Sequence[_Look]) -> FaceSequence:
    return FaceSequence(
        np.array([look.points for look in looks], np.float32).reshape(-1, LANDMARKS, 3),
        np.array([look.pts_s for look in looks], np.float64),
        np.array([look.face for look in looks], np.uint8).reshape(-1, FACE_PX, FACE_PX),
    )
