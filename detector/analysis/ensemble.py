"""An ensemble's result: its members' logits of each face fused, those of members that have none left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.analysis.results import NO_FACE
from detector.analysis.types import Cue, FrameScore, Member, ModelResult, TrackScore
from detector.faces.types import FaceTrack

if TYPE_CHECKING:
    from detector.registry import LoadedModel

NO_MEMBER = "None of the ensemble's members has a score for a face that decides."


class _Source(NamedTuple):
    """What one member said: its scores by track, and why there may be none."""

    model_id: str
    cue: Cue | None
    scores: Mapping[int, TrackScore]
    reason: str | None


def ensemble_result(
    model: LoadedModel, results: Sequence[ModelResult], tracks: Sequence[FaceTrack], deciding: Sequence[FaceTrack]
) -> ModelResult:
    """Fuse the members' `results`: a logit a track from the tracks' logits, a frame from the frames'; the file's is
    that of the worst deciding track, whose member logits and shares are kept."""
    sources = [_source(member, results) for member in model.card.inputs["members"]]
    scored: list[TrackScore] = []
    shares: dict[int, NDArray[np.float32]] = {}
    for track in tracks:
        fused = _fuse_track(model, sources, track)
        if fused is not None:
            score, shares[track.track_id] = fused
            scored.append(score)
    entitled = {track.track_id for track in deciding}
    candidates = [score for score in scored if score.track_id in entitled]
    name = (model.card.model_id, model.card.weights_sha256)
    if not candidates:
        members = tuple(_member(source, None, None) for source in sources)
        reason = NO_MEMBER if tracks else NO_FACE
        return ModelResult(*name, None, tuple(scored), reason, kind="ensemble", members=members)
    highest = max(candidates, key=lambda score: score.logit)
    members = tuple(
        _member(source, highest.track_id, float(share))
        for source, share in zip(sources, shares[highest.track_id], strict=True)
    )
    return ModelResult(*name, highest.logit, tuple(scored), kind="ensemble", members=members)


def _source(member: Mapping[str, str | None], results: Sequence[ModelResult]) -> _Source:
    model_id, cue = str(member["model_id"]), member.get("cue")
    result = next((one for one in results if one.model_id == model_id), None)
    if result is None:
        return _Source(model_id, cue, {}, "It was not run.")  # type: ignore[arg-type]
    said = result if cue is None else next((one for one in result.specialists if one.cue == cue), None)
    if said is None:
        return _Source(model_id, cue, {}, f"It has no cue {cue}.")  # type: ignore[arg-type]
    return _Source(model_id, cue, {score.track_id: score for score in said.tracks}, said.reason)  # type: ignore[arg-type]


def _fuse_track(
    model: LoadedModel, sources: Sequence[_Source], track: FaceTrack
) -> tuple[TrackScore, NDArray[np.float32]] | None:
    """The fused score of one track and the members' shares in it; None where the fusion has no result."""
    own = [source.scores.get(track.track_id) for source in sources]
    logits = np.array([[np.nan if score is None else score.logit for score in own]])
    fused, shares = model.fuse(logits, np.isfinite(logits))
    if not np.isfinite(fused[0]):
        return None
    columns = [{frame.pts: frame.logit for frame in score.frames} if score else {} for score in own]
    faces = [face for face in track.faces if any(face.pts in column for column in columns)]
    frames: list[FrameScore] = []
    if faces:
        table = np.array([[column.get(face.pts, np.nan) for column in columns] for face in faces])
        values, _ = model.fuse(table, np.isfinite(table))
        frames = [
            FrameScore(face.frame_index, face.pts, face.pts_s, float(value), float(face.face.quality.weight))
            for face, value in zip(faces, values, strict=True)
            if np.isfinite(value)
        ]
    return TrackScore(track.track_id, float(fused[0]), tuple(frames)), shares[0]


def _member(source: _Source, track_id: int | None, share: float | None) -> Member:
    score = None if track_id is None else source.scores.get(track_id)
    if score is None:
        reason = source.reason or "It has no score for the face that decides."
        return Member(source.model_id, source.cue, None, None, reason)
    return Member(source.model_id, source.cue, score.logit, share)
