"""The box tree of a file of ISO base media, and what a few of its boxes say: times, edit lists, handler and compressor
names (ISO/IEC 14496-12; QuickTime File Format). No box's content is read beyond a few bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

from detector.evidence.forensics.types import Box as ListedBox
from detector.evidence.forensics.types import Edit, Timestamp
from detector.evidence.isobmff import KNOWN_TYPES, MAX_BOXES, Box, BoxWalk, name_of
from detector.evidence.text import shown

MAX_LISTED = 250
MAX_FIELD_BYTES = 512
MAX_XMP_BYTES = 1 << 20
# Seconds between the QuickTime epoch (1904-01-01) and Unix' (1970-01-01).
MAC_TO_UNIX_S = 2_082_844_800
_EPOCH = datetime(1904, 1, 1, tzinfo=UTC)
_MAX_EDITS = 64
_PRINTABLE = re.compile(rb"[\x20-\x7e]{6,120}")
_XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_C2PA_UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
_FREE_TEXT = frozenset((b"udta", b"ilst"))
_READ = frozenset(b"ftyp styp mvhd tkhd mdhd elst hdlr stsd free skip data mean name keys".split())
_LISTS = frozenset((b"elst", b"keys"))


@dataclass(frozen=True, slots=True)
class Field:
    """The head of one box's content, for the few kinds that are read. `path` are the types above it, `track` the number
    of the trak that it lies in (0: none)."""

    type: bytes
    path: tuple[bytes, ...]
    track: int
    content: bytes


@dataclass(slots=True)
class BoxTree:
    """The boxes of a file. `boxes` at most `MAX_LISTED`, `total` all that were walked; `cut_short` where a limit or a
    broken size ended a level early; `trailing_bytes` behind the last whole top-level box; `missing_bytes` by which the
    last box reaches beyond the file."""

    boxes: list[ListedBox] = field(default_factory=list)
    total: int = 0
    fields: list[Field] = field(default_factory=list)
    top: list[tuple[bytes, int, int]] = field(default_factory=list)
    unknown: dict[str, int] = field(default_factory=dict)
    cut_short: list[str] = field(default_factory=list)
    trailing_bytes: int = 0
    missing_bytes: int = 0
    xmp: bytes | None = None
    has_c2pa: bool = False


def read_tree(path: Path) -> BoxTree:
    """Walk a file that starts like ISO base media. Never raises on what is in it."""
    size_bytes = path.stat().st_size
    tree = BoxTree()
    track = end = 0
    with path.open("rb") as stream:
        walk = BoxWalk(stream, size_bytes)
        for box in walk:
            if not box.path:
                tree.top.append((box.type, box.offset, box.end - box.offset))
                end = box.end
            if len(tree.boxes) < MAX_LISTED:
                tree.boxes.append(ListedBox(name_of(box.type), box.offset, box.end - box.offset, len(box.path)))
            if box.type not in KNOWN_TYPES and not (box.path and box.path[-1] in _FREE_TEXT):
                tree.unknown[name_of(box.type)] = tree.unknown.get(name_of(box.type), 0) + 1
            track += box.type == b"trak"
            _read_extension(stream, box, tree)
            if (box.type in _READ or box.path[-1:] == (b"udta",)) and len(tree.fields) < MAX_BOXES // 10:
                tree.fields.append(_field(stream, box, track))
    tree.total, tree.cut_short = walk.total, walk.problems
    tree.trailing_bytes, tree.missing_bytes = max(0, size_bytes - end), max(0, end - size_bytes)
    return tree


def _read_extension(stream: BinaryIO, box: Box, tree: BoxTree) -> None:
    """XMP and the sign of a C2PA manifest, from a "uuid" box or QuickTime's "XMP_"."""
    if box.type == b"uuid":
        stream.seek(box.content)
        user_type, start = stream.read(16), box.content + 16
    elif box.type == b"XMP_" and box.path[-1:] == (b"udta",):
        user_type, start = _XMP_UUID, box.content
    else:
        return
    tree.has_c2pa |= user_type == _C2PA_UUID
    if user_type == _XMP_UUID and tree.xmp is None and 0 < box.content_end - start <= MAX_XMP_BYTES:
        stream.seek(start)
        tree.xmp = stream.read(box.content_end - start)


def _field(stream: BinaryIO, box: Box, track: int) -> Field:
    stream.seek(box.content)
    limit = MAX_FIELD_BYTES * (8 if box.type in _LISTS else 1)
    head = stream.read(max(0, min(box.content_end - box.content, limit)))
    return Field(box.type, box.path, track if b"trak" in box.path else 0, head)


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
    for one in fields:
        if one.type not in (b"mvhd", b"tkhd", b"mdhd") or (times := header_times(one)) is None:
            continue
        where = one.type.decode() if one.type == b"mvhd" else f"track {one.track} {one.type.decode()}"
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
    for one in listed:
        if one.type != b"elst":
            continue
        for duration, media_time in _edit_entries(one.content):
            scale = media_scale.get(one.track)
            found.append(
                Edit(
                    one.track,
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
