"""The report's fixed wording in each of its languages, and how a value from outside is set into it.

Phrases live in assets/report/lang/<language>.json: flat keys, one sentence each, values in {braces}. A value that is
put into a phrase is marked so that it keeps its own direction: an identifier stays left-to-right within Arabic text,
an Arabic file name right-to-left within English text (Unicode Technical Report 9 calls this isolation). The marks are
private characters that `printable` never lets through from outside; the template turns them into text of that
direction and none of them reaches the page.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal

from detector.errors import SettingsError

Language = Literal["en", "ar", "es"]
Direction = Literal["ltr", "rtl"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "ar", "es")

LTR_MARK, RTL_MARK, END_MARK = "\ue000", "\ue001", "\ue002"
_FOLDER = Path(__file__).resolve().parents[2] / "assets" / "report" / "lang"
_VALUE = re.compile(r"\{(\w+)\}")


def direction_of(text: str) -> Direction:
    """The direction of the first letter that has one; left-to-right where none has."""
    for char in text:
        kind = unicodedata.bidirectional(char)
        if kind in ("R", "AL"):
            return "rtl"
        if kind == "L":
            return "ltr"
    return "ltr"


def isolated(text: str) -> str:
    """`text` marked with its own direction; unchanged where a part of it is marked already."""
    if not text or END_MARK in text:
        return text
    return f"{RTL_MARK if direction_of(text) == 'rtl' else LTR_MARK}{text}{END_MARK}"


def unmarked(text: str) -> str:
    """`text` without the marks, for figures and metadata."""
    return text.translate({ord(mark): None for mark in (LTR_MARK, RTL_MARK, END_MARK)})


@dataclass(frozen=True, slots=True)
class Words:
    """One language's phrases. Calling it with a key gives the phrase; with values it fills them in, marked."""

    language: Language
    direction: Direction
    phrases: dict[str, str]

    def __call__(self, key: str, **values: object) -> str:
        """The phrase of a key, values put into it and marked."""
        phrase = self.phrases[key]
        if not values:
            return phrase
        return _VALUE.sub(lambda found: isolated(str(values[found[1]])), phrase)

    def plain(self, key: str, **values: object) -> str:
        """The same without marks, for text that is drawn in a figure."""
        return unmarked(self(key, **values))

    def known(self, key: str, otherwise: str) -> str:
        """The phrase, or `otherwise` for a key that a newer record brought."""
        return self.phrases.get(key, otherwise)


@cache
def words_of(language: str) -> Words:
    """The phrases of a language. Raises SettingsError for one that the report is not written in."""
    if language not in LANGUAGES:
        raise SettingsError(f"The report is written in {', '.join(LANGUAGES)}; {language!r} is none of them.")
    phrases = json.loads((_FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return Words(language, phrases["language.direction"], phrases)
