"""HTML put together from elements, so that text from outside can only ever be text.

A plain string is escaped wherever it is used; markup comes from `element` alone, which takes its tags and attribute
names from this program's own code. The marks of direction and the soft breaks that the report's payload carries become
<bdi> and <wbr>.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from detector.report.language import END_MARK, LTR_MARK, RTL_MARK, unmarked
from detector.report.printable import SOFT_BREAK

_VOID: Final = frozenset({"img", "meta", "br", "wbr", "hr"})
_NAME: Final = re.compile(r"[a-z][a-z0-9-]*")
_MARKED: Final = {LTR_MARK: '<bdi dir="ltr">', RTL_MARK: '<bdi dir="rtl">', SOFT_BREAK: "<wbr>"}


class Markup(str):
    """Text that is HTML already. Only this module makes it."""

    __slots__ = ()


Content = str | Markup | Sequence["Content"]


def element(tag: str, *children: Content, **attributes: str | None) -> Markup:
    """One element. Attribute names are given in Python's way (class_, data_key); None leaves one out."""
    names = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items() if value is not None}
    if not all(_NAME.fullmatch(name) for name in (tag, *names)):
        raise ValueError(f"{tag!r} with {sorted(names)} is no element of a report.")
    told = "".join(f' {name}="{escape(plain(value), quote=True)}"' for name, value in names.items())
    if tag in _VOID:
        return Markup(f"<{tag}{told}>")
    return Markup(f"<{tag}{told}>{joined(children)}</{tag}>")


def joined(children: Iterable[Content]) -> Markup:
    """Markup as it is, everything else escaped, lists one after the other."""
    parts = []
    for child in children:
        if isinstance(child, Markup):
            parts.append(str(child))
        elif isinstance(child, str):
            parts.append(_text(child))
        else:
            parts.append(str(joined(child)))
    return Markup("".join(parts))


def plain(text: str) -> str:
    """Text without the payload's marks, for attributes and titles."""
    return unmarked(text).replace(SOFT_BREAK, "")


def _text(text: str) -> str:
    """Escaped text in which each mark is an element; marks that do not pair are dropped."""
    out, inside = [], 0
    for char in text:
        if char == END_MARK:
            if inside:
                out.append("</bdi>")
                inside -= 1
        elif char in _MARKED:
            inside += char != SOFT_BREAK
            out.append(_MARKED[char])
        else:
            out.append(escape(_shown(char), quote=True))
    return "".join(out) + "</bdi>" * inside


def _shown(char: str) -> str:
    """A character that HTML allows: others, and bytes that are no text, as an escape."""
    code = ord(char)
    forbidden = (code < 0x20 and char not in "\t\n") or 0x7F <= code <= 0x9F or 0xD800 <= code <= 0xDFFF
    return f"\\x{code:02x}" if forbidden else char
