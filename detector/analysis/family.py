"""Which family a model reads a manipulated face as, told only where the model and the conclusion call for it, and never
without the errors that were measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from detector.analysis.types import Conclusion, Family, FamilyReading, ModelResult, TrackScore
from detector.measurement.results import Cell, Results, Table

if TYPE_CHECKING:
    from detector.registry import ModelCard

FAMILY_NAMES: Final[Mapping[Family, str]] = {
    "swap": "face swap",
    "lipsync": "lip-sync",
    "animation": "animation of a picture",
    "whole": "wholly generated",
}
FAMILIES_READ: Final = "families_read"
"""The last name of a card's table of errors: a row a family, how many of its clips were read as each."""


@dataclass(frozen=True, slots=True)
class FamilyStatement:
    """`readings` of the file's worst track, likeliest first. Of the `read` manipulated clips that were read as that
    family when the model was measured, `right` were of it; `errors` is the whole table."""

    readings: tuple[FamilyReading, ...]
    right: int
    read: int
    errors: Table


def family_statement(result: ModelResult, conclusion: Conclusion, card: ModelCard | None) -> FamilyStatement | None:
    """None where nothing is to be said: no family was read, the conclusion is that no manipulation was found or nothing
    was examined, the model's own score lies below its line for "likely manipulated", or its errors are not known: no
    clip of that family could be read when it was measured."""
    track = worst_track(result)
    if track is None or not track.families or card is None or card.weights_sha256 != result.weights_sha256:
        return None
    if conclusion.label in ("no_manipulation_found", "not_examined"):
        return None
    errors = errors_of(card.results)
    if errors is None or track.logit < card.thresholds.likely_manipulated_logit:
        return None
    readings = tuple(sorted(track.families, key=lambda reading: -reading.probability))
    first = readings[0].family
    families = [reading.family for reading in readings]
    if not any(name == first and any(_counts(errors, cells, families)) for name, cells in errors.rows):
        return None
    column = {row: sum(_counts(errors, cells, [first])) for row, cells in errors.rows}
    return FamilyStatement(readings, column[first], sum(column.values()), errors)


def _counts(errors: Table, cells: Sequence[Cell], families: Sequence[Family]) -> list[int]:
    """The clips of one row that were read as these families."""
    named = zip(errors.columns, cells, strict=True)
    return [count for name, count in named if name in families and isinstance(count, int)]


def worst_track(result: ModelResult) -> TrackScore | None:
    """The track whose logit is the file's; None where there is none."""
    return next((track for track in result.tracks if track.logit == result.logit), None)


def errors_of(results: Results) -> Table | None:
    """The table of families read, None where none was measured."""
    return next((table for table in results.tables if table.data[-1] == FAMILIES_READ), None)
