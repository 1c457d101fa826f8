"""Models that score single face crops for each of several cues."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from detector.analysis.aggregate import FaceKey, face_key, track_score
from detector.analysis.kinds.diagram import Block, Diagram, image_part, options_of
from detector.analysis.kinds.frame import why_none
from detector.analysis.kinds.kind import Kind, TrackContext, register
from detector.analysis.results import tracks_result, worst
from detector.analysis.types import ChannelReadings, Cue, CueResult, ModelResult, TrackScore
from detector.faces.types import FaceTrack
from detector.measurement.wording import words

if TYPE_CHECKING:
    from detector.registry import LoadedModel, ModelCard, SpecialistsModel

_READING_DIGITS = 4


class SpecialistsKind(Kind):
    """Every cue has a result of its own; the model's score of a track is that of its highest cue there."""

    name, title, icon, rank = "specialists", "One head a cue", "troubleshoot", 3
    about = (
        "Looks at one crop of a face at a time, with a separate part for each cue: light, compression, resolution and "
        "noise."
    )
    cue_scores = True

    @override
    def crop_reader(self, model: LoadedModel) -> LoadedModel:
        return model

    @override
    def read_crops(
        self, model: LoadedModel, crops: NDArray[np.uint8], *, keep_features: bool
    ) -> dict[str, NDArray[Any]]:
        said: dict[str, NDArray[Any]] = {}
        for cue, scores in cast("SpecialistsModel", model).specialists(crops).items():
            said |= {f"{cue}/logits": scores.logits, f"{cue}/readings": scores.readings}
            if keep_features:
                said[f"{cue}/features"] = scores.features
        return said

    @override
    def why_one_view(self, model: LoadedModel) -> str | None:
        mirrored = cast("SpecialistsModel", model).mirrored
        return "Its scores are means over crop and mirror image in any case." if mirrored else None

    @override
    def why_no_spread(self, model: LoadedModel) -> str | None:
        return None if cast("SpecialistsModel", model).has_dropout else super().why_no_spread(model)

    @override
    def dropout_logits(
        self, model: LoadedModel, crops: NDArray[np.uint8], said: Mapping[str, NDArray[Any]], passes: int
    ) -> dict[str, NDArray[np.float32]]:
        specialists = cast("SpecialistsModel", model)
        return {
            f"{cue}/logits": specialists.dropout_logits(cue, said[f"{cue}/features"], passes)
            for cue in specialists.channel_names
        }

    @override
    def run(self, model: LoadedModel, context: TrackContext) -> ModelResult:
        assert context.worker is not None
        nothing = why_none(context.worker, context.tracks)
        cues = []
        highest: dict[int, TrackScore] = {}
        for cue, channels in cast("SpecialistsModel", model).channel_names.items():
            logits, values = context.worker.logits(f"{cue}/logits"), context.worker.rows(f"{cue}/readings")
            scores = tuple(score for track in context.tracks if (score := track_score(track, logits)) is not None)
            logit = worst(scores, context.deciding)
            readings = tuple(_readings(track, values) for track in context.tracks if values)
            reason = nothing if logit is None else None
            cues.append(CueResult(cast("Cue", cue), logit, scores, reason, channels, readings))
            for score in scores:
                if score.track_id not in highest or score.logit > highest[score.track_id].logit:
                    highest[score.track_id] = score
        own = [highest[track.track_id] for track in context.tracks if track.track_id in highest]
        return tracks_result(model, own, context.deciding, nothing, specialists=tuple(cues))

    @override
    def diagram(self, card: ModelCard, shares: Sequence[float] = ()) -> Diagram:
        from detector.models.specialists import CHANNELS, SPECIALISTS  # see options_of

        options = options_of(card)
        blocks, arrows = image_part(card, options, inset=0.01)
        shared = "stride 8, shared by all; fixed measurements of the pixels beside it"
        blocks.append(Block("shared", "Shared features", (shared,), 3, 0.01, 0.99))
        arrows.append(("trunk", "shared"))
        cues = [str(cue) for cue in options.get("cues", ())]
        step = 1 / max(1, len(cues))
        for index, cue in enumerate(cues):
            left, right = index * step + 0.01, (index + 1) * step - 0.01
            modules = tuple(
                words(name).removeprefix("specialist ").removeprefix("resolution ") for name in SPECIALISTS.get(cue, {})
            )
            scored = (f"map, {len(CHANNELS.get(cue, {}))} named channels",)
            blocks += [
                Block(cue, cue, modules, 4, left, right, "head"),
                Block(f"{cue}_score", "Score", scored, 5, left, right, "output"),
            ]
            arrows += [("shared", cue), (cue, f"{cue}_score")]
        return Diagram(tuple(blocks), tuple(arrows))


def _readings(track: FaceTrack, values: Mapping[FaceKey, NDArray[np.float32]]) -> ChannelReadings:
    """One row a face of the track. Four digits: more would say nothing and swell the record."""
    read = [(face.pts, values[face_key(face)]) for face in track.faces if face_key(face) in values]
    rows = tuple(tuple(float(f"{value:.{_READING_DIGITS}g}") for value in row.tolist()) for _, row in read)
    return ChannelReadings(track.track_id, tuple(pts for pts, _ in read), rows)


register(SpecialistsKind())
