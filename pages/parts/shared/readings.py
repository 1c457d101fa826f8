"""One analysis, indexed the way a page asks: by moment, by face, by model."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

from detector.analysis.kinds import kind_of
from detector.analysis.types import Analysis, Cue, CueResult, FrameScore, ModelResult, sigmoid
from detector.faces.types import FaceTrack, TrackedFace

FaceKey = tuple[int, int]  # (track_id, pts)


@dataclass(frozen=True, slots=True)
class Readings:
    """`moments` holds the PTS of every frame in which a face was found, ascending; `scores` maps a face to what each
    model said about it (a model that did not score the face is absent, never 0)."""

    analysis: Analysis
    moments: tuple[int, ...]
    faces: dict[FaceKey, TrackedFace]
    scores: dict[FaceKey, dict[str, FrameScore]]

    @classmethod
    def of(cls, analysis: Analysis) -> Readings:
        """All readings of an analysis, by face and time."""
        faces = {(track.track_id, face.pts): face for track in analysis.tracks for face in track.faces}
        scores: dict[FaceKey, dict[str, FrameScore]] = {}
        for model in analysis.models:
            for track in model.tracks:
                for frame in track.frames:
                    scores.setdefault((track.track_id, frame.pts), {})[model.model_id] = frame
        return cls(analysis, tuple(sorted({pts for _, pts in faces})), faces, scores)

    def combined_score(self, key: FaceKey, model_id: str | None = None) -> float | None:
        """The score of one face, 0 to 1: a single model's, or with `model_id` None the ensemble's where it scored the
        face, else the sigmoid of the frame models' mean logit, else of all models'."""
        found = self.scores.get(key, {})
        if model_id is not None:
            return found[model_id].score if model_id in found else None
        kinds = {model.model_id: kind_of(model) for model in self.analysis.models}
        for wanted in (lambda kind: kind.fuses, lambda kind: kind.heatmaps, lambda kind: True):
            logits = [frame.logit for name, frame in found.items() if wanted(kinds[name])]
            if logits:
                return sigmoid(fmean(logits))
        return None

    def with_frame_scores(self) -> list[ModelResult]:
        """The models that scored single frames, in the order of the analysis."""
        return [model for model in self.analysis.models if any(track.frames for track in model.tracks)]

    def model_index(self, model_id: str) -> int:
        """The model's place in the analysis, from 0; decides its colour."""
        return next(index for index, model in enumerate(self.analysis.models) if model.model_id == model_id)

    def cues(self) -> dict[Cue, tuple[ModelResult, CueResult]]:
        """Each cue that some model of the analysis answers for, with that model; the first where several do."""
        found: dict[Cue, tuple[ModelResult, CueResult]] = {}
        for model in self.analysis.models:
            for cue in model.specialists:
                found.setdefault(cue.cue, (model, cue))
        return found

    def tracks_at(self, pts: int) -> tuple[int, ...]:
        """The ids of the tracks that have a face at that time stamp."""
        return tuple(track.track_id for track in self.analysis.tracks if (track.track_id, pts) in self.faces)

    def track(self, track_id: int) -> FaceTrack | None:
        """The track with that id; None where there is none."""
        return next((track for track in self.analysis.tracks if track.track_id == track_id), None)

    def track_index(self, track_id: int) -> int:
        """The track's place in the analysis, from 0; decides its lane and colour."""
        return next(index for index, track in enumerate(self.analysis.tracks) if track.track_id == track_id)

    def strongest(self) -> FaceKey | None:
        """The face with the highest combined score: where an examiner looks first. Any face if none was scored."""
        scored = [(score, key) for key in self.faces if (score := self.combined_score(key)) is not None]
        if scored:
            return max(scored, key=lambda item: (item[0], -item[1][1]))[1]
        return min(self.faces, key=lambda key: key[1], default=None)

    def pts_s(self, pts: int) -> float:
        """A time stamp in seconds."""
        return float(pts * self.analysis.evidence.video.time_base)


def nearest(moments: tuple[int, ...], pts: int) -> int:
    """Index of the moment closest to `pts` (the earlier of two equally close). Raises ValueError without moments."""
    return min(range(len(moments)), key=lambda index: (abs(moments[index] - pts), index))


def step(moments: tuple[int, ...], pts: int, by: int) -> int:
    """The PTS `by` moments after (or before) `pts`, stopping at the ends.

    From a PTS that is not itself a moment, the first step goes to the next moment in that direction.
    """
    if pts in moments:
        start = moments.index(pts)
    else:
        later = sum(moment < pts for moment in moments)
        start = later - 1 if by > 0 else later
    return moments[max(0, min(len(moments) - 1, start + by))]
