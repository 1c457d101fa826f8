"""Models that look at patches of a face at the video's own pixels, through noise residuals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from detector.analysis.aggregate import track_score
from detector.analysis.kinds.diagram import SCORE, Block, Diagram, options_of
from detector.analysis.kinds.frame import why_none
from detector.analysis.kinds.kind import Kind, TrackContext, register
from detector.analysis.results import tracks_result
from detector.analysis.types import ModelResult, PlaceReading
from detector.faces.types import PLACES, FaceTrack

if TYPE_CHECKING:
    from detector.analysis.workers import NetworkWorker
    from detector.registry import LoadedModel, ModelCard, ResidualModel


class ResidualKind(Kind):
    """A face's logit is the mean of its patches'; a track's the quality-weighted mean of its faces'."""

    name, title, icon, rank = "residual", "Residual patches", "grain", 3
    about = (
        "Looks at patches of the face's middle and of both cheeks at the video's own pixels, and only at what "
        "neighbouring pixels leave over of each other, never at the picture itself."
    )

    @override
    def crop_reader(self, model: LoadedModel) -> LoadedModel:
        return model

    @override
    def read_crops(
        self, model: LoadedModel, crops: NDArray[np.uint8], *, keep_features: bool
    ) -> dict[str, NDArray[Any]]:
        patches = cast("ResidualModel", model).patches(crops)
        return {
            "logits": patches.mean(1),
            **{f"{place}/logits": patches[:, index] for index, place in enumerate(PLACES)},
        }

    @override
    def why_one_view(self, model: LoadedModel) -> str | None:
        return None

    @override
    def why_no_spread(self, model: LoadedModel) -> str | None:
        return None if cast("ResidualModel", model).has_dropout else super().why_no_spread(model)

    @override
    def dropout_logits(
        self, model: LoadedModel, crops: NDArray[np.uint8], said: Mapping[str, NDArray[Any]], passes: int
    ) -> dict[str, NDArray[np.float32]]:
        return {"logits": cast("ResidualModel", model).dropout_logits(crops, passes)}

    @override
    def run(self, model: LoadedModel, context: TrackContext) -> ModelResult:
        assert context.worker is not None
        worker, scores = context.worker, []
        logits = worker.logits("logits")
        for track in context.tracks:
            if (score := track_score(track, logits)) is not None:
                scores.append(replace(score, places=_places(track, worker)))
        return tracks_result(model, scores, context.deciding, why_none(worker, context.tracks))

    @override
    def input_text(self, card: ModelCard) -> str:
        side = card.crop.size_px
        return f"{len(PLACES)} patches of {side} × {side} px of each face, never resized"

    @override
    def diagram(self, card: ModelCard, shares: Sequence[float] = ()) -> Diagram:
        options, side = options_of(card), card.crop.size_px
        widths = [int(width) for width in options.get("widths", ())]
        members = int(options.get("members", 1))
        trunk = f"3 × 3 convolutions, {', '.join(map(str, widths))} channels"
        patches = (f"{side} × {side} px: the face's middle, both cheeks", "the video's own pixels")
        residuals = ("2 × 2 neighbours, high-pass, 5 × 5 kernel", "held at strong edges, relative to their strength")
        blocks = (
            Block("patches", "Patches", patches, 0, 0.1, 0.9, "input"),
            Block("planes", "Luma and colour", ("BT.601; luma folded onto the grid of colour",), 1, 0.1, 0.9),
            Block("residuals", "Residuals", residuals, 2, 0.1, 0.9),
            Block("trunk", f"{members} networks" if members > 1 else "Network", (trunk,), 3, 0.1, 0.9),
            Block("pooled", "Mean and spread", (f"{2 * widths[-1]} features" if widths else "",), 4, 0.1, 0.9),
            Block("label", "Label head", ("mean over the patches",), 5, 0.3, 0.7, "head"),
            Block("score", "Score", (SCORE,), 6, 0.3, 0.7, "output"),
        )
        return Diagram(blocks, tuple(pairwise(block.key for block in blocks)))


def _places(track: FaceTrack, worker: NetworkWorker) -> tuple[PlaceReading, ...]:
    read = {place: track_score(track, worker.logits(f"{place}/logits")) for place in PLACES}
    return tuple(PlaceReading(place, score.logit) for place, score in read.items() if score is not None)


register(ResidualKind())
