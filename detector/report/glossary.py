"""What the words of pages and reports mean, for people who read them without having made the program.

Terms live in the report's phrases as `glossary.<term>` (the word) and `glossary.<term>.text` (its meaning), so that
the page and the reports of every language explain the same ones.
"""

from __future__ import annotations

from dataclasses import dataclass

from detector.report.language import Words
from detector.report.wording import ENGLISH

_PREFIX, _TEXT = "glossary.", ".text"


@dataclass(frozen=True, slots=True)
class Term:
    """A term of the glossary: `key` is the same in every language, `word` and `text` are the language's."""

    key: str
    word: str
    text: str


def glossary(words: Words = ENGLISH) -> tuple[Term, ...]:
    """Every term, in the alphabetical order of its language's words."""
    keys = [key.removeprefix(_PREFIX) for key in words.phrases if key.startswith(_PREFIX) and not key.endswith(_TEXT)]
    terms = [Term(key, words(_PREFIX + key), words(_PREFIX + key + _TEXT)) for key in keys]
    return tuple(sorted(terms, key=lambda term: term.word.casefold()))


def meaning(key: str) -> str:
    """What a term means, in English. Raises KeyError for a term that is not in the glossary."""
    return ENGLISH(_PREFIX + key + _TEXT)
