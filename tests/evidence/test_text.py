"""What a reader cannot see in a text is spelled out, the same way on pages, in tables and in reports."""

from __future__ import annotations

import pytest

from detector.evidence.text import revealed
from detector.report.printable import SOFT_BREAK, printable


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("clip.mp4", "clip.mp4"),
        ("invoice\u202egpj.exe", "invoice‹U+202E›gpj.exe"),
        ("\u2066a\u2069\u200f", "‹U+2066›a‹U+2069›‹U+200F›"),
        ("zero\u200bwidth\ufeff", "zero‹U+200B›width‹U+FEFF›"),
        ("nul\0 bell\x07 \udcff", "nul‹U+0000› bell‹U+0007› ‹U+DCFF›"),
        ("no\u00a0break", "no‹U+00A0›break"),
        ("blank\u3164letter\u2800", "blank‹U+3164›letter‹U+2800›"),
        ("two\nlines", "two‹U+000A›lines"),
        ("‹U+202E›", "‹U+2039›U+202E›"),
        ("می\u200cخواهم क्\u200dष", "می\u200cخواهم क्\u200dष"),
        ("a\u200db", "a‹U+200D›b"),
        ("Zażółć Ελλ עבר عرب हिन्दी 漢字 e\u0301", "Zażółć Ελλ עבר عرب हिन्दी 漢字 e\u0301"),
    ],
)
def test_hidden_characters_are_spelled_out_as_in_the_report(text: str, seen: str) -> None:
    assert revealed(text) == seen
    assert printable(text).replace(SOFT_BREAK, "") == seen


def test_free_text_keeps_its_lines() -> None:
    assert revealed("one\r\n\ttwo\u202e", lines=True) == "one\r\n\ttwo‹U+202E›"
