"""Models that compare the fine detail of a face between moments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

from typing_extensions import override

from detector.analysis.kinds.diagram import SCORE, Block, Diagram, options_of
from detector.analysis.kinds.kind import Kind, Stage, TrackContext, register
from detector.analysis.results import NO_FACE, NO_TIME, tracks_result
from detector.analysis.types import ModelResult, TrackScore
from detector.evidence.types import Evidence, ReadSpans
from detector.faces.types import FaceTrack
from detector.measurement.wording import number_text

if TYPE_CHECKING:
    from detector.registry import LoadedModel, ModelCard

HELD_STILL = (
    "No face that decides was followed long enough while its expression changed; who holds still and what is a still "
    "picture look alike."
)


class ExamineTexture(Protocol):
    """As `detector.analysis.kinds.texture.pairs.examine_texture`."""

    def __call__(
        self,
        evidence: Evidence,
        tracks: Sequence[FaceTrack],
        model: LoadedModel,
        *,
        cancelled: Callable[[], bool] | None = None,
        read: ReadSpans,
    ) -> list[TrackScore]:
        """Scores of the tracks that show enough, from the file itself."""
        ...


class TextureKind(Kind):
    """Reads segments of the file itself, at its own rate; a track's score is the mean over pairs of moments."""

    name, title, icon, rank = "texture", "Detail over time", "texture", 4
    about = (
        "Looks at whether the fine detail of a face stays the same in frames up to some seconds apart, as it does "
        "where one still was animated."
    )
    stage = Stage("texture", 2.0, "Comparing the face's fine detail between moments.")
    may_not_apply = True
    frame_scores = False

    def __init__(self, examine: ExamineTexture | None = None) -> None:
        self._examine = examine or _examine

    @override
    def run(self, model: LoadedModel, context: TrackContext) -> ModelResult:
        if context.evidence.kind == "still":
            return self.failed(model, NO_TIME)
        if not context.tracks:
            return self.failed(model, NO_FACE)
        scores = self._examine(context.evidence, context.deciding, model, cancelled=context.stopped, read=context.read)
        context.check()
        return tracks_result(model, scores, context.deciding, HELD_STILL, cue=self.cue(model.card))

    @override
    def input_text(self, card: ModelCard) -> str:
        low, high = card.inputs.get("lags_s", (0.3, 3.5))
        return f"faces brought to {card.crop.size_px} px, in pairs {number_text(low)} to {number_text(high)} s apart"

    @override
    def diagram(self, card: ModelCard, shares: Sequence[float] = ()) -> Diagram:
        apart = "{} to {} s apart".format(*map(number_text, card.inputs.get("lags_s", (0.3, 3.5))))
        measures = f"{options_of(card).get('measures')} measures"
        blocks = (
            Block("one", "Face at one moment", (f"brought to {card.crop.size_px} px",), 0, 0.02, 0.48, "input"),
            Block("other", "Face at another", (apart,), 0, 0.52, 0.98, "input"),
            Block("laid", "Laid over each other", ("by the meshes, then by optical flow",), 1, 0.15, 0.85),
            Block("alike", "How alike the detail is", (measures,), 2, 0.15, 0.85),
            Block("read", "Perceptron", ("mean over the pairs",), 3, 0.15, 0.85, "head"),
            Block("score", "Score", ("animated from a still", SCORE), 4, 0.3, 0.7, "output"),
        )
        return Diagram(blocks, (("one", "laid"), *pairwise(("other", "laid", "alike", "read", "score"))))


def _examine(
    evidence: Evidence,
    tracks: Sequence[FaceTrack],
    model: LoadedModel,
    *,
    cancelled: Callable[[], bool] | None = None,
    read: ReadSpans,
) -> list[TrackScore]:
    from detector.analysis.kinds.texture.pairs import examine_texture

    return examine_texture(evidence, tracks, model, cancelled=cancelled, read=read)


register(TextureKind())
