"""Results of models: from scores of tracks to one of the whole file, or a reason why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from detector.analysis.types import Cue, CueResult, ModelResult, SyncWindow, TrackScore
from detector.faces.types import FaceTrack

if TYPE_CHECKING:
    from detector.registry import LoadedModel

NO_FACE = "No face was found, so nothing was scored."
NOT_FINITE = "The model gave no finite value on the faces that decide, so it has no score."
AT_THE_EDGE = "The faces fill the picture or lie at its edge; this model compares a face with what is around it."
NO_TIME = "A still shows no change over time, which is all that this model looks at."


def tracks_result(
    model: LoadedModel,
    scores: Sequence[TrackScore],
    deciding: Sequence[FaceTrack],
    why_none: str,
    *,
    cue: Cue | None = None,
    specialists: tuple[CueResult, ...] = (),
) -> ModelResult:
    """A model that scored tracks: the file's logit is that of the worst deciding one, or None with `why_none`. A model
    that answers for one `cue` as a whole holds it among its specialists."""
    logit = worst(scores, deciding)
    result = ModelResult(
        *_name(model), logit, tuple(scores), why_none if logit is None else None, model.kind, specialists
    )
    return with_cue(result, cue)


def failed_result(model: LoadedModel, reason: str, *, cue: Cue | None = None) -> ModelResult:
    """A model without any score, and why."""
    return with_cue(ModelResult(*_name(model), None, (), reason, model.kind), cue)


def sync_result(
    model: LoadedModel, logit: float | None, track_id: int | None, reason: str | None, windows: Sequence[SyncWindow]
) -> ModelResult:
    """A model that scored one speaking face."""
    scores = () if logit is None or track_id is None else (TrackScore(track_id, logit, ()),)
    result = ModelResult(*_name(model), logit, scores, reason, model.kind, sync=tuple(windows))
    return with_cue(result, "AV")


def with_cue(result: ModelResult, cue: Cue | None) -> ModelResult:
    """The result, which also answers for `cue`."""
    if cue is None:
        return result
    return replace(result, specialists=(CueResult(cue, result.logit, result.tracks, result.reason),))


def worst(scores: Sequence[TrackScore], deciding: Sequence[FaceTrack]) -> float | None:
    """The highest logit among the tracks that decide; None where none of them has one."""
    entitled = {track.track_id for track in deciding}
    return max((score.logit for score in scores if score.track_id in entitled), default=None)


def _name(model: LoadedModel) -> tuple[str, str]:
    return model.card.model_id, model.card.weights_sha256
