"""Text out of evidence, made safe to show: control characters out, length bounded."""

from __future__ import annotations

import unicodedata

MAX_CHARS = 300


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
