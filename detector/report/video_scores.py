"""What an analysis says of any moment of a video: which faces are where, and with which score.

Faces were looked for in sampled frames only. Between two of them a face's place is interpolated, for at most a second
and never across a gap of its track; its score is that of the sampled frame before it. Both are marked as such.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

from detector.analysis.types import Analysis, sigmoid
from detector.analysis.voting import voting
from detector.faces.types import Box, FaceTrack

LONGEST_BRIDGE_S = 1.0


@dataclass(frozen=True, slots=True)
class FaceNow:
    """A face at one moment. `score` in [0, 1] is the mean over the models that decide (sigmoid of the mean logit), None
    where none of them scored it; `examined` is false where the place is interpolated and the score held."""

    track_id: int
    bbox_xyxy_px: Box
    score: float | None
    examined: bool


@dataclass(frozen=True, slots=True)
class Curve:
    """The scores of one track over time, for the strip below the picture: (seconds, score in [0, 1])."""

    track_id: int
    points: tuple[tuple[float, float], ...]


class Moments:
    """Looks up faces by time stamp."""

    def __init__(self, analysis: Analysis) -> None:
        self._scores = decisive_scores(analysis)
        self._tracks = [(track, [seen.pts for seen in track.faces]) for track in analysis.tracks if track.faces]
        self.examined_pts = frozenset(pts for _, times in self._tracks for pts in times)
        self.curves = tuple(self._curve(track) for track, _ in self._tracks)

    def at(self, pts: int, pts_s: float) -> tuple[FaceNow, ...]:
        """The faces at one frame, in the order of the tracks."""
        found = (self._face(track, times, pts, pts_s) for track, times in self._tracks)
        return tuple(face for face in found if face is not None)

    def _face(self, track: FaceTrack, times: list[int], pts: int, pts_s: float) -> FaceNow | None:
        index = bisect_right(times, pts) - 1
        if index < 0:
            return None
        before = track.faces[index]
        score = self._scores.get((track.track_id, before.pts))
        if before.pts == pts:
            return FaceNow(track.track_id, before.face.bbox_xyxy_px, score, True)
        if index + 1 == len(times):
            return None
        after = track.faces[index + 1]
        span_s = after.pts_s - before.pts_s
        if span_s > LONGEST_BRIDGE_S or any(start < after.pts_s and before.pts_s < end for start, end in track.gaps_s):
            return None
        share = (pts_s - before.pts_s) / span_s
        pairs = zip(before.face.bbox_xyxy_px, after.face.bbox_xyxy_px, strict=True)
        left, top, right, bottom = (one + share * (other - one) for one, other in pairs)
        return FaceNow(track.track_id, (left, top, right, bottom), score, False)

    def _curve(self, track: FaceTrack) -> Curve:
        scored = ((seen.pts_s, self._scores.get((track.track_id, seen.pts))) for seen in track.faces)
        return Curve(track.track_id, tuple((pts_s, score) for pts_s, score in scored if score is not None))


def decisive_scores(analysis: Analysis) -> Mapping[tuple[int, int], float]:
    """(track, PTS) -> the mean over the models that decide, as in the report: sigmoid of the mean logit."""
    logits: dict[tuple[int, int], list[float]] = {}
    for model in voting(analysis.models):
        for track in model.tracks:
            for frame in track.frames:
                logits.setdefault((track.track_id, frame.pts), []).append(frame.logit)
    return {key: sigmoid(sum(values) / len(values)) for key, values in logits.items()}
