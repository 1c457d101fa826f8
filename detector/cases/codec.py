"""Records to JSON text and back, and the canonical form that digests are taken of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from detector.evidence.store import stored_path
from detector.evidence.types import AudioStream, Container, Evidence, Integrity, StoredFile, VideoStream

T = TypeVar("T")


def canonical(value: object) -> str:
    """JSON with sorted keys, no spaces, ASCII only; times as ISO 8601, so equal records give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=_plain)


def digest(value: object) -> str:
    """SHA-256 (hex) of the canonical form."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 (hex) of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def evidence_to_dict(evidence: Evidence) -> dict[str, Any]:
    """Everything but the path, which follows from the hash and moves with the store."""
    described = asdict(evidence)
    del described["file"]["path"]
    described["video"]["time_base"] = str(evidence.video.time_base)
    return described


def evidence_from_dict(described: Mapping[str, Any], evidence_dir: Path) -> Evidence:
    """The reverse of `evidence_to_dict`; fields that a later version wrote are left out."""
    file = described["file"]
    audio = described["audio"]
    video = {**described["video"], "time_base": Fraction(described["video"]["time_base"])}
    return Evidence(
        file=_build(StoredFile, {**file, "path": stored_path(evidence_dir, file["sha256"])}),
        kind=described["kind"],
        container=_build(Container, described["container"]),
        video=_build(VideoStream, video),
        audio=None if audio is None else _build(AudioStream, audio),
        integrity=_build(Integrity, described["integrity"]),
    )


def _build(cls: type[T], values: Mapping[str, Any]) -> T:
    names = {field.name for field in fields(cls)}  # type: ignore[arg-type]
    return cls(**{name: _tuples(value) for name, value in values.items() if name in names})


def _tuples(value: object) -> object:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, Path | Fraction):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no canonical form")
