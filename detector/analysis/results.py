"""What each kind of model says of the whole file, from what it said of faces, tracks or sound."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from detector.analysis.aggregate import FaceKey, track_score
from detector.analysis.temporal import face_key
from detector.analysis.types import ChannelReadings, Cue, CueResult, ModelResult, TrackScore
from detector.analysis.workers import NetworkWorker
from detector.faces.types import FaceTrack

if TYPE_CHECKING:
    from detector.registry import LoadedModel

NO_FACE = "No face was found, so nothing was scored."
NOT_FINITE = "The model gave no finite value on the faces that decide, so it has no score."
AT_THE_EDGE = "The faces fill the picture or lie at its edge; this model compares a face with what is around it."
NO_TIME = "A still shows no change over time, which is all that this model looks at."
TOO_SHORT = "No face that decides was followed through enough frames to see change over time."
HELD_STILL = (
    "No face that decides was followed long enough while its expression changed; who holds still and what is a still "
    "picture look alike."
)
_READING_DIGITS = 4


def frame_result(
    model: LoadedModel, done: NetworkWorker, tracks: Sequence[FaceTrack], deciding: Sequence[FaceTrack]
) -> ModelResult:
    """A frame model: each track's quality-weighted mean."""
    logits = done.logits()
    scores = tuple(score for track in tracks if (score := track_score(track, logits)) is not None)
    return _result(model, scores, deciding, _why_none(done, tracks))


def frame_models_by_score(models: Iterable[ModelResult]) -> list[ModelResult]:
    """The frame models among `models`, which alone have heatmaps: the highest score first, those without one last."""
    frame = [model for model in models if model.kind == "frame"]
    return sorted(frame, key=lambda model: (model.logit is None, -(model.logit or 0.0), model.model_id))


def specialists_result(
    model: LoadedModel, done: NetworkWorker, tracks: Sequence[FaceTrack], deciding: Sequence[FaceTrack]
) -> ModelResult:
    """A specialists model: every cue on its own; the model's score of a track is that of its highest cue there."""
    cues = []
    for cue, channels in model.channel_names.items():
        logits, values = done.cue(cue)
        scores = tuple(score for track in tracks if (score := track_score(track, logits)) is not None)
        logit = worst(scores, deciding)
        reason = None if logit is not None else _why_none(done, tracks)
        readings = tuple(_readings(track, values) for track in tracks if values)
        cues.append(CueResult(cue, logit, scores, reason, channels, readings))  # type: ignore[arg-type]
    highest: dict[int, TrackScore] = {}
    for cue_result in cues:
        for score in cue_result.tracks:
            if score.track_id not in highest or score.logit > highest[score.track_id].logit:
                highest[score.track_id] = score
    scores = tuple(highest[track.track_id] for track in tracks if track.track_id in highest)
    return _result(model, scores, deciding, _why_none(done, tracks), specialists=tuple(cues))


def _why_none(done: NetworkWorker, tracks: Sequence[FaceTrack]) -> str:
    """What stands in place of a score, should there be none."""
    if done.failure or not tracks:
        return done.failure or NO_FACE
    return NOT_FINITE if done.cutter.keys else AT_THE_EDGE


def sequence_result(
    model: LoadedModel, scores: Sequence[TrackScore], deciding: Sequence[FaceTrack], why_none: str
) -> ModelResult:
    """A sequence model; as the temporal specialist it also answers for that cue."""
    result = _result(model, tuple(scores), deciding, why_none)
    return _with_cue(model, result)


def tracks_result(
    model: LoadedModel, scores: Sequence[TrackScore], deciding: Sequence[FaceTrack], why_none: str
) -> ModelResult:
    """A model that scores whole tracks and no single frames."""
    return _result(model, tuple(scores), deciding, why_none)


def audiovisual_result(model: LoadedModel, findings: Any) -> ModelResult:
    """An audio-visual model from `detector.analysis.audiovisual`'s findings: one logit, of one speaking face."""
    scores: tuple[TrackScore, ...] = ()
    if findings.logit is not None and findings.track_id is not None:
        scores = (TrackScore(findings.track_id, findings.logit, ()),)
    result = ModelResult(
        *_name(model), findings.logit, scores, findings.reason, kind="audiovisual", sync=tuple(findings.windows)
    )
    return _with_cue(model, result)


def failed_result(model: LoadedModel, reason: str) -> ModelResult:
    """A model without any score, and why."""
    result = ModelResult(*_name(model), None, (), reason, kind=model.kind)  # type: ignore[arg-type]
    return _with_cue(model, result)


def worst(scores: Sequence[TrackScore], deciding: Sequence[FaceTrack]) -> float | None:
    """The highest logit among the tracks that decide; None where none of them has one."""
    entitled = {track.track_id for track in deciding}
    return max((score.logit for score in scores if score.track_id in entitled), default=None)


def _result(
    model: LoadedModel,
    scores: tuple[TrackScore, ...],
    deciding: Sequence[FaceTrack],
    why_none: str,
    specialists: tuple[CueResult, ...] = (),
) -> ModelResult:
    logit = worst(scores, deciding)
    reason = why_none if logit is None else None
    return ModelResult(*_name(model), logit, scores, reason, kind=model.kind, specialists=specialists)  # type: ignore[arg-type]


def _with_cue(model: LoadedModel, result: ModelResult) -> ModelResult:
    cue: Cue | None = "AV" if result.kind == "audiovisual" else model.card.inputs.get("cue")
    if cue is None:
        return result
    return replace(result, specialists=(CueResult(cue, result.logit, result.tracks, result.reason),))


def _readings(track: FaceTrack, values: Mapping[FaceKey, NDArray[np.float32]]) -> ChannelReadings:
    """One row a face of the track. Four digits: more would say nothing and swell the record."""
    read = [(face.pts, values[face_key(face)]) for face in track.faces if face_key(face) in values]
    rows = tuple(tuple(float(f"{value:.{_READING_DIGITS}g}") for value in row.tolist()) for _, row in read)
    return ChannelReadings(track.track_id, tuple(pts for pts, _ in read), rows)


def _name(model: LoadedModel) -> tuple[str, str]:
    return model.card.model_id, model.card.weights_sha256
