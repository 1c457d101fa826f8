"""What models said of labelled files, one JSON line at a time: appended as it is made, never rewritten.

A line holds one file, or one cut of it, and some of the models; lines of one clip are written at different times, as
models are added. Each names the content, the cut and the settings it was made with, and of each model a digest of its
weights and of what else changes its numbers: a line speaks for nothing else. Lines of another form, and one that was
cut off in the middle of a write, are passed over.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

if TYPE_CHECKING:
    pass

FORM: Final = 2  # of a line; earlier files had one heading for a whole set of models, and no settings


class ClipKey(NamedTuple):
    """What was examined and how: the file's SHA-256 (its path where there is nothing to read), the columns it was cut
    to, and the SHA-256 of the settings."""

    content: str
    cut: tuple[int, int] | None
    settings: str


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TrackFrames(_Frozen):
    """The faces of one deciding track in time order: seconds to two places, quality weight 0..1 to three."""

    pts_s: tuple[FiniteFloat, ...]
    weight: tuple[FiniteFloat, ...]


class ClipFacts(_Frozen):
    """What was found out about a clip without any model.

    `problem`: why nothing could be examined, None where it could. `size_px`: median shorter side of the deciding faces;
    `exposure`: their median mean luma, 0..1; `sharpness`: their median variance of the Laplacian; `ita_deg`: individual
    typology angle of the best one. `short_side_px` of the picture as shown; `bits_per_pixel` and `codec` of the file as
    it was given, before any cut; `sound` whether it has a sound stream. `appearance`: as in
    `detector.analysis.types.Analysis`. `tracks`: the deciding tracks by number.
    """

    problem: str | None = None
    size_px: FiniteFloat | None = None
    exposure: FiniteFloat | None = None
    sharpness: FiniteFloat | None = None
    ita_deg: FiniteFloat | None = None
    short_side_px: int | None = None
    bits_per_pixel: FiniteFloat | None = None
    codec: str | None = None
    sound: bool | None = None
    appearance: tuple[FiniteFloat, ...] | None = None
    tracks: dict[int, TrackFrames] = Field(default_factory=dict)

    @property
    def frames_scored(self) -> int:
        """Faces on the deciding tracks."""
        return sum(len(track.pts_s) for track in self.tracks.values())

    def same_faces(self, other: ClipFacts) -> bool:
        """Whether the same faces decide in both, so that what models said of either can be put together."""
        return {number: track.pts_s for number, track in self.tracks.items()} == {
            number: track.pts_s for number, track in other.tracks.items()
        }


class FileLogits(_Frozen):
    """`logit` of a whole file, None where there is none; `tracks` of each deciding track; `frames` of each of a track's
    faces, beside `ClipFacts.tracks`, four significant digits, None where a face has none."""

    logit: FiniteFloat | None = None
    tracks: dict[int, FiniteFloat] = Field(default_factory=dict)
    frames: dict[int, tuple[FiniteFloat | None, ...]] = Field(default_factory=dict)


class Prediction(_Frozen):
    """One model on one clip. `made_by`: its `model_digest`; `whole`: its own logits, and `cues` those of each of
    several cues, where it has them; `reason`: why there is no logit."""

    made_by: str
    whole: FileLogits = FileLogits()
    cues: dict[str, FileLogits] = Field(default_factory=dict)
    reason: str | None = None


class ClipRecord(_Frozen):
    """A line of the store: `file` is what the content was called when it was examined."""

    form: Literal[2]
    content: str
    cut: tuple[int, int] | None = None
    settings: str
    file: str
    facts: ClipFacts
    models: dict[str, Prediction] = Field(default_factory=dict)

    @property
    def key(self) -> ClipKey:
        """What was examined and how."""
        return ClipKey(self.content, self.cut, self.settings)


def append_line(path: Path, line: BaseModel) -> None:
    """Append a JSON line to a file, behind whatever an earlier write that was cut off has left."""
    text = line.model_dump_json(exclude_defaults=True).encode() + b"\n"
    with path.open("ab+") as out:
        if out.tell():
            out.seek(-1, os.SEEK_END)
            if out.read(1) != b"\n":
                text = b"\n" + text
        out.write(text)
        out.flush()


class PredictionStore:
    """The kept predictions of `path`, which need not exist, and the place to keep more."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._facts: dict[ClipKey, ClipFacts] = {}
        self._problems: dict[ClipKey, str] = {}
        self._said: dict[ClipKey, dict[tuple[str, str], Prediction]] = {}
        for record in _lines(path):
            self._remember(record)

    def facts(self, key: ClipKey) -> ClipFacts | None:
        """None where the clip was never examined."""
        return self._facts.get(key)

    def problem(self, key: ClipKey) -> str | None:
        """Why the newest try to examine the clip came to nothing; None where it did not."""
        return self._problems.get(key)

    def prediction(self, key: ClipKey, model_id: str, made_by: str) -> Prediction | None:
        """What the model of that digest said of the clip; None where it was not asked."""
        return self._said.get(key, {}).get((model_id, made_by))

    def add(self, record: ClipRecord, *, lasting: bool = True) -> None:
        """Keep a line; it outlives the process from here on, unless it is not `lasting`: a fault of the program, say,
        which may be mended when the clip is asked for again."""
        if lasting:
            append_line(self._path, record)
        self._remember(record)

    def _remember(self, record: ClipRecord) -> None:
        """Where the faces were found otherwise than before, by another version of the search, the newest line counts
        alone; one that could not be examined again keeps what was said of it."""
        key, problem = record.key, record.facts.problem
        if problem is None:
            self._problems.pop(key, None)
        else:
            self._problems[key] = problem
            if key in self._facts:
                return
        if key in self._facts and not self._facts[key].same_faces(record.facts):
            del self._said[key]
        self._facts[key] = record.facts
        said = self._said.setdefault(key, {})
        said |= {(model_id, one.made_by): one for model_id, one in record.models.items()}


def _lines(path: Path) -> Iterator[ClipRecord]:
    if not path.is_file():
        return
    with path.open("rb") as lines:
        for line in lines:
            try:
                yield ClipRecord.model_validate_json(line)
            except ValidationError:
                continue
