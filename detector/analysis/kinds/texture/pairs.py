"""Constancy of a face's fine detail: a few segments of each track, moments of it compared in pairs.

A face animated from one still carries that still's detail along; see `detector.faces.texture`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.analysis.types import TrackScore
from detector.evidence import frames_of_spans
from detector.evidence.types import Evidence, Frame, ReadSpans
from detector.faces.backend import FaceBackend, default_backend
from detector.faces.follow import FollowedFace, TrackSegment, follow_faces
from detector.faces.texture import compare_texture
from detector.faces.types import FaceTrack

if TYPE_CHECKING:
    from detector.registry import LoadedModel, TextureModel

LAGS_S: Final = (0.3, 3.5)
LEAST_PAIRS: Final = 6
# Mean landmark shift, in sides of the face, that a similarity leaves over. Meshes of a photograph under a moving camera
# stay below it: who holds still and what is a still look alike, so such pairs say nothing.
LEAST_EXPRESSION: Final = 0.006
_STEP_S, _SEGMENT_S, _SEGMENTS, _TRACKS = 0.19, 5.0, 3, 4
_PAIRS = 24  # of each segment
_ROOM, _LARGEST_PX = 0.35, 384.0


class Moment(NamedTuple):
    """A face at one time: `image` (H, W, 3) uint8 around it, `mesh` (468, 2) float32 in its pixels."""

    pts_s: float
    image: NDArray[np.uint8]
    mesh: NDArray[np.float32]


def examine_texture(
    evidence: Evidence,
    tracks: Sequence[FaceTrack],
    model: LoadedModel,
    *,
    cancelled: Callable[[], bool] | None = None,
    backend: FaceBackend | None = None,
    read: ReadSpans = frames_of_spans,
) -> list[TrackScore]:
    """A score for each of `tracks` (the four longest) that is followed long enough: up to three segments of five
    seconds, spread evenly, five moments a second. Tracks with fewer than six comparable pairs have none.

    `backend` replaces MediaPipe and is left open; `read` gives the frames. Raises CancelledError where
    `cancelled()` turns true.
    """
    if backend is not None:
        return _examine(evidence, tracks, model, backend, cancelled, read)
    with closing(default_backend()) as own:
        return _examine(evidence, tracks, model, own, cancelled, read)


def _examine(
    evidence: Evidence,
    tracks: Sequence[FaceTrack],
    model: LoadedModel,
    backend: FaceBackend,
    cancelled: Callable[[], bool] | None,
    read: ReadSpans,
) -> list[TrackScore]:
    longest = sorted(tracks, key=lambda one: one.faces[0].pts_s - one.faces[-1].pts_s)[:_TRACKS]
    segments = [TrackSegment(track, *times) for track in longest for times in segments_of(track)]
    followed = follow_faces(evidence, segments, backend, _moment, step_s=_STEP_S, cancelled=cancelled, read=read)
    found = {number: pairs_of(moments, _PAIRS) for number, moments in followed}
    scores = []
    for track in longest:
        pairs = [pair for number, one in enumerate(segments) if one.track is track for pair in found[number]]
        if len(pairs) >= LEAST_PAIRS:
            logits = cast("TextureModel", model).texture(np.stack(pairs))
            scores.append(TrackScore(track.track_id, float(logits.mean()), ()))
    return scores


def segments_of(track: FaceTrack) -> Iterator[tuple[float, float]]:
    """(start, end) seconds within the track: all of a short one, else spread evenly from its first to its last face."""
    first, last = track.faces[0].pts_s, track.faces[-1].pts_s
    count = int(min(_SEGMENTS, max(1, (last - first) // _SEGMENT_S)))
    for number in range(count):
        start = first + (last - first - _SEGMENT_S) * (number / (count - 1) if count > 1 else 0.5)
        yield max(first, start), min(last, start + _SEGMENT_S) + 1e-3


def pairs_of(moments: Sequence[Moment], most: int) -> list[NDArray[np.float32]]:
    """Measures by `compare_texture` of up to `most` pairs of moments 0.3 to 3.5 seconds apart, spread evenly; pairs
    between which the expression hardly changes are left out."""
    apart = [
        (first, second)
        for index, first in enumerate(moments)
        for second in moments[index + 1 :]
        if LAGS_S[0] <= second.pts_s - first.pts_s <= LAGS_S[1]
    ]
    chosen = np.unique(np.linspace(0, len(apart) - 1, min(most, len(apart))).round().astype(int)) if apart else ()
    compared = (
        compare_texture(
            first.image,
            first.mesh,
            second.image,
            second.mesh,
            second.pts_s - first.pts_s,
            least_expression=LEAST_EXPRESSION,
        )
        for first, second in (apart[index] for index in chosen)
    )
    return [values for values in compared if values is not None]


def _moment(frame: Frame, look: FollowedFace) -> Moment:
    return around_face(frame.pts_s, frame.image, look.points[:, :2])


def around_face(pts_s: float, image: NDArray[np.uint8], mesh: NDArray[np.float32]) -> Moment:
    """The face with some room, at most 384 px across, so that a segment of a large video stays small in memory."""
    low, high = mesh.min(0), mesh.max(0)
    room = _ROOM * float((high - low).max())
    height, width = image.shape[:2]
    left, top = (int(max(0, value - room)) for value in low)
    right, bottom = int(min(width, high[0] + room + 1)), int(min(height, high[1] + room + 1))
    cut, points = image[top:bottom, left:right], mesh - np.array((left, top), np.float32)
    scale = _LARGEST_PX / float((high - low).max())
    if scale < 1:
        size = (max(1, round(cut.shape[1] * scale)), max(1, round(cut.shape[0] * scale)))
        points = points * np.array((size[0] / cut.shape[1], size[1] / cut.shape[0]), np.float32)
        cut = cv2.resize(cut, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    return Moment(pts_s, np.array(cut), points.astype(np.float32))
