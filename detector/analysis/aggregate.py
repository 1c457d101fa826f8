"""From logits of faces to logits of tracks, and which tracks decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.analysis.types import FrameScore, TrackScore
from detector.faces.types import Box, FaceTrack, TrackedFace
from detector.settings import AnalysisSettings

WEIGHT_FLOOR = 1e-3  # a worthless face still counts a little, so a track of only such faces has a (capped) score
USABLE_WEIGHT = 0.2  # a track whose mean quality weight is below this does not outvote better ones


class FaceKey(NamedTuple):
    """Names one face of one frame; tracks may be re-joined after scoring, so a track id cannot."""

    frame_index: int
    bbox_xyxy_px: Box


def face_key(tracked: TrackedFace) -> FaceKey:
    """The key of a face among those of a file: its frame and its box."""
    return FaceKey(tracked.frame_index, tracked.face.bbox_xyxy_px)


def track_score(track: FaceTrack, logits: Mapping[FaceKey, float]) -> TrackScore | None:
    """Mean of the faces' finite logits weighted by max(quality weight, 0.001); None where no face has one."""
    frames = []
    for tracked in track.faces:
        logit = logits.get(face_key(tracked))
        if logit is not None and np.isfinite(logit):
            weight = float(tracked.face.quality.weight)
            frames.append(FrameScore(tracked.frame_index, tracked.pts, tracked.pts_s, float(logit), weight))
    if not frames:
        return None
    values = np.array([frame.logit for frame in frames])
    weights = np.maximum([frame.weight for frame in frames], WEIGHT_FLOOR)
    return TrackScore(track.track_id, float(np.average(values, weights=weights)), tuple(frames))


def track_mean(track: FaceTrack, rows: Mapping[FaceKey, NDArray[np.float32]]) -> NDArray[np.float64] | None:
    """The mean (P,) of the faces' rows (P,), weighted as `track_score` weights them; None where no face has one."""
    read = [(rows[key], one.face.quality.weight) for one in track.faces if (key := face_key(one)) in rows]
    if not read:
        return None
    values, weights = zip(*read, strict=True)
    return np.asarray(np.average(np.stack(values), axis=0, weights=np.maximum(weights, WEIGHT_FLOOR)), np.float64)


def deciding_rank(track: FaceTrack, settings: AnalysisSettings, *, still: bool) -> int:
    """A track's entitlement to decide, 3 best.

    3: at least `min_frames` faces (one in a still) of usable mean quality. 2: enough faces of poor quality. 1: too few
    faces. 0: only centre crops, where no face was found at all. Only tracks of the best rank present decide, so that a
    flicker of the detector in the background never speaks for a file that shows somebody for a minute.
    """
    if all(tracked.face.source == "centre_crop" for tracked in track.faces):
        return 0
    if not still and len(track.faces) < settings.min_frames:
        return 1
    return 3 if mean_weight(track) >= USABLE_WEIGHT else 2


def mean_weight(track: FaceTrack) -> float:
    """Mean quality weight of a track's faces, 0..1."""
    return float(np.mean([tracked.face.quality.weight for tracked in track.faces]))


def deciding_tracks(tracks: Sequence[FaceTrack], settings: AnalysisSettings, *, still: bool) -> tuple[FaceTrack, ...]:
    """The tracks of the best rank present (see `deciding_rank`); empty only where there is no track."""
    ranks = [deciding_rank(track, settings, still=still) for track in tracks]
    return tuple(track for track, rank in zip(tracks, ranks, strict=True) if rank == max(ranks))
