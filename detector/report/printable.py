"""Text from outside made printable: what a reader cannot see, or the fonts cannot show, is spelled out.

File names, titles and notes reach the report as data. Three things still could mislead a reader or break a page:
invisible characters (controls, bidirectional overrides, zero-width letters; see Unicode Technical Report 36),
characters without a glyph, and long runs without a place to break a line. The first two become ‹U+202E›; the third
gets a mark, `SOFT_BREAK`, at which the template allows a line to end without adding a character to the text.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path

from detector.evidence.text import hidden_at, spelled

FONTS_DIR = Path(__file__).resolve().parents[2] / "assets" / "fonts"

# In the order in which the template looks for a glyph.
_FONT_FILES = (
    "NotoSans-Regular.ttf",
    "NotoSansArabic-Regular.ttf",
    "NotoSansHebrew-Regular.ttf",
    "NotoSansDevanagari-Regular.ttf",
    "NotoSansThai-Regular.ttf",
    "NotoSansArmenian-Regular.ttf",
    "NotoSansGeorgian-Regular.ttf",
    "DroidSansFallback-CJK.ttf",
    "NotoSansCJKkr-Hangul.otf",
    "DejaVuSans-Symbols.ttf",
)

SOFT_BREAK = "\u200b"  # never part of the text itself: a zero-width space there is spelled out
_JOINERS = "\u200c\u200d"
_LONGEST_RUN = 20
_BREAK_EVERY = 8
_BREAK_EVERY_JOINED = 24  # a break inside a joined script cuts the letters apart, so it comes later
_MOST_MARKS = 3


@cache
def _coverage() -> tuple[frozenset[int], ...]:
    from matplotlib.ft2font import FT2Font

    return tuple(frozenset(FT2Font(str(FONTS_DIR / name)).get_charmap()) for name in _FONT_FILES)


def _font_of(char: str) -> int | None:
    code = ord(char)
    return next((index for index, codes in enumerate(_coverage()) if code in codes), None)


def _units(text: str) -> list[str]:
    """One string per visible unit: a character with its marks, or a spelled-out code point."""
    units: list[str] = []
    base_font: int | None = None
    marks = 0
    for index, char in enumerate(text):
        category = unicodedata.category(char)
        hidden = hidden_at(text, index)
        if category.startswith("M"):
            marks += 1
            if not hidden and base_font is not None and marks <= _MOST_MARKS and ord(char) in _coverage()[base_font]:
                units[-1] += char
            else:
                units.append(spelled(char))
            continue
        if char in _JOINERS and base_font in (1, 3) and not hidden:
            units[-1] += char  # Persian and Devanagari are misspelt without it
            continue
        font = None if hidden or char in _JOINERS else _font_of(char)
        units.append(spelled(char) if font is None else char)
        base_font, marks = font, 0
    return units


def _with_breaks(units: list[str]) -> str:
    out: list[str] = []
    run: list[str] = []

    def flush() -> None:
        if sum(map(len, run)) > _LONGEST_RUN:
            since = 0
            for position, unit in enumerate(run):
                limit = _BREAK_EVERY_JOINED if unicodedata.bidirectional(unit[0]) == "AL" else _BREAK_EVERY
                if position and since + len(unit) > limit:
                    out.append(SOFT_BREAK)
                    since = 0
                out.append(unit)
                since += len(unit)
        else:
            out.extend(run)
        run.clear()

    for unit in units:
        if unit == " ":
            flush()
            out.append(unit)
        else:
            run.append(unit)
    flush()
    return "".join(out)


def printable(text: str) -> str:
    """`text` as one line that shows everything in it. Spaces at its ends or next to each other are spelled out too,
    since two names that differ only there are two names."""
    units = _units(text)
    edges = [
        spelled(" ") if unit == " " and (i in (0, len(units) - 1) or units[i - 1] == " ") else unit
        for i, unit in enumerate(units)
    ]
    return _with_breaks(edges)


def printable_lines(text: str) -> list[str]:
    """Free text as lines; tabs become spaces, everything else as in `printable`."""
    return [_with_breaks(_units(line.replace("\t", "    "))) for line in text.replace("\r\n", "\n").split("\n")]


def shortened(text: str, limit: int) -> str:
    """The first `limit` visible units of `text`, for running heads; the full text stands elsewhere."""
    units = _units(text)
    return _with_breaks(units) if len(units) <= limit else _with_breaks(units[: limit - 1]) + "…"
