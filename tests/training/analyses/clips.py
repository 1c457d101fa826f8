"""Labelled clips whose scores and measures are made up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from detector.analysis.types import Cue
from detector.training.analyses.clips import CueOnClip, ExaminedClip
from detector.training.analyses.documents import ClipCounts, DataFacts
from detector.training.analyses.figures import LabelledClip

DATA = DataFacts(
    folder="lab",
    use="validation",
    clips=ClipCounts(real=1, fake=1, examined=2, left_out=0, problems={}),
    list_sha256="0" * 64,
)


def logit(score: float) -> float:
    return math.log(score / (1 - score))


def labelled(
    number: int,
    fake: bool,
    scores: Mapping[Cue, float | None],
    *,
    parts: Sequence[float] = (),
    measures: Mapping[str, float] | None = None,
    traits: Mapping[str, float] | None = None,
) -> LabelledClip:
    """A clip of its own group. A score of None is one that the cue could not give."""
    cues = {
        cue: CueOnClip(reason="The cue does not apply.")
        if score is None
        else CueOnClip(logit=logit(score), parts=tuple(map(logit, parts)), measures=dict(measures or {}))
        for cue, score in scores.items()
    }
    return LabelledClip(
        f"{number}.mp4", fake, f"person{number}", f"{number:064}", ExaminedClip(None, traits or {}, cues)
    )


def lot(cue: Cue, real: Sequence[float | None], fake: Sequence[float | None]) -> list[LabelledClip]:
    """Genuine and manipulated clips with these scores of one cue."""
    rows = [(False, score) for score in real] + [(True, score) for score in fake]
    return [labelled(number, truth, {cue: score}) for number, (truth, score) in enumerate(rows)]
