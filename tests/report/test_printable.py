"""Text that cannot be seen is spelled out, and two texts that differ never print alike."""

from __future__ import annotations

import pytest

from detector.report.printable import SOFT_BREAK, printable, printable_lines, shortened


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("clip.mp4", "clip.mp4"),
        ("Zażółć Ελλ Кир עבר عرب हिन्दी ไทย 漢字 한국어", "Zażółć Ελλ Кир עבר عرب हिन्दी ไทย 漢字 한국어"),
        ("a\u202eb", "a‹U+202E›b"),
        ("a\nb", "a‹U+000A›b"),
        ("a\x00b", "a‹U+0000›b"),
        ("a\u200bb", "a‹U+200B›b"),
        ("a\udc80b", "a‹U+DC80›b"),
        ("a\u00a0b", "a‹U+00A0›b"),
        (" a", "‹U+0020›a"),
        ("a ", "a‹U+0020›"),
        ("a  b", "a ‹U+0020›b"),
        ("🎬", "‹U+1F3AC›"),
        ("😀", "😀"),
        ("e\u0301", "e\u0301"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("a\u200cb", "a‹U+200C›b"),
        ("‹U+202E›", "‹U+2039›U+202E›"),
        ("‹quoted›", "‹quoted›"),
        ("", ""),
    ],
)
def test_what_is_printed(text: str, printed: str) -> None:
    assert printable(text).replace(SOFT_BREAK, "") == printed


def test_stacked_marks_do_not_climb_over_the_line_above() -> None:
    assert printable("z" + "\u0301" * 5).replace(SOFT_BREAK, "") == "z\u0301\u0301\u0301‹U+0301›‹U+0301›"


def test_long_runs_can_be_broken_and_short_ones_are_left_alone() -> None:
    assert SOFT_BREAK not in printable("interview-2030.mp4")
    assert max(len(part) for part in printable("x" * 300).split(SOFT_BREAK)) <= 8
    assert printable("x" * 300).replace(SOFT_BREAK, "") == "x" * 300


def test_a_spelled_code_point_is_never_broken() -> None:
    parts = printable("\U0001f3ac" * 20).split(SOFT_BREAK)
    assert all(part == "‹U+1F3AC›" for part in parts)


def test_notes_keep_their_lines() -> None:
    assert printable_lines("one\r\ntwo\n\n\tthree") == ["one", "two", "", "    three"]


def test_shortened_counts_what_is_seen() -> None:
    assert shortened("abcdef", 4) == "abc…"
    assert shortened("abcd", 4) == "abcd"
