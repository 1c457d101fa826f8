"""Labelled clips as the analyses read them: examined once by each model, and kept a JSON line at a time.

A line holds one clip and some of the models, under the same key as kept predictions have
(`detector.training.evaluation.prediction_store`): content, cut, settings, and a digest of each model. So a second run
examines nothing again, a model that is added runs alone, and a run that was killed goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from detector.analysis import Analysis
from detector.analysis.identity import model_digest
from detector.analysis.kinds import kind_of
from detector.analysis.types import Cue, CueResult, ModelResult
from detector.evidence import Evidence
from detector.faces.types import FaceTrack
from detector.registry import LoadedModel
from detector.training.analyses import measures
from detector.training.analyses.measures import Numbers
from detector.training.evaluation.prediction_store import ClipKey, append_line
from detector.training.evaluation.scoring import Asked, score_and_look

FORM: Final = 1
_MEASURED_BY: Final = 1  # raised whenever a measure changes: lines made otherwise are passed over


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CueOnClip(_Frozen):
    """One cue on one clip. `logit` of the file, None with a `reason`; `parts` are the logits of the frames, or windows
    of speech, that it rests on; `measures` and `channels` by name, those without a value left out."""

    logit: FiniteFloat | None = None
    reason: str | None = None
    parts: tuple[FiniteFloat, ...] = ()
    measures: dict[str, FiniteFloat] = Field(default_factory=dict)
    channels: dict[str, FiniteFloat] = Field(default_factory=dict)


class ClipLine(_Frozen):
    """A line of the store. `said` by digest of model and measures, then by cue; `problem` says why the clip could not
    be examined."""

    form: Literal[1]
    content: str
    cut: tuple[int, int] | None = None
    settings: str
    file: str
    problem: str | None = None
    traits: dict[str, FiniteFloat] = Field(default_factory=dict)
    said: dict[str, dict[Cue, CueOnClip]] = Field(default_factory=dict)

    @property
    def key(self) -> ClipKey:
        """What was examined and how."""
        return ClipKey(self.content, self.cut, self.settings)


_Said = dict[str, dict[Cue, CueOnClip]]


class Asking(NamedTuple):
    """A model and the cues that are read from it."""

    model: LoadedModel
    cues: tuple[Cue, ...]

    @property
    def digest(self) -> str:
        """16 hex digits of all that changes the model's numbers or the measures beside them."""
        return hashlib.sha256(f"{_MEASURED_BY} {model_digest(self.model)}".encode()).hexdigest()[:16]


class ExaminedClip(NamedTuple):
    """A clip with what all models asked said of it, by cue; none of them where there is a `problem`."""

    problem: str | None
    traits: Mapping[str, float]
    cues: Mapping[Cue, CueOnClip]


def examine_clips(
    asked: Sequence[Asked],
    asking: Sequence[Asking],
    kept: Path,
    *,
    on_file: Callable[[int, int, str], None] = lambda done, total, file: None,
) -> list[ExaminedClip]:
    """Each clip with the cues of each model, from `kept` (JSON lines, made where it is missing) or examined now. A clip
    that could not be examined is not tried again."""
    store = _ClipStore(kept)
    digests = [one.digest for one in asking]
    work = []
    for one in {one.key: one for one in asked}.values():
        new = [who for who, digest in zip(asking, digests, strict=True) if digest not in store.said(one.key)]
        if new and store.problem(one.key) is None:
            work.append((one, new))
    for done, (one, new) in enumerate(work, 1):
        store.add(_examined(one, new))
        on_file(done, len(work), one.file)
    return [
        ExaminedClip(
            store.problem(one.key),
            store.traits(one.key),
            {cue: said for digest in digests for cue, said in store.said(one.key).get(digest, {}).items()},
        )
        for one in asked
    ]


def _examined(one: Asked, asking: Sequence[Asking]) -> ClipLine:
    def look(given: Evidence, evidence: Evidence, analysis: Analysis) -> tuple[Numbers, _Said]:
        tracks = measures.decided_by(analysis)
        seen = measures.picture_measures(evidence, tracks)
        traits = measures.file_traits(given, tracks) | seen.get("traits", {})
        results = {result.model_id: result for result in analysis.models}
        return traits, {
            who.digest: {
                cue: _cue_on_clip(cue, results[who.model.card.model_id], seen.get(cue, {}), traits, tracks)
                for cue in who.cues
            }
            for who in asking
        }

    record, found = score_and_look(one, [who.model for who in asking], look)
    traits, said = found or ({}, {})
    return ClipLine(
        form=FORM,
        **one.key._asdict(),
        file=one.file,
        problem=record.facts.problem,
        traits=_known(traits),
        said=said,
    )


def _cue_on_clip(
    cue: Cue, result: ModelResult, seen: Numbers, traits: Numbers, tracks: Sequence[FaceTrack]
) -> CueOnClip:
    own: ModelResult | CueResult = result
    if kind_of(result).cue_scores:
        own = next((one for one in result.specialists if one.cue == cue), result)
    measured = dict(seen)
    if cue == "CM" and seen:
        measured |= {name: traits[name] for name in ("bit_rate", "bits_per_pixel")}
    if cue == "AV":
        measured = measures.sync_measures(result)
    if cue == "TM":
        measured = measures.temporal_measures(result, tracks)
    deciding = {track.track_id for track in tracks}
    parts = [frame.logit for score in own.tracks if score.track_id in deciding for frame in score.frames]
    if cue == "AV":
        parts = [window.logit for window in result.sync if window.logit is not None]
    return CueOnClip(
        logit=own.logit,
        reason=own.reason if own.logit is None else None,
        parts=tuple(float(f"{logit:.4g}") for logit in parts if math.isfinite(logit)),
        measures=_known(measured),
        channels=_known(measures.channel_means(own, tracks)) if isinstance(own, CueResult) else {},
    )


def _known(values: Mapping[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.6g}") for name, value in values.items() if math.isfinite(value)}


class _ClipStore:
    """The lines of `path`, newest last; of clips that could not be examined the reason is kept until they can."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines: dict[ClipKey, ClipLine] = {}
        for line in _lines(path):
            self._remember(line)

    def problem(self, key: ClipKey) -> str | None:
        return self._lines[key].problem if key in self._lines else None

    def traits(self, key: ClipKey) -> Mapping[str, float]:
        return self._lines[key].traits if key in self._lines else {}

    def said(self, key: ClipKey) -> Mapping[str, Mapping[Cue, CueOnClip]]:
        return self._lines[key].said if key in self._lines else {}

    def add(self, line: ClipLine) -> None:
        """Keep a line; it outlives the process from here on."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        append_line(self._path, line)
        self._remember(line)

    def _remember(self, line: ClipLine) -> None:
        before = self._lines.get(line.key)
        if before is not None and before.problem is None:
            line = line if line.problem is None else before
            line = line.model_copy(update={"said": {**before.said, **line.said}})
        self._lines[line.key] = line


def _lines(path: Path) -> Iterator[ClipLine]:
    if not path.is_file():
        return
    with path.open("rb") as lines:
        for line in lines:
            try:
                yield ClipLine.model_validate(json.loads(line))
            except (ValidationError, ValueError):
                continue
