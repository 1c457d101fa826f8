"""Sentences that an analysis recorded in English, in the language of the report.

Analyses keep their reasons as English sentences. Each form that such a sentence takes is a phrase `recorded.<name>` in
assets/report/lang, with the values that vary in braces; the sentence is told from the English forms and set again from
the language's. A value whose name begins with `n_` is a number, with `p_` a part that has a form of its own
(`recorded.part.<name>`, or a phrase of a flag, a label, a degree of support), with `t_` one or more sentences; any
other is a name and stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache

from detector.analysis.identity import runtime_reasons, runtimes
from detector.analysis.types import Analysis
from detector.report.language import Words, words_of
from detector.report.printable import printable

_PREFIX, _PART = "recorded.", "recorded.part."
_WORDED = ("flag.", "support.", "label.", "sensitivity.")
_VALUE = re.compile(r"\{(\w+)\}")
_NUMBER = r"[+−-]?[\d.,]+(?:e[+-]?\d+)?(?: ?%)?"
_NAME = "\ue010{index}\ue011"
_NAMED = re.compile("\ue010(\\d+)\ue011")


def recorded(text: str, words: Words, names: Sequence[str] = ()) -> str | None:
    """A sentence, or several, in the report's language; in English as recorded. `names` are those of models and sets
    that may occur in it: they stay whole. None where the text has none of the known forms."""
    if words.language == "en":
        return printable(text)
    kept = sorted({name for name in names if name}, key=len, reverse=True)
    for index, name in enumerate(kept):
        text = text.replace(name, _NAME.format(index=index))
    found = _sentences(text, words)
    return None if found is None else _NAMED.sub(lambda one: printable(kept[int(one[1])]), found)


def told(text: str, words: Words, names: Sequence[str] = (), otherwise: str = "recorded.unknown") -> str:
    """As `recorded`; where the text has none of the known forms, the phrase `otherwise`."""
    found = recorded(text, words, names)
    return words(otherwise) if found is None else found


def names_in(analysis: Analysis) -> tuple[str, ...]:
    """The names of models, and of the calibration set, that an analysis's sentences may hold."""
    found = [name for model in analysis.models for name in (model.name, model.model_id)]
    found += [member.model_id for model in analysis.models for member in model.members]
    if analysis.calibration is not None:
        found += [analysis.calibration.set_name, analysis.calibration.model_id]
    return tuple(found)


def runtime_text(analysis: Analysis, words: Words) -> str:
    """What computed the networks of an analysis, and why it was torch where another was to."""
    if analysis.identity is None:
        return "torch"
    reasons = [told(reason, words, names_in(analysis)) for reason in runtime_reasons(analysis.identity)]
    return " ".join([printable(", ".join(runtimes(analysis.identity)) + "." * bool(reasons)), *reasons])


@cache
def _forms() -> tuple[tuple[str, re.Pattern[str], re.Pattern[str]], ...]:
    """Of each form its key, the pattern of the whole, and that of one with more sentences behind it; those with fewer
    values first, so that the plainest form is found."""
    english = words_of("en").phrases
    keys = [key for key in english if key.startswith(_PREFIX)]
    keys.sort(key=lambda key: (len(_VALUE.findall(english[key])), -len(english[key])))
    return tuple((key, _pattern(english[key]), _pattern(english[key], r" (?P<more>.+)")) for key in keys)


def _pattern(phrase: str, behind: str = "") -> re.Pattern[str]:
    parts = _VALUE.split(phrase)
    made = [re.escape(part) if index % 2 == 0 else _value(part) for index, part in enumerate(parts)]
    return re.compile("".join(made) + behind, re.DOTALL)


def _value(name: str) -> str:
    return f"(?P<{name}>{_NUMBER if name.startswith('n_') else '.+?'})"


def _sentences(text: str, words: Words) -> str | None:
    for key, whole, begun in _forms():
        if key.startswith(_PART):
            continue
        if (found := whole.fullmatch(text)) and (told := _told(key, found, words)) is not None:
            return told
        if found := begun.fullmatch(text):
            told, more = _told(key, found, words), None
            if told is not None:
                more = _sentences(found["more"], words)
            if told is not None and more is not None:
                return f"{told} {more}"
    return None


def _told(key: str, found: re.Match[str], words: Words) -> str | None:
    values = {}
    for name, value in found.groupdict().items():
        if name == "more":
            continue
        told = _part(value, words) if name.startswith("p_") else value
        if name.startswith("t_"):
            told = _sentences(value, words)
        if told is None:
            return None
        values[name] = told
    return words(key, **values) if values else words(key)


def _part(text: str, words: Words) -> str | None:
    if _NAMED.fullmatch(text) or re.fullmatch(_NUMBER, text):
        return text
    if (worded := next(_worded(text), None)) is not None:
        return words(worded)
    for key, whole, _ in _forms():
        if (
            key.startswith(_PART)
            and (found := whole.fullmatch(text))
            and (told := _told(key, found, words)) is not None
        ):
            return told
    return None


def _worded(text: str) -> Iterator[str]:
    """The phrase of a flag by its code, of a label or a degree of support by its words."""
    english = words_of("en").phrases
    for prefix in _WORDED:
        code = prefix + text.replace(" ", "_")
        if code in english:
            yield code
    yield from (key for key in english if key.startswith(_WORDED) and english[key] == text)
