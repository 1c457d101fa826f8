"""The box structure of an MP4, MOV or 3GP file (ISO/IEC 14496-12): enough to tell truncated and encrypted apart.

FFmpeg reports both as "invalid data", and decodes an encrypted stream into noise, so the boxes are read first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MAX_BOXES = 20_000
_PARENTS = {b"moov", b"trak", b"mdia", b"minf", b"stbl"}
# 'encv' is ISO/IEC 14496-12 protected video (Common Encryption, ISO/IEC 23001-7); 'drmi' is Apple's FairPlay.
_PROTECTED_VIDEO = {b"encv", b"drmi"}


@dataclass(frozen=True, slots=True)
class BoxLayout:
    """`missing_bytes` is how far the last top-level box reaches beyond the end of the file (0: complete)."""

    has_index: bool
    has_media_data: bool
    missing_bytes: int
    protected_video: bool
    declared_sizes: tuple[tuple[int, int], ...]


def read_layout(path: Path) -> BoxLayout:
    """Walk the boxes of a file that starts like ISO base media. Never raises on malformed content."""
    size_bytes = path.stat().st_size
    has_index = has_media_data = protected = False
    missing_bytes = 0
    sizes: list[tuple[int, int]] = []
    with path.open("rb") as stream:
        for kind, start, end in _boxes(stream, 0, size_bytes):
            has_index |= kind == b"moov" and end <= size_bytes
            has_media_data |= kind == b"mdat"
            missing_bytes = max(missing_bytes, end - size_bytes)
            if kind != b"moov":
                continue
            for entry, width, height in _video_entries(stream, start, min(end, size_bytes)):
                protected |= entry in _PROTECTED_VIDEO
                sizes.append((width, height))
    return BoxLayout(has_index, has_media_data, missing_bytes, protected, tuple(sizes))


def _boxes(stream: BinaryIO, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """(type, first byte of the content, end) of each box in [start, stop); `end` may lie beyond `stop`."""
    for _ in range(MAX_BOXES):
        if start + 8 > stop:
            return
        stream.seek(start)
        header = stream.read(16)
        size, kind, content = int.from_bytes(header[:4], "big"), header[4:8], start + 8
        if size == 1 and len(header) == 16:
            size, content = int.from_bytes(header[8:16], "big"), start + 16
        elif size == 0:
            size = stop - start
        if size < content - start:
            return
        yield kind, content, start + size
        start += size


def _video_entries(stream: BinaryIO, start: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """(sample entry type, width, height) of each video track's sample descriptions below [start, stop)."""
    for kind, content, end in list(_boxes(stream, start, stop)):
        if kind == b"mdia" and not _is_video(stream, content, min(end, stop)):
            continue
        if kind in _PARENTS:
            yield from _video_entries(stream, content, min(end, stop))
        elif kind == b"stsd":
            for entry, body, _ in list(_boxes(stream, content + 8, min(end, stop))):
                stream.seek(body)
                fields = stream.read(28)
                yield entry, int.from_bytes(fields[24:26], "big"), int.from_bytes(fields[26:28], "big")


def _is_video(stream: BinaryIO, start: int, stop: int) -> bool:
    for kind, content, _ in _boxes(stream, start, stop):
        if kind == b"hdlr":
            stream.seek(content + 8)
            return stream.read(4) == b"vide"
    return False
