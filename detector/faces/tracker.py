"""Follow each face through a shot.

Online assignment in the manner of SORT (Bewley et al. 2016, https://arxiv.org/abs/1602.00763): constant velocity
predicts where each face is now, the Hungarian method pairs predictions with detections. Three departures: time is
in seconds, because examined frames are not evenly spaced; as in ByteTrack (Zhang et al. 2022) faces seen a frame ago
are paired first and missed ones get what is left; and a colour histogram joins position and size in the cost, so
that two people who cross keep their numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from detector.evidence.types import Frame
from detector.faces.search import iou
from detector.faces.types import Box, DetectedFace, FaceTrack, TrackedFace

_MAX_GAP_S = 1.0
# At sparse sampling a second holds too few frames; then this many sampling intervals may pass instead.
_MAX_GAP_INTERVALS = 2.5
# How far a face may be from its prediction, in face sizes: at once, more per second, and at most.
_REACH, _REACH_PER_S, _REACH_MAX = 0.7, 1.0, 2.0
_MAX_SIZE_RATIO, _MAX_SIZE_RATIO_PER_S = 1.6, 1.5
_MAX_REJOIN_COLOUR = 0.6
_REFUSED = 1e6
_SMOOTHING = 0.5


@dataclass(slots=True)
class _Track:
    track_id: int
    shot_index: int
    box: Box
    colour: NDArray[np.float32]
    velocity_px_s: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    faces: list[TrackedFace] = field(default_factory=list)
    gaps_s: list[tuple[float, float]] = field(default_factory=list)
    missed: bool = False

    @property
    def last_pts_s(self) -> float:
        return self.faces[-1].pts_s

    def predicted(self, pts_s: float) -> Box:
        """The last box moved at its velocity; beyond a second the face may be anywhere and stays where it is."""
        shift = self.velocity_px_s * min(max(0.0, pts_s - self.last_pts_s), _MAX_GAP_S)
        x0, y0, x1, y1 = self.box
        return (x0 + shift[0], y0 + shift[1], x1 + shift[0], y1 + shift[1])

    def add(self, frame: Frame, face: DetectedFace, colour: NDArray[np.float32]) -> None:
        if self.faces:
            elapsed_s = max(1e-3, frame.pts_s - self.last_pts_s)
            measured = (_centre(face.bbox_xyxy_px) - _centre(self.box)) / elapsed_s
            share = 1.0 if len(self.faces) == 1 else _SMOOTHING
            self.velocity_px_s = (1.0 - share) * self.velocity_px_s + share * measured
            self.colour = (1.0 - _SMOOTHING) * self.colour + _SMOOTHING * colour
            if self.missed:
                self.gaps_s.append((self.last_pts_s, frame.pts_s))
        self.box = face.bbox_xyxy_px
        self.missed = False
        self.faces.append(TrackedFace(frame.frame_index, frame.pts, frame.pts_s, face))


class Tracker:
    """Gives every face a track number, frame by frame in presentation order; equal input, equal numbers.

    A track ends at a shot change, or when its face was missed for more than a second (at sparse sampling: two
    examined frames). A face that returns sooner, near where it was heading and of like size and colours, continues
    its track; the absence is kept in `gaps_s` as (last seen, seen again). Numbers count from 1 in order of first
    appearance and are never used twice. Centre crops follow one another but never join a face's track.
    """

    def __init__(self) -> None:
        self._active: list[_Track] = []
        self._ended: list[_Track] = []
        self._last_pts_s: float | None = None

    def update(self, frame: Frame, faces: tuple[DetectedFace, ...]) -> tuple[int, ...]:
        """Track number of each of `faces`, in their order. `frame` is later than the one before."""
        interval_s = 0.0 if self._last_pts_s is None else max(0.0, frame.pts_s - self._last_pts_s)
        self._last_pts_s = frame.pts_s
        self._end_stale(frame, max(_MAX_GAP_S, _MAX_GAP_INTERVALS * interval_s))
        colours = [_colour(frame.image, face.bbox_xyxy_px) for face in faces]
        owners: dict[int, _Track] = {}
        for missed in (False, True):
            tracks = [track for track in self._active if track.missed == missed]
            free = [index for index in range(len(faces)) if index not in owners]
            owners.update(_assign(tracks, free, frame.pts_s, faces, colours))
        for index, face in enumerate(faces):
            if index not in owners:
                number = len(self._active) + len(self._ended) + 1
                owners[index] = _Track(number, frame.shot_index, face.bbox_xyxy_px, colours[index])
                self._active.append(owners[index])
            owners[index].add(frame, face, colours[index])
        seen = {track.track_id for track in owners.values()}
        for track in self._active:
            track.missed = track.track_id not in seen
        return tuple(owners[index].track_id for index in range(len(faces)))

    def finish(self) -> tuple[FaceTrack, ...]:
        """All tracks by number. An absence at the end of a track is no gap: the face did not come back."""
        tracks = sorted(self._ended + self._active, key=lambda track: track.track_id)
        return tuple(
            FaceTrack(track.track_id, track.shot_index, tuple(track.faces), tuple(track.gaps_s)) for track in tracks
        )

    def _end_stale(self, frame: Frame, max_gap_s: float) -> None:
        kept: list[_Track] = []
        for track in self._active:
            stale = track.shot_index != frame.shot_index or frame.pts_s - track.last_pts_s > max_gap_s + 1e-6
            (self._ended if stale else kept).append(track)
        self._active = kept


def _assign(
    tracks: list[_Track],
    free: list[int],
    pts_s: float,
    faces: tuple[DetectedFace, ...],
    colours: list[NDArray[np.float32]],
) -> dict[int, _Track]:
    """Face index -> track, at least total cost, refused pairs left out."""
    if not tracks or not free:
        return {}
    costs = np.array([[_cost(track, faces[index], colours[index], pts_s) for index in free] for track in tracks])
    rows, columns = linear_sum_assignment(costs)
    return {
        free[column]: tracks[row] for row, column in zip(rows, columns, strict=True) if costs[row, column] < _REFUSED
    }


def _cost(track: _Track, face: DetectedFace, colour: NDArray[np.float32], pts_s: float) -> float:
    """Cost of giving `face` to `track`: overlap, distance in face sizes, size and colour; `_REFUSED` if impossible."""
    if (track.faces[-1].face.source == "centre_crop") != (face.source == "centre_crop"):
        return _REFUSED
    elapsed_s = max(0.0, pts_s - track.last_pts_s)
    # A turn may have stopped the head: both where it was heading and where it was last seen are fair guesses.
    guesses = (track.predicted(pts_s), track.box)
    size, other = _size(track.box), _size(face.bbox_xyxy_px)
    mean_size = math.sqrt(size * other)
    predicted_away, last_away = (
        float(np.linalg.norm(_centre(guess) - _centre(face.bbox_xyxy_px))) / mean_size for guess in guesses
    )
    away = min(predicted_away, last_away + 0.25)
    ratio = max(size, other) / min(size, other)
    colour_distance = float(cv2.compareHist(track.colour, colour, cv2.HISTCMP_BHATTACHARYYA))
    if (
        away > min(_REACH_MAX, _REACH + _REACH_PER_S * elapsed_s)
        or ratio > _MAX_SIZE_RATIO * _MAX_SIZE_RATIO_PER_S ** min(elapsed_s, 1.0)
        or (track.missed and colour_distance > _MAX_REJOIN_COLOUR)
    ):
        return _REFUSED
    return (1.0 - iou(guesses[0], face.bbox_xyxy_px)) + away + math.log(ratio) + colour_distance


def _colour(image: NDArray[np.uint8], box: Box) -> NDArray[np.float32]:
    """Colours of head and shoulders, (6, 6, 6) float32 RGB histogram that sums to 1."""
    height, width = image.shape[:2]
    spare = 0.25 * (box[2] - box[0])
    x0, x1 = np.clip([box[0] - spare, box[2] + spare], 0, width).astype(int)
    y0, y1 = np.clip([box[1] - spare, box[3] + 2.0 * spare], 0, height).astype(int)
    region = image[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]
    if region.size == 0:
        return np.full((6, 6, 6), 1.0 / 216.0, np.float32)
    small = cv2.resize(region, (32, 32), interpolation=cv2.INTER_AREA)
    histogram = cv2.calcHist([small], [0, 1, 2], None, [6, 6, 6], [0, 256, 0, 256, 0, 256])
    return np.asarray(histogram / max(1.0, float(histogram.sum())), dtype=np.float32)


def _centre(box: Box) -> NDArray[np.float64]:
    return np.array([(box[0] + box[2]) / 2.0, (box[1] + box[3]) / 2.0])


def _size(box: Box) -> float:
    return max(1.0, math.sqrt(max(0.0, (box[2] - box[0]) * (box[3] - box[1]))))
