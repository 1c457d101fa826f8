"""A tracked face of a file, watched closely enough to measure how it moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final

import numpy as np

from detector.evidence.types import Evidence
from detector.faces.backend import FaceBackend
from detector.faces.motion.features import MISSING, MotionMeasurement, measure_motion
from detector.faces.motion.landmarks import LANDMARKS
from detector.faces.motion.sequence import FACE_PX, FPS, FaceSequence, align_face
from detector.faces.types import FaceTrack

WINDOWS: Final = 3
_WHOLE_S, _SEGMENT_S = 8.2, 3.4
_MOST_SLACK_S = 1.0


def watch_motion(
    evidence: Evidence, track: FaceTrack, backend: FaceBackend, *, cancelled: Callable[[], bool] | None = None
) -> MotionMeasurement:
    """Up to three windows of a track, spread over it: all of a short track is decoded, of a longer one three segments.

    `backend` gives the refined mesh. Raises CancelledError where `cancelled()` turns true, EvidenceError where the
    stored file is gone.
    """
    found = [
        measure_motion(_sequence(evidence, track, start_s, end_s, backend, cancelled))
        for start_s, end_s in segments_of(track)
    ]
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


def _sequence(
    evidence: Evidence,
    track: FaceTrack,
    start_s: float,
    end_s: float,
    backend: FaceBackend,
    cancelled: Callable[[], bool] | None,
) -> FaceSequence:
    from detector.faces.follow import follow_face  # with OpenCV and PyAV, which a list of features needs not

    readings = follow_face(
        evidence, track, start_s, end_s, backend, step_s=1 / FPS, on_average=True, cancelled=cancelled
    )
    seen = [(look.pts_s, look.points, align_face(frame.image, look.points)) for frame, look in readings]
    return FaceSequence(
        np.array([points for _, points, _ in seen], np.float32).reshape(-1, LANDMARKS, 3),
        np.array([pts_s for pts_s, _, _ in seen], np.float64),
        np.array([face for *_, face in seen], np.uint8).reshape(-1, FACE_PX, FACE_PX),
    )
