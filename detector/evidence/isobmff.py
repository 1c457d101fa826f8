"""The boxes of ISO base media: MP4, MOV, 3GP, HEIF (ISO/IEC 14496-12; QuickTime File Format).

No number of the file is trusted: no offset is followed, every size is held against the parent's, count and depth are
bounded, and the walk keeps its own stack, so a hostile file costs no more than a sound one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, NamedTuple

from detector.evidence.text import shown

MAX_BOXES = 20_000
MAX_DEPTH = 12
PARENTS = frozenset(
    b"moov trak edts mdia minf dinf stbl mvex moof traf mfra udta tapt gmhd meta ilst sinf schi iprp ipco".split()
)
KNOWN_TYPES = frozenset(
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
_PARENTS_OF_SAMPLE_ENTRIES = frozenset((b"moov", b"trak", b"mdia", b"minf", b"stbl"))
# 'encv' is ISO/IEC 14496-12 protected video (Common Encryption, ISO/IEC 23001-7); 'drmi' is Apple's FairPlay.
_PROTECTED_VIDEO = frozenset((b"encv", b"drmi"))
_MAX_PROBLEMS = 8


class Box(NamedTuple):
    """One box: bytes [offset, end) of the file, its content from `content` on; `end` may lie beyond `stop`, where its
    parent ends. `path` are the types above it."""

    type: bytes
    path: tuple[bytes, ...]
    offset: int
    content: int
    end: int
    stop: int

    @property
    def content_end(self) -> int:
        """The end of the content that the parent has room for."""
        return min(self.end, self.stop)


class BoxWalk:
    """Iterate over the boxes in bytes [start, stop) of a stream, parents before what they hold, in file order; never
    raises on what is in it.

    `strict` reads boxes as the standard has them: a level ends at a box that reaches beyond its parent and, at the
    top, at what is no box at all. Without it they are read as FFmpeg reads them: what reaches too far is cut at the
    parent's end. `total` counts the boxes; `problems` says in which places a limit or a broken size ended a level.
    """

    def __init__(
        self,
        stream: BinaryIO,
        stop: int,
        *,
        start: int = 0,
        parents: frozenset[bytes] = PARENTS,
        strict: bool = True,
    ) -> None:
        self._stream, self._start, self._stop = stream, start, stop
        self._parents, self._strict = parents, strict
        self.total = 0
        self.problems: list[str] = []

    def __iter__(self) -> Iterator[Box]:
        levels: list[tuple[int, int, tuple[bytes, ...]]] = [(self._start, self._stop, ())]
        while levels:
            start, stop, path = levels.pop()
            if start + 8 > stop:
                continue
            if self.total >= MAX_BOXES:
                self._note(f"only the first {MAX_BOXES} boxes were read")
                return
            if (box := self._box(start, stop, path)) is None:
                continue
            self.total += 1
            levels.append((box.end, stop, path))
            yield box
            if box.type not in self._parents and path[-1:] != (b"ilst",):
                continue
            if len(path) + 1 >= MAX_DEPTH:
                self._note(f"boxes below depth {MAX_DEPTH} were not read")
            else:
                levels.append((self._first_below(box), box.content_end, (*path, box.type)))

    def _box(self, start: int, stop: int, path: tuple[bytes, ...]) -> Box | None:
        """The box at `start`; None where the level ends there."""
        self._stream.seek(start)
        header = self._stream.read(16)
        size, kind, content = int.from_bytes(header[:4], "big"), header[4:8], start + 8
        if size == 1 and len(header) == 16:
            size, content = int.from_bytes(header[8:16], "big"), start + 16
        elif size == 0:
            if path and self._strict:  # QuickTime ends some lists, such as user data, with four zero bytes
                return None
            size = stop - start
        end = start + size
        if self._strict and not path and kind not in KNOWN_TYPES and (end > stop or not _looks_like_type(kind)):
            return None  # what follows is no box
        if end < content or (self._strict and path and end > stop):
            if path:
                self._note(f"a box in “{name_of(path[-1])}” states an impossible size")
            return None
        return Box(kind, path, start, content, end, stop)

    def _first_below(self, box: Box) -> int:
        """A "meta" box carries four bytes of version in MP4 and none in QuickTime."""
        if box.type != b"meta":
            return box.content
        self._stream.seek(box.content)
        return box.content if self._stream.read(8)[4:8] == b"hdlr" else box.content + 4

    def _note(self, text: str) -> None:
        if text not in self.problems and len(self.problems) < _MAX_PROBLEMS:
            self.problems.append(text)


def _looks_like_type(kind: bytes) -> bool:
    """Whether four bytes can be a box type: printable ASCII, or QuickTime's ©."""
    return len(kind) == 4 and all(0x20 <= byte < 0x7F or byte == 0xA9 for byte in kind)


