"""Models that score single face crops."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from detector.analysis.aggregate import track_score
from detector.analysis.kinds.diagram import SCORE, Block, Diagram, image_part, options_of
from detector.analysis.kinds.kind import Kind, TrackContext, kind_of, register
from detector.analysis.results import AT_THE_EDGE, NO_FACE, NOT_FINITE, tracks_result
from detector.analysis.types import ModelResult
from detector.faces.types import FaceTrack

if TYPE_CHECKING:
    from detector.analysis.workers import NetworkWorker
    from detector.registry import FrameModel, LoadedModel, ModelCard


class FrameKind(Kind):
    """A track's score is the quality-weighted mean of its faces' logits."""

    name, title, icon, rank = "frame", "Frame by frame", "crop_free", 1
    about = (
        "Looks at one crop of a face at a time, for what blending and generating leave in the picture; never at "
        "movement or sound."
    )
    heatmaps = True

    @override
    def crop_reader(self, model: LoadedModel) -> LoadedModel:
        return model

    @override
    def read_crops(
        self, model: LoadedModel, crops: NDArray[np.uint8], *, keep_features: bool
    ) -> dict[str, NDArray[Any]]:
        frame = cast("FrameModel", model)
        if not keep_features:
            return {"logits": frame.score(crops)}
        from detector.models.appearance import APPEARANCE_FEATURES

        logits, features = frame.features(crops)
        return {"logits": logits, "features": features, "appearance": features[:, -APPEARANCE_FEATURES:]}

    @override
    def why_one_view(self, model: LoadedModel) -> str | None:
        return None

    @override
    def why_no_spread(self, model: LoadedModel) -> str | None:
        return None if cast("FrameModel", model).has_dropout else super().why_no_spread(model)

    @override
    def dropout_logits(
        self, model: LoadedModel, crops: NDArray[np.uint8], said: Mapping[str, NDArray[Any]], passes: int
    ) -> dict[str, NDArray[np.float32]]:
        return {"logits": cast("FrameModel", model).dropout_logits(said["features"], passes)}

    @override
    def run(self, model: LoadedModel, context: TrackContext) -> ModelResult:
        assert context.worker is not None
        logits = context.worker.logits("logits")
        scores = [score for track in context.tracks if (score := track_score(track, logits)) is not None]
        return tracks_result(model, scores, context.deciding, why_none(context.worker, context.tracks))

    @override
    def diagram(self, card: ModelCard, shares: Sequence[float] = ()) -> Diagram:
        options = options_of(card)
        blocks, arrows = image_part(card, options)
        strides = [int(stride) for stride in options.get("strides", (8, 16))]
        step = 1 / len(strides)
        for index, stride in enumerate(strides):
            side = card.crop.size_px // stride
            left, right = index * step + 0.02, (index + 1) * step - 0.02
            blocks.append(Block(f"s{stride}", f"Stride {stride}", (f"{side} × {side} places",), 3, left, right))
            arrows += [("trunk", f"s{stride}"), (f"s{stride}", "pyramid")]
        width, dropout = options.get("width"), options.get("dropout")
        wide = 1 - step if len(strides) > 2 else 0.72
        head = f"{width} hidden units" if width else "one logit"
        if isinstance(dropout, int | float) and dropout:
            head += f", dropout {dropout:g}"
        pooled = "deepest features, the pyramid's mean, the pyramid where the map is hot, the map's peak and mean"
        blocks += [
            Block("pyramid", "Feature pyramid", (f"coarse added to fine, {width} channels",), 4, 0.02, wide - 0.06),
            Block("map", "Blend map", ("where the face was blended or repainted",), 5, 0.02, wide - 0.06, "output"),
            Block("pooled", "Pooled features", (pooled,), 6),
            Block("label", "Label head", (head,), 7, 0.2, 0.8, "head"),
            Block("score", "Score", (SCORE,), 8, 0.3, 0.7, "output"),
        ]
        deepest = f"s{strides[-1]}"
        arrows += [("pyramid", "map"), ("map", "pooled"), (deepest, "pooled"), ("pooled", "label"), ("label", "score")]
        return Diagram(tuple(blocks), tuple(arrows))


def why_none(worker: NetworkWorker, tracks: Sequence[FaceTrack]) -> str:
    """The reason that stands in place of a crop reader's score, should there be none."""
    if worker.failure or not tracks:
        return worker.failure or NO_FACE
    return NOT_FINITE if worker.cutter.keys else AT_THE_EDGE


def heatmap_models(models: Iterable[ModelResult]) -> list[ModelResult]:
    """Those of `models` that have heatmaps: the highest score first, those without one last."""
    drawn = [model for model in models if kind_of(model).heatmaps]
    return sorted(drawn, key=lambda model: (model.logit is None, -(model.logit or 0.0), model.model_id))


register(FrameKind())
