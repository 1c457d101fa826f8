"""The end of a file's own structure, for formats without boxes; what lies behind is not shown by any viewer."""

from __future__ import annotations

import mmap
import struct
from pathlib import Path

from detector.evidence.signature import HEAD_BYTES, declared_length

_MAX_CHUNKS = 100_000
_PNG = b"\x89PNG\r\n\x1a\n"


def end_of_content(path: Path) -> int | None:
    """The offset behind a JPEG's end marker (ISO/IEC 10918-1, B.1.1.3), a PNG's IEND, the declared length of RIFF (AVI,
    WebP) or Matroska; None for other formats and where the structure does not lead to its end."""
    size_bytes = path.stat().st_size
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
        if head.startswith(b"\xff\xd8\xff"):
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return _end_of_jpeg(content)
        if head.startswith(_PNG):
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content:
                return _end_of_png(content)
        declared = declared_length(head)
        if declared is None or declared >= size_bytes:
            return None
        end = declared + declared % 2 if head[:4] == b"RIFF" else declared
        stream.seek(end)
        # OpenDML continues a long AVI in further RIFF parts (AVI file format extensions 1.02).
        return None if stream.read(4) == b"RIFF" else min(end, size_bytes)


def _end_of_jpeg(content: mmap.mmap) -> int | None:
    """Segments are skipped by their lengths, so that a thumbnail's end marker is not taken for the picture's; inside
    the coded data no end marker can occur, since 0xFF is followed by 0 there."""
    at = 2
    for _ in range(_MAX_CHUNKS):
        if at + 4 > len(content) or content[at] != 0xFF:
            return None
        marker = content[at + 1]
        if marker == 0xDA:
            found = content.find(b"\xff\xd9", at)
            return found + 2 if found >= 0 else None
        if marker == 0xFF:
            at += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:
            at += 2
        else:
            length = int.from_bytes(content[at + 2 : at + 4], "big")
            if length < 2:
                return None
            at += 2 + length
    return None


def _end_of_png(content: mmap.mmap) -> int | None:
    at = len(_PNG)
    for _ in range(_MAX_CHUNKS):
        if at + 12 > len(content):
            return None
        length, kind = struct.unpack(">I4s", content[at : at + 8])
        at += 12 + length
        if kind == b"IEND":
            return at if at <= len(content) else None
    return None


def is_zero_from(path: Path, start: int, *, limit: int = 64 << 20) -> bool | None:
    """Whether everything from `start` on is zero; None where more than `limit` bytes would have to be read."""
    if path.stat().st_size - start > limit:
        return None
    with path.open("rb") as stream:
        stream.seek(start)
        while chunk := stream.read(1 << 20):
            if chunk.strip(b"\0"):
                return False
    return True