def name_of(kind: bytes) -> str:
    """A box type as text; QuickTime's © is Mac Roman 0xA9; what cannot be printed is shown as hexadecimal."""
    text = kind.decode("latin-1")
    return shown(text, 8) if text.isprintable() and text.strip() else f"0x{kind.hex()}"


@dataclass(frozen=True, slots=True)
class BoxLayout:
    """Enough of the boxes to tell truncated and encrypted apart: FFmpeg reports both as "invalid data", and decodes an
    encrypted stream into noise. `missing_bytes` is how far the last top-level box reaches beyond the end of the file
    (0: complete); `declared_sizes` are (width, height) of the video's sample descriptions."""

    has_index: bool
    has_media_data: bool
    missing_bytes: int
    protected_video: bool
    declared_sizes: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class _Media:
    """A media box: its handler type and sample entries (type, width, height)."""

    handler: bytes | None = None
    entries: list[tuple[bytes, int, int]] = field(default_factory=list)


def read_layout(path: Path) -> BoxLayout:
    """Walk the boxes of a file that starts like ISO base media. Never raises on malformed content."""
    size_bytes = path.stat().st_size
    has_index = has_media_data = False
    missing_bytes = 0
    outside = _Media(b"vide")  # sample descriptions that lie in no media box
    media: list[_Media] = [outside]
    with path.open("rb") as stream:
        for box in BoxWalk(stream, size_bytes, parents=_PARENTS_OF_SAMPLE_ENTRIES, strict=False):
            if not box.path:
                has_index |= box.type == b"moov" and box.end <= size_bytes
                has_media_data |= box.type == b"mdat"
                missing_bytes = max(missing_bytes, box.end - size_bytes)
            elif box.path[0] != b"moov":
                continue
            elif box.type == b"mdia":
                media.append(_Media())
            elif box.type == b"hdlr" and box.path[-1] == b"mdia" and media[-1].handler is None:
                stream.seek(box.content + 8)
                media[-1].handler = stream.read(4)
            elif box.type == b"stsd":
                (media[-1] if b"mdia" in box.path else outside).entries.extend(_video_entries(stream, box))
    entries = [entry for one in media if one.handler == b"vide" for entry in one.entries]
    return BoxLayout(
        has_index,
        has_media_data,
        missing_bytes,
        any(kind in _PROTECTED_VIDEO for kind, _, _ in entries),
        tuple((width, height) for _, width, height in entries),
    )


def _video_entries(stream: BinaryIO, stsd: Box) -> Iterator[tuple[bytes, int, int]]:
    """(sample entry type, width, height) of a sample description box, as if it were a video track's."""
    entries = BoxWalk(stream, stsd.content_end, start=stsd.content + 8, parents=frozenset(), strict=False)
    for entry in entries:
        stream.seek(entry.content)
        fields = stream.read(28)
        yield entry.type, int.from_bytes(fields[24:26], "big"), int.from_bytes(fields[26:28], "big")
