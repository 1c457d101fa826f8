"""What a few boxes say: times, edit lists, handler and compressor names (ISO/IEC 14496-12; QuickTime File Format)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from detector.evidence.forensics.container_tree import Field
from detector.evidence.forensics.text import shown
from detector.evidence.forensics.types import Edit, Timestamp

# Seconds between the QuickTime epoch (1904-01-01) and Unix' (1970-01-01).
MAC_TO_UNIX_S = 2_082_844_800
_EPOCH = datetime(1904, 1, 1, tzinfo=UTC)
_MAX_EDITS = 64
_PRINTABLE = re.compile(rb"[\x20-\x7e]{6,120}")


class HeaderTimes(NamedTuple):
    """Raw seconds since 1904 as stored; `timescale` ticks per second and `duration` in ticks, None in a tkhd."""

    created: int
    modified: int
    timescale: int | None
    duration: int | None


def header_times(field: Field) -> HeaderTimes | None:
    """The times of an mvhd, tkhd or mdhd; None where the box is too short."""
    content = field.content
    wide = content[:1] == b"\1"
    step = 8 if wide else 4
    if len(content) < 4 + 2 * step + 4 + step:
        return None
    created = int.from_bytes(content[4 : 4 + step], "big")
    modified = int.from_bytes(content[4 + step : 4 + 2 * step], "big")
    if field.type == b"tkhd":
        return HeaderTimes(created, modified, None, None)
    at = 4 + 2 * step
    timescale = int.from_bytes(content[at : at + 4], "big")
    duration = int.from_bytes(content[at + 4 : at + 4 + step], "big")
    return HeaderTimes(created, modified, timescale, duration)


def moment(raw: int) -> datetime | None:
    """Seconds since 1904 as a time in UTC; None for 0 and for what no calendar holds."""
    if raw == 0:
        return None
    try:
        return _EPOCH + timedelta(seconds=raw)
    except OverflowError:
        return None


def timestamps(fields: Iterable[Field]) -> list[Timestamp]:
    """Creation and modification times of the movie and its tracks, in file order."""
    found = []
    for field in fields:
        if field.type not in (b"mvhd", b"tkhd", b"mdhd") or (times := header_times(field)) is None:
            continue
        where = field.type.decode() if field.type == b"mvhd" else f"track {field.track} {field.type.decode()}"
        pairs: tuple[tuple[Literal["created", "modified"], int], ...] = (
            ("created", times.created),
            ("modified", times.modified),
        )
        for name, raw in pairs:
            value = moment(raw)
            text = None if value is None else value.isoformat().replace("+00:00", "Z")
            found.append(Timestamp(where, name, text, raw))
    return found[:64]


def edits(fields: Iterable[Field]) -> list[Edit]:
    """The entries of all edit lists; times in seconds where the movie's and the track's timescale are known."""
    listed = list(fields)
    movie_scale = next((t.timescale for f in listed if f.type == b"mvhd" and (t := header_times(f))), None)
    media_scale = {f.track: t.timescale for f in listed if f.type == b"mdhd" and (t := header_times(f))}
    found: list[Edit] = []
    for field in listed:
        if field.type != b"elst":
            continue
        for duration, media_time in _edit_entries(field.content):
            scale = media_scale.get(field.track)
            found.append(
                Edit(
                    field.track,
                    duration / movie_scale if movie_scale else None,
                    None if media_time < 0 or not scale else media_time / scale,
                )
            )
    return found[:_MAX_EDITS]


def _edit_entries(content: bytes) -> Iterator[tuple[int, int]]:
    step = 8 if content[:1] == b"\1" else 4
    at = 8
    for _ in range(min(_MAX_EDITS, int.from_bytes(content[4:8], "big"))):
        if at + 2 * step + 4 > len(content):
            return
        yield (
            int.from_bytes(content[at : at + step], "big"),
            int.from_bytes(content[at + step : at + 2 * step], "big", signed=True),
        )
        at += 2 * step + 4


def handler_name(field: Field) -> str:
    """The name of an hdlr box: of C form in MP4, of Pascal form (its length first) in QuickTime."""
    raw = field.content[24:]
    if raw and raw[0] and raw[0] == len(raw) - 1:
        raw = raw[1:]
    return shown(raw.split(b"\0")[0], 100)


def compressor_name(field: Field) -> str:
    """The compressor name of the first visual sample entry of an stsd box; empty for sound."""
    entry = field.content[8:]
    length = entry[50] if len(entry) > 82 else 0
    return shown(entry[51 : 51 + length].split(b"\0")[0], 40) if 0 < length <= 31 else ""


def user_text(field: Field) -> str:
    """The text of a user-data item: of QuickTime's form (length, language, text) or as it stands."""
    content = field.content
    length = int.from_bytes(content[:2], "big")
    if 0 < length <= len(content) - 4:
        return shown(content[4 : 4 + length], 200)
    return ""


def item_text(field: Field) -> str:
    """The text of an iTunes-style "data" box of type 1 (UTF-8)."""
    return shown(field.content[8:], 200) if field.content[:4] == b"\0\0\0\1" else ""


def free_text(field: Field) -> str:
    """A readable run of text in a box that is meant to be empty; some writers sign there."""
    found = _PRINTABLE.search(field.content)
    return shown(found[0], 120) if found else ""
