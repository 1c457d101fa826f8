"""Models that fuse the results of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from detector.analysis.cue_meaning import CUE_MEANINGS
from detector.analysis.kinds.diagram import SCORE, Block, Diagram
from detector.analysis.kinds.kind import Kind, TrackContext, register
from detector.analysis.results import NO_FACE
from detector.analysis.types import Cue, Family, FamilyReading, FrameScore, Member, ModelResult, TrackScore
from detector.faces.types import FaceTrack
from detector.measurement.wording import words

if TYPE_CHECKING:
    from detector.registry import EnsembleModel, LoadedModel, ModelCard

_MEMBERS_A_ROW = 2

NO_MEMBER = "None of the ensemble's members has a score for a face that decides."


class _Source(NamedTuple):
    """One member's answer: its scores by track, and why there may be none."""

    model_id: str
    cue: Cue | None
    scores: Mapping[int, TrackScore]
    reason: str | None


class EnsembleKind(Kind):
    """Fuses a logit a track from the members' tracks, a frame from their frames; members without one are left out. The
    file's logit is that of the worst deciding track, whose member logits and shares are kept. Where the card names
    families, each track's are read from the members' logits of it."""

    name, title, icon, rank = "ensemble", "Ensemble", "hub", 0
    about = "Weighs the results of other models, its members; it looks at no picture itself."
    fuses = True

    @override
    def run(self, model: LoadedModel, context: TrackContext) -> ModelResult:
        fusing = cast("EnsembleModel", model)
        sources = [_source(member, context.results) for member in model.card.inputs["members"]]
        scored: list[TrackScore] = []
        shares: dict[int, NDArray[np.float32]] = {}
        for track in context.tracks:
            fused = _fuse_track(fusing, sources, track)
            if fused is not None:
                score, shares[track.track_id] = fused
                scored.append(score)
        entitled = {track.track_id for track in context.deciding}
        candidates = [score for score in scored if score.track_id in entitled]
        name = (model.card.model_id, model.card.weights_sha256)
        if not candidates:
            members = tuple(_member(source, None, None) for source in sources)
            reason = NO_MEMBER if context.tracks else NO_FACE
            return ModelResult(*name, None, tuple(scored), reason, self.name, members=members)
        highest = max(candidates, key=lambda score: score.logit)
        members = tuple(
            _member(source, highest.track_id, float(share))
            for source, share in zip(sources, shares[highest.track_id], strict=True)
        )
        return ModelResult(*name, highest.logit, tuple(scored), None, self.name, members=members)

    @override
    def why_one_view(self, model: LoadedModel) -> str | None:
        return "It fuses its members' scores; what they averaged is in them already."

    @override
    def why_no_spread(self, model: LoadedModel) -> str | None:
        return "It fuses its members' scores and has no dropout of its own."

    @override
    def input_text(self, card: ModelCard) -> str:
        return f"the scores of {len(card.inputs.get('members', []))} members"

    @override
    def diagram(self, card: ModelCard, shares: Sequence[float] = ()) -> Diagram:
        members = card.inputs.get("members", [])
        blocks = []
        for index, member in enumerate(members):
            row, column = divmod(index, _MEMBERS_A_ROW)
            step = 1 / min(_MEMBERS_A_ROW, len(members) - row * _MEMBERS_A_ROW)
            name, cue = str(member["model_id"]), member.get("cue")
            details = [CUE_MEANINGS[cue].title] if cue in CUE_MEANINGS else []
            if index in card.architecture.get("one_sided", ()):
                details.append("may only raise the result")
            elif index < len(shares):
                details.append(f"{100 * shares[index]:.0f} % of the result")
            left, right = 0.02 + 0.96 * column * step, 0.02 + 0.96 * (column + 1) * step
            blocks.append(Block(f"m{index}", name, tuple(details), row, left + 0.005, right - 0.005))
        below = -(-len(members) // _MEMBERS_A_ROW)
        method = words(str(card.inputs.get("method", "combination"))).capitalize()
        combined = ("of the members' logits; a missing one is left out",)
        group = tuple(block.key for block in blocks)
        families = tuple(map(str, card.inputs.get("families", ())))
        left, right = (0.02, 0.62) if families else (0.1, 0.9)
        middle = (left + right) / 2
        blocks += [
            Block("combine", method, combined, below, left, right, "head"),
            Block("score", "Score", (SCORE,), below + 1, middle - 0.2, middle + 0.2, "output"),
        ]
        if families:
            blocks.append(Block("family", "Family", (", ".join(families),), below, 0.66, 0.98, "output"))
        heads = [block.key for block in blocks if block.key in ("combine", "family")] if group else []
        return Diagram(tuple(blocks), (*(("group", head) for head in heads), ("combine", "score")), group)


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
    model: EnsembleModel, sources: Sequence[_Source], track: FaceTrack
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
    families = _families(model, logits)
    return TrackScore(track.track_id, float(fused[0]), tuple(frames), families=families), shares[0]


def _families(model: EnsembleModel, logits: NDArray[np.float64]) -> tuple[FamilyReading, ...]:
    """Of the members' logits (1, M); none where the card names no families."""
    names: Sequence[Family] = model.card.inputs.get("families", ())
    if not names:
        return ()
    probabilities = np.exp(model.families(logits, np.isfinite(logits))[0].astype(float))
    return tuple(FamilyReading(name, float(share)) for name, share in zip(names, probabilities, strict=True))


def _member(source: _Source, track_id: int | None, share: float | None) -> Member:
    score = None if track_id is None else source.scores.get(track_id)
    if score is None:
        reason = source.reason or "It has no score for the face that decides."
        return Member(source.model_id, source.cue, None, None, reason)
    return Member(source.model_id, source.cue, score.logit, share)


register(EnsembleKind())
