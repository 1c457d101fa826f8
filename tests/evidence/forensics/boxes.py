"""Edits of an MP4's boxes, byte by byte, as tampering and other programs do them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from detector.evidence import Evidence
from detector.evidence.forensics import FileForensics, Observation, examine_file


def box(kind: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def find(content: bytes, kind: bytes, after: int = 0) -> int:
    """Where the content of the next box of this kind begins."""
    at = content.find(kind, after)
    assert at > 0, kind
    return at + 4


def set_times(content: bytearray, kind: bytes, created: int, modified: int) -> None:
    """Both times of the first mvhd, tkhd or mdhd of version 0."""
    at = find(bytes(content), kind)
    assert content[at] == 0
    content[at + 4 : at + 12] = struct.pack(">II", created, modified)


def rewritten(source: Path, target: Path, change: Callable[[bytearray], None]) -> Path:
    content = bytearray(source.read_bytes())
    change(content)
    target.write_bytes(content)
    return target


def examined(path: Path, evidence: Evidence) -> FileForensics:
    """Examine the file at `path` although `evidence` was made of its sound version."""
    stored = replace(
        evidence.file, path=path, sha256=sha256(path.read_bytes()).hexdigest(), size_bytes=path.stat().st_size
    )
    return examine_file(path, replace(evidence, file=stored))


def finding(found: FileForensics, code: str) -> Observation:
    """The one observation with this code."""
    (one,) = [one for one in found.observations if one.code == code]
    return one


def codes(found: FileForensics) -> set[str]:
    return {one.code for one in found.observations}
