"""Ingest: copy a file into the content-addressed store while hashing it, and never touch the original."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from detector.errors import EvidenceError
from detector.evidence.types import StoredFile

CHUNK_BYTES = 1 << 20
MAX_NAME_CHARS = 255


def ingest(source: Path | BinaryIO, store_dir: Path, *, file_name: str | None = None) -> StoredFile:
    """Copy `source` to `store_dir/<sha256[:2]>/<sha256>`, read-only, in one pass of 1 MiB chunks.

    The copy appears under its final name only when complete (temporary file on the same file system, then an atomic
    rename). Equal content is kept once; every submission keeps its own `file_name`, which is data and never a path to
    open: control of it stays with the submitter, so it is only made storable (no NUL, no lone surrogates, at most 255
    characters). SHA-256 (FIPS 180-4) identifies the file; MD5 is kept for older records. Raises `EvidenceError` when
    `source` cannot be read or is not a regular file. Errors of the store's own disk stay `OSError`.
    """
    store_dir = Path(store_dir)
    store_dir.mkdir(parents=True, exist_ok=True)
    name = storable_name(file_name if file_name is not None else _name_of(source))
    sha256 = hashlib.sha256()
    md5 = hashlib.md5(usedforsecurity=False)
    size_bytes = 0
    handle, temporary = tempfile.mkstemp(prefix=".incoming-", dir=store_dir)
    try:
        with os.fdopen(handle, "wb") as copy, _opened(source) as stream:
            while chunk := _read(stream, name):
                sha256.update(chunk)
                md5.update(chunk)
                copy.write(chunk)
                size_bytes += len(chunk)
            copy.flush()
            os.fsync(copy.fileno())
        target = stored_path(store_dir, sha256.hexdigest())
        target.parent.mkdir(exist_ok=True)
        # An existing copy of another size was damaged after it was stored: the bytes just hashed replace it.
        if not target.is_file() or target.stat().st_size != size_bytes:
            os.chmod(temporary, 0o444)
            os.replace(temporary, target)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return StoredFile(
        sha256=sha256.hexdigest(), md5=md5.hexdigest(), size_bytes=size_bytes, file_name=name, path=target.absolute()
    )


def stored_path(store_dir: Path, sha256: str) -> Path:
    """The path at which the content with this SHA-256 (hex) lies or would lie."""
    return Path(store_dir) / sha256[:2] / sha256


def hash_file(path: Path) -> tuple[str, str]:
    """(SHA-256, MD5) of a file in hex, read in 1 MiB chunks; to check that a stored copy is still what was stored."""
    sha256 = hashlib.sha256()
    md5 = hashlib.md5(usedforsecurity=False)
    with Path(path).open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            sha256.update(chunk)
            md5.update(chunk)
    return sha256.hexdigest(), md5.hexdigest()


def storable_name(name: str) -> str:
    """The submitter's name as text that any record can hold: undecodable bytes escaped, NUL shown as U+FFFD."""
    text = name.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\N{REPLACEMENT CHARACTER}")
    return text[:MAX_NAME_CHARS] or "unnamed"


def _name_of(source: Path | BinaryIO) -> str:
    if isinstance(source, str | os.PathLike):
        return Path(source).name
    name = getattr(source, "name", None)
    return Path(name).name if isinstance(name, str) else "unnamed"


@contextmanager
def _opened(source: Path | BinaryIO) -> Iterator[BinaryIO]:
    if not isinstance(source, str | os.PathLike):
        yield source
        return
    path = Path(source)
    # A device or a pipe may never end; only a regular file is evidence.
    if path.exists() and not path.is_file():
        raise EvidenceError(f"Expected a file, found a directory or device: {path}. Choose a single media file.")
    try:
        stream = path.open("rb")
    except OSError as error:
        raise EvidenceError(f"Cannot read {path}: {error.strerror}. Check the path and its permissions.") from error
    with stream:
        yield stream


def _read(stream: BinaryIO, name: str) -> bytes:
    try:
        return stream.read(CHUNK_BYTES)
    except OSError as error:
        raise EvidenceError(f"Reading {name!r} failed part-way: {error}. Copy it to a healthy disk first.") from error
