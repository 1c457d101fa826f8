"""The form of values in the report, and the words for a conclusion. Digits are the same in every language."""

from __future__ import annotations

from datetime import UTC, datetime

from detector.analysis.types import Label
from detector.report.language import Words, isolated, words_of

ENGLISH = words_of("en")
_LABELS: tuple[Label, ...] = ("likely_manipulated", "no_manipulation_found", "inconclusive", "not_examined")
LABEL_WORDS: dict[Label, str] = {label: ENGLISH(f"label.{label}") for label in _LABELS}
LABEL_MEANINGS: dict[Label, str] = {label: ENGLISH(f"meaning.{label}") for label in _LABELS}
NOT_SCORED = ENGLISH("not_scored")


def number(value: float | int | bool, words: Words = ENGLISH) -> str:
    """A number as people read it: yes or no, with thousands separated, or to six digits."""
    if isinstance(value, bool):
        return words("yes") if value else words("no")
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def score(value: float | None, words: Words = ENGLISH) -> str:
    """Three decimals; a value that would round to certainty is written as a bound."""
    if value is None:
        return words("not_scored")
    return "> 0.999" if value > 0.9995 else "< 0.001" if value < 0.0005 else f"{value:.3f}"


def logit(value: float | None, words: Words = ENGLISH) -> str:
    """A logit with its sign and three decimals."""
    return words("not_scored") if value is None else f"{value:+.3f}".replace("-", "−")


def seconds(value: float | None, words: Words = ENGLISH) -> str:
    """A time in seconds with three decimals."""
    return words("not_stated") if value is None else f"{value:.3f} s"


def size(value: int, words: Words = ENGLISH) -> str:
    """A size in bytes and, where large, in a larger unit."""
    exact = f"{value:,} {words('unit.bytes')}"
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if value >= factor:
            rounded = f"({value / factor:.1f} {unit})"
            return f"{exact} {isolated(rounded) if words.direction == 'rtl' else rounded}"
    return exact


def time(value: datetime) -> str:
    """A time in UTC to the second."""
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def time_in_a_row(value: datetime) -> str:
    """Without the zone, where the head of a column names it."""
    return time(value).removesuffix(" UTC")


def count(value: int, singular: str, plural: str | None = None) -> str:
    """A count with the singular or the plural of what is counted."""
    return f"{value:,} {singular if value == 1 else plural or singular + 's'}"
