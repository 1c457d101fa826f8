"""Models that judge how a face moves: the head, the parts of the face, and their play together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from itertools import pairwise
from typing import TYPE_CHECKING, Final, cast

import numpy as np
from typing_extensions import override

from detector.analysis.kinds.diagram import SCORE, Block, Diagram, options_of
from detector.analysis.kinds.kind import Kind, Stage, TrackContext, register
from detector.analysis.results import NO_FACE, NO_TIME, tracks_result
from detector.analysis.types import Contribution, ModelResult, TrackScore
from detector.errors import ModelError
from detector.evidence import frames_of_spans
from detector.evidence.types import Evidence, ReadSpans
from detector.faces.backend import FaceBackend, default_backend
from detector.faces.motion import FEATURES, MISSING, WINDOW_S, Missing, MotionWindow, watch_motion
from detector.faces.motion.features import LEAST_EYES_PX
from detector.faces.motion.sequence import MIN_FPS
from detector.faces.types import FaceTrack

if TYPE_CHECKING:
    from detector.registry import KinematicsModel, LoadedModel, ModelCard

TRACKS: Final = 3
CONTRIBUTIONS: Final = 8
WHY_NONE: Final[dict[Missing, str]] = {
    "still": "The face does not move: this is a photograph or a frozen picture, and there is no motion to judge.",
    "small_face": f"The eyes are less than {LEAST_EYES_PX:.0f} pixels apart, too little to measure how the face moves.",
    "low_frame_rate": f"The face is seen in fewer than {MIN_FPS:.0f} frames a second, too few to measure its motion.",
    "too_short": f"No face that decides is followed for {WINDOW_S} s without a cut, too little to measure its motion.",
    "no_face": "No face that decides could be followed from frame to frame, so its motion is not measured.",
}


class KinematicsKind(Kind):
    """Watches up to three windows of a track at the video's own rate; a track's logit is the mean over them."""

    name, title, icon, rank = "kinematics", "Motion of the face", "motion_sensor_active", 4
    about = (
        "Measures how the head turns and shifts, how the parts of the face move with one another and with the head, "
        "and how steady its light and detail are; never what the face looks like."
    )
    stage = Stage("kinematics", 2.0, "Measuring how the faces move.")
    may_not_apply = True
    frame_scores = False

    @override
    def run(self, model: LoadedModel, context: TrackContext) -> ModelResult:
        if context.evidence.kind == "still":
            return self.failed(model, NO_TIME)
        if not context.tracks:
            return self.failed(model, NO_FACE)
        known = model.card.inputs.get("features")
        if tuple(known or ()) != FEATURES:
            raise ModelError(f"{model.card.model_id} was fitted to other features of motion than are measured here.")
        scores, missing = examine_motion(
            context.evidence, context.deciding, model, cancelled=context.stopped, read=context.read
        )
        context.check()
        return tracks_result(model, scores, context.deciding, why_none(missing))

    @override
    def input_text(self, card: ModelCard) -> str:
        return f"{len(card.inputs.get('features', ()))} measures of motion, in windows of {WINDOW_S} s"

    @override
    def diagram(self, card: ModelCard, shares: Sequence[float] = ()) -> Diagram:
        farthest = options_of(card).get("farthest")
        blocks = (
            Block("frames", "Face over time", (f"windows of {WINDOW_S} s",), 0, 0.15, 0.85, "input"),
            Block("mesh", "Mesh with irises", ("478 points in each frame",), 1, 0.02, 0.48),
            Block("light", "Grey face", ("laid over itself by the eyes",), 1, 0.52, 0.98),
            Block("head", "Head, and the face on it", ("rigid fit to the window's mean face",), 2, 0.02, 0.48),
            Block("measures", "Measures", (self.input_text(card),), 3, 0.15, 0.85),
            Block("read", "Weighted sum", (f"standardised, at most {farthest} either way",), 4, 0.15, 0.85, "head"),
            Block("score", "Score", (f"mean over the windows, {SCORE}",), 5, 0.3, 0.7, "output"),
        )
        path = pairwise(("frames", "mesh", "head", "measures", "read", "score"))
        return Diagram(blocks, (*path, ("frames", "light"), ("light", "measures")))


def examine_motion(
    evidence: Evidence,
    tracks: Sequence[FaceTrack],
    model: LoadedModel,
    *,
    cancelled: Callable[[], bool] | None = None,
    backend: FaceBackend | None = None,
    read: ReadSpans = frames_of_spans,
) -> tuple[list[TrackScore], list[Missing]]:
    """Scores of the three longest of `tracks`, and of those without any why.

    `backend` replaces MediaPipe's refined mesh and is left open; `read` gives the frames. Raises
    CancelledError where `cancelled()` turns true.
    """
    if backend is None:
        with closing(default_backend(refined=True)) as own:
            return examine_motion(evidence, tracks, model, cancelled=cancelled, backend=own, read=read)
    scores, missing = list[TrackScore](), list[Missing]()
    longest = sorted(tracks, key=lambda one: one.faces[0].pts_s - one.faces[-1].pts_s)[:TRACKS]
    watched = watch_motion(evidence, longest, backend, cancelled=cancelled, read=read)
    for track, measured in zip(longest, watched, strict=True):
        if measured.missing is None:
            scores.append(track_motion(track.track_id, measured.windows, model))
        else:
            missing.append(measured.missing)
    return scores, missing


def track_motion(track_id: int, windows: Sequence[MotionWindow], model: LoadedModel) -> TrackScore:
    """The mean over the windows, with the features that add most to it or take most from it."""
    values = np.stack([window.features for window in windows])
    said = cast("KinematicsModel", model).motion(values)
    mean, shares = values.mean(0), said.shares.mean(0)
    strongest = np.argsort(-np.abs(shares), kind="stable")[:CONTRIBUTIONS]
    parts = tuple(Contribution(FEATURES[index], float(mean[index]), float(shares[index])) for index in strongest)
    return TrackScore(track_id, float(said.logits.mean()), (), contributions=parts)


def why_none(missing: Iterable[Missing]) -> str:
    """One sentence: the reason of the track that got farthest."""
    return WHY_NONE[min(missing, key=MISSING.index, default="no_face")]


register(KinematicsKind())
