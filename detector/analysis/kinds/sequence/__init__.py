"""Models that read what a frame model says of a face over time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from detector.analysis.kinds.diagram import SCORE, Block, Diagram, Options, options_of, plain_options
from detector.analysis.kinds.kind import Kind, Stage, TrackContext, register
from detector.analysis.results import NO_FACE, NO_TIME, tracks_result
from detector.analysis.types import ModelResult
from detector.measurement.wording import words

if TYPE_CHECKING:
    from detector.registry import LoadedModel, ModelCard, SequenceModel

TOO_SHORT = "No face that decides was followed through enough frames to see change over time."


class SequenceKind(Kind):
    """A track's score is the mean over its windows; frames that stand out from the rest make intervals."""

    name, title, icon, rank = "sequence", "Over time", "timeline", 2
    about = "Looks at how what a frame model sees of a face changes from frame to frame; never at sound."
    stage = Stage("sequences", 0.5, "Looking at change over time.")
    may_not_apply = True
    drawn_where = "its attention and its intervals are drawn under Scores over time"

    @override
    def crop_reader(self, model: LoadedModel) -> LoadedModel | None:
        return model.trunk

    @property
    @override
    def keeps_features(self) -> bool:
        return True

    @override
    def run(self, model: LoadedModel, context: TrackContext) -> ModelResult:
        from detector.analysis.kinds.sequence.windows import read_track

        if context.evidence.kind == "still":
            return self.failed(model, NO_TIME)
        trunk = context.worker
        if trunk is None or trunk.failure is not None:
            why = "" if trunk is None else f" {trunk.failure}"
            return self.failed(model, f"Its trunk has nothing for it to read.{why}")
        readings, scores = trunk.face_readings(), []
        for number, track in enumerate(context.tracks):
            score = read_track(cast("SequenceModel", model), track, readings, each_batch=context.check)
            if score is not None:
                scores.append(score)
            context.report((number + 1) / len(context.tracks))
        nothing = TOO_SHORT if context.tracks else NO_FACE
        return tracks_result(model, scores, context.deciding, nothing, cue=self.cue(model.card))

    @override
    def why_no_spread(self, model: LoadedModel) -> str | None:
        return None if cast("SequenceModel", model).has_dropout else super().why_no_spread(model)

    @override
    def track_passes(self, model: LoadedModel, context: TrackContext, passes: int) -> dict[int, NDArray[np.float64]]:
        from detector.analysis.kinds.sequence.windows import dropout_logits

        assert context.worker is not None
        readings, found = context.worker.face_readings(), {}
        for track in context.tracks:
            context.check()
            logits = dropout_logits(cast("SequenceModel", model), track, readings, passes)
            if logits is not None:
                found[track.track_id] = logits
        return found

    @override
    def input_text(self, card: ModelCard) -> str:
        return f"features of {card.inputs.get('trunk', 'its trunk')}, which reads {super().input_text(card)}"

    @override
    def diagram(self, card: ModelCard, shares: Sequence[float] = ()) -> Diagram:
        options = options_of(card)
        taken = f"{card.inputs.get('frames', '')} frames of one face, with their times in seconds".strip()
        reads = ", ".join(str(name) for name in options.get("channels", ()))
        count = options.get("features" if options.get("deep", True) else "looks", 0)
        read = [f"of each of {count} features: {reads}"] * bool(reads and count)
        also = {
            "looks": "light, detail and change by region among them",
            "witness": "and what the frame model itself says",
        }
        read += [text for name, text in also.items() if options.get(name)]
        trunk = f"Frame model {card.inputs.get('trunk', '')}".strip()
        blocks = [
            Block("frames", "Face crops over time", (taken,), 0, 0.12, 0.88, "input"),
            Block("trunk", trunk, ("its features, computed once",), 1, 0.12, 0.88),
            Block("read", "Feature reader", tuple(read), 2, 0.06, 0.94),
            *_encoder_blocks(str(options.get("kind")), options),
        ]
        row, pairs = blocks[-1].row + 1, ("plus what a CNN says of frame pairs",) * ("change" in options)
        blocks += [
            Block("pool", "Attention pooling", ("a weight a frame, summing to 1",), row, 0.02, 0.48, "head"),
            Block("per_frame", "Frame head", ("a logit a frame, in its context", *pairs), row, 0.52, 0.98, "head"),
            Block("score", "Score of the clip", (SCORE, *pairs), row + 1, 0.02, 0.48, "output"),
            Block("times", "When", ("intervals that stand out",), row + 1, 0.52, 0.98, "output"),
        ]
        chain = [block.key for block in blocks[:-4]]
        ends = [(chain[-1], "pool"), (chain[-1], "per_frame"), ("pool", "score"), ("per_frame", "times")]
        return Diagram(tuple(blocks), (*pairwise(chain), *ends))


def _encoder_blocks(network: str, options: Options) -> list[Block]:
    """From the reader's values to one state a frame: rows 3 and 4."""
    if network == "transformer":
        shape = f"{options['layers']} layers, {options['heads']} heads, width {options['width']}"
        return [
            Block("embed", "Linear map + positions in seconds", (f"width {options['width']}",), 3, 0.12, 0.88),
            Block("encoder", "Pre-norm transformer encoder", (shape, "attends to every frame that is there"), 4),
        ]
    if network in ("lstm", "hybrid"):
        cell = str(options.get("cell", "lstm")).upper()
        width = options.get("projection")
        residual = "residual projection" if network == "hybrid" else "projection, layer norm"
        size = f"{options['hidden']} units each way, {options['layers']} layer{'s' if options['layers'] > 1 else ''}"
        fused = {
            "dual": ("beside the projected features; the two pathways are fused late by attention",),
            "cross": ("its states attend to the projected features through a gate",),
        }.get(str(options.get("variant")), ())
        return [
            Block("embed", residual.capitalize(), (f"width {width}",) if width else (), 3, 0.12, 0.88),
            Block("encoder", f"Two-way {cell}", (size, *fused), 4),
        ]
    return [Block("encoder", words(network), plain_options(options), 3)]


register(SequenceKind())
