"""Text out of evidence, made safe to show: what cannot be seen is spelled out, or dropped from what is shortened."""

from __future__ import annotations

import unicodedata

MAX_CHARS = 300

# Blank although their category is a letter's, a mark's or a symbol's: the rest of Default_Ignorable_Code_Point
# (UAX #44), and the empty braille pattern.
_BLANK = frozenset(
    map(
        chr,
        [
            *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0),
            *(*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)),
        ],
    )
)
_JOINERS = "\u200c\u200d"
_LAYOUT = "\n\r\t"


def spelled(char: str) -> str:
    """One character as its code point: ‹U+202E›."""
    return f"‹U+{ord(char):04X}›"


def hidden_at(text: str, index: int) -> bool:
    """Whether a reader cannot see the character at `index` for what it is.

    Controls, bidirectional overrides, zero-width letters, blanks other than the plain space, code points without a
    meaning (Unicode Technical Report 36), and a quotation mark that imitates what `spelled` writes. Joiners between
    Arabic or Indic letters belong to the spelling.
    """
    char = text[index]
    if char in _JOINERS:
        joined = index > 0 and ("\u0600" <= text[index - 1] <= "\u08ff" or "\u0900" <= text[index - 1] <= "\u0dff")
        return not (joined and text[index + 1 : index + 2].isalpha())
    category = unicodedata.category(char)
    if category[0] == "C" or (category[0] == "Z" and char != " ") or char in _BLANK:
        return True
    return char == "‹" and text.startswith("U+", index + 1)


def revealed(text: str, *, lines: bool = False) -> str:
    """`text` with every hidden character spelled out, so that two texts that differ never look alike for that.

    With `lines`, line breaks and tabs stay, for free text whose layout the reader sees.
    """
    return "".join(
        spelled(char) if hidden_at(text, index) and not (lines and char in _LAYOUT) else char
        for index, char in enumerate(text)
    )


def shown(value: object, limit: int = MAX_CHARS) -> str:
    """`value` as one line without control or direction-changing characters, at most `limit` characters.

    Bytes are read as UTF-8, or as Latin-1 where they are not.
    """
    if isinstance(value, bytes):
        value = value[: 4 * limit]
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError:
            text = value.decode("latin-1")
    else:
        text = str(value)
    # Unassigned, private and lone surrogate characters stay out of records that other programs must read.
    kept = "".join(" " if unicodedata.category(c)[0] in "CZ" else c for c in text[: 4 * limit])
    line = " ".join(kept.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def listed(items: object, limit: int = 6) -> str:
    """A sequence as words: "a, b and c"; beyond `limit` the rest is counted."""
    words = [str(item) for item in items]  # type: ignore[attr-defined]
    if len(words) > limit:
        return f"{', '.join(words[:limit])} and {len(words) - limit} more"
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else "none"
