"""The box tree of ISO base media (ISO/IEC 14496-12; QuickTime File Format), walked without trusting a single number.

Every size is checked against its parent, depth and count are bounded, and no box's content is read beyond a few bytes,
so a hostile file costs no more than a sound one.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from detector.evidence.forensics.text import shown
from detector.evidence.forensics.types import Box

MAX_BOXES = 20_000
MAX_LISTED = 250
MAX_DEPTH = 12
MAX_FIELD_BYTES = 512
MAX_XMP_BYTES = 1 << 20
_PARENTS = frozenset(
    b"moov trak edts mdia minf dinf stbl mvex moof traf mfra udta tapt gmhd meta ilst sinf schi iprp ipco".split()
)
_XMP_UUID = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_C2PA_UUID = bytes.fromhex("d8fec3d61b0e483c92975828877ec481")
# The MP4 registration authority's list, QuickTime's, and what cameras and platforms are known to write.
_KNOWN = frozenset(
    b"""ftyp styp moov mvhd trak tkhd edts elst mdia mdhd hdlr minf vmhd smhd hmhd nmhd sthd dinf dref stbl stsd
    stts ctts cslg stss stps stsc stsz stz2 stco co64 sdtp sbgp sgpd subs saiz saio tref udta meta ilst keys
    mean name data mdat free skip wide pnot moof mfhd traf tfhd tfdt trun mvex mehd trex mfra tfra mfro sidx
    ssix prft emsg uuid iods tapt clef prof enof gmhd gmin gmed text tmcd tcmi load clip crgn matt kmat imap
    chap url urn alis rsrc pdin btrt pasp colr clap fiel iprp ipco ipma iinf infe iref iloc pitm idat grpl ispe
    pixi hvcC av1C avcC irot imir auxC pssh senc sinf frma schm schi tenc cprt tsel kind loci titl auth perf
    gnre dscp albm yrrc rtng clsf kywd ID32 xml bxml mp4s mp4a avc1 hvc1 hev1 av01 mp4v mebx jpeg thmb GPRI GPS0
    SDLN smrd pict Xtra XMP_ CAME FIRM LENS HMMT MUID GPMF AMBA SETT beam cios frea mpvd vndr psmt inst ccid
    meco mere sdes strk""".split()
)
_FREE_TEXT = frozenset((b"udta", b"ilst"))


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
    """What one walk found. `boxes` at most `MAX_LISTED`, `total` all that were walked; `cut_short` where a limit or a
    broken size ended a level early; `trailing_bytes` behind the last whole top-level box; `missing_bytes` by which the
    last box reaches beyond the file."""

    boxes: list[Box] = field(default_factory=list)
    total: int = 0
    fields: list[Field] = field(default_factory=list)
    top: list[tuple[bytes, int, int]] = field(default_factory=list)
    unknown: dict[str, int] = field(default_factory=dict)
    cut_short: list[str] = field(default_factory=list)
    trailing_bytes: int = 0
    missing_bytes: int = 0
    xmp: bytes | None = None
    has_c2pa: bool = False


_READ = frozenset(b"ftyp styp mvhd tkhd mdhd elst hdlr stsd free skip data mean name keys".split())


def walk(path: Path, *, cancelled: Callable[[], bool] = lambda: False) -> BoxTree:
    """Walk a file that starts like ISO base media. Never raises on what is in it."""
    size_bytes = path.stat().st_size
    tree = BoxTree()
    with path.open("rb") as stream:
        walker = _Walker(stream, tree, cancelled)
        end = walker.level(0, size_bytes, ())
        tree.trailing_bytes = max(0, size_bytes - end)
        tree.missing_bytes = max(0, end - size_bytes)
    return tree


class _Walker:
    def __init__(self, stream: BinaryIO, tree: BoxTree, cancelled: Callable[[], bool]) -> None:
        self._stream, self._tree, self._cancelled = stream, tree, cancelled
        self._track = 0

    def level(self, start: int, stop: int, path: tuple[bytes, ...]) -> int:
        """Walk the boxes in [start, stop) and below; returns where the last whole header's box ends."""
        tree = self._tree
        for kind, offset, content, end in self._headers(start, stop, path):
            tree.total += 1
            if not path:
                tree.top.append((kind, offset, end - offset))
            if len(tree.boxes) < MAX_LISTED:
                tree.boxes.append(Box(name_of(kind), offset, end - offset, len(path)))
            if kind not in _KNOWN and not (path and path[-1] in _FREE_TEXT):
                tree.unknown[name_of(kind)] = tree.unknown.get(name_of(kind), 0) + 1
            if kind == b"trak":
                self._track += 1
            self._read(kind, content, min(end, stop), path)
            below = (*path, kind)
            if kind in _PARENTS or (path and path[-1] == b"ilst"):
                if len(path) + 1 >= MAX_DEPTH:
                    self._note(f"boxes below depth {MAX_DEPTH} were not read")
                else:
                    self.level(content + self._header_extra(kind, content), min(end, stop), below)
            start = end
        return start

    def _headers(self, start: int, stop: int, path: tuple[bytes, ...]) -> Iterator[tuple[bytes, int, int, int]]:
        while start + 8 <= stop:
            if self._tree.total >= MAX_BOXES:
                self._note(f"only the first {MAX_BOXES} boxes were read")
                return
            if self._tree.total % 256 == 0 and self._cancelled():
                return
            self._stream.seek(start)
            header = self._stream.read(16)
            size, kind, content = int.from_bytes(header[:4], "big"), header[4:8], start + 8
            if size == 1 and len(header) == 16:
                size, content = int.from_bytes(header[8:16], "big"), start + 16
            elif size == 0:
                if path:  # QuickTime ends some lists, such as user data, with four zero bytes
                    return
                size = stop - start
            if not path and kind not in _KNOWN and (start + size > stop or not _looks_like_type(kind)):
                return  # what follows is no box: it is counted as trailing data
            if size < content - start or (path and start + size > stop):
                if path:
                    self._note(f"a box in “{name_of(path[-1])}” states an impossible size")
                return
            yield kind, start, content, start + size
            start += size

    def _header_extra(self, kind: bytes, content: int) -> int:
        """A "meta" box carries four bytes of version in MP4 and none in QuickTime."""
        if kind != b"meta":
            return 0
        self._stream.seek(content)
        head = self._stream.read(8)
        return 0 if head[4:8] == b"hdlr" else 4

    def _read(self, kind: bytes, content: int, stop: int, path: tuple[bytes, ...]) -> None:
        tree = self._tree
        if kind == b"uuid" or (kind == b"XMP_" and path[-1:] == (b"udta",)):
            self._stream.seek(content)
            user_type = self._stream.read(16) if kind == b"uuid" else _XMP_UUID
            tree.has_c2pa |= user_type == _C2PA_UUID
            length = stop - self._stream.tell() if kind == b"uuid" else stop - content
            if user_type == _XMP_UUID and tree.xmp is None and 0 < length <= MAX_XMP_BYTES:
                tree.xmp = self._stream.read(length)
        wanted = kind in _READ or path[-1:] == (b"udta",)
        if wanted and len(tree.fields) < MAX_BOXES // 10:
            self._stream.seek(content)
            limit = MAX_FIELD_BYTES if kind not in (b"elst", b"keys") else 8 * MAX_FIELD_BYTES
            head = self._stream.read(max(0, min(stop - content, limit)))
            tree.fields.append(Field(kind, path, self._track if b"trak" in path else 0, head))

    def _note(self, text: str) -> None:
        if text not in self._tree.cut_short and len(self._tree.cut_short) < 8:
            self._tree.cut_short.append(text)


def _looks_like_type(kind: bytes) -> bool:
    """Whether four bytes can be a box type: printable ASCII, or QuickTime's ©."""
    return len(kind) == 4 and all(0x20 <= byte < 0x7F or byte == 0xA9 for byte in kind)


def name_of(kind: bytes) -> str:
    """A box type as text; QuickTime's © is Mac Roman 0xA9; what cannot be printed is shown as hexadecimal."""
    text = kind.decode("latin-1")
    return shown(text, 8) if text.isprintable() and text.strip() else f"0x{kind.hex()}"


def is_zero_tail(path: Path, start: int, *, limit: int = 64 << 20) -> bool | None:
    """Whether everything from `start` on is zero; None where more than `limit` bytes would have to be read."""
    if path.stat().st_size - start > limit:
        return None
    with path.open("rb") as stream:
        stream.seek(start, os.SEEK_SET)
        while chunk := stream.read(1 << 20):
            if chunk.strip(b"\0"):
                return False
    return True
