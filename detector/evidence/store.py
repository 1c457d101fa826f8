"""Ingest: copy a file into the content-addressed store while hashing it, and never touch the original."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from detector.errors import EvidenceAlteredError, EvidenceError
from detector.evidence.types import StoredFile

CHUNK_BYTES = 1 << 20
MAX_NAME_CHARS = 255
# File systems whose files have no content of their own, and whose reading may never end.
_MADE_WHEN_READ = ("/proc/", "/sys/")
# Opening a pipe without a writer would wait for one; no flag here exists on every system.
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_FOLDER_FLAGS = getattr(os, "O_PATH", os.O_RDONLY) | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_CLOEXEC", 0)


def ingest(
    source: Path | BinaryIO,
    store_dir: Path,
    *,
    file_name: str | None = None,
    on_replaced: Callable[[str, str], None] | None = None,
) -> StoredFile:
    """Copy `source` to `store_dir/<sha256[:2]>/<sha256>`, read-only, in one pass of 1 MiB chunks.

    The copy appears under its final name only when complete (temporary file on the same file system, then an atomic
    rename). Equal content is kept once: a copy that is there already is hashed, and one that is not what its name says
    is replaced by the bytes just read; `on_replaced` is told before, with its name and the SHA-256 found ("" where it
    could not be read). Every submission keeps its own `file_name`, which is data and never a path to open: control of
    it stays with the submitter, so it is only made storable (no NUL, no lone surrogates, at most 255 characters).
    SHA-256 (FIPS 180-4) identifies the file; MD5 is kept for older records. Raises `EvidenceError` when `source` cannot
    be read or is not a regular file. Errors of the store's own disk stay `OSError`.
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
        there = os.path.lexists(target)
        found = _found_sha256(target) if there else ""
        if found != target.name:
            if there and on_replaced is not None:
                on_replaced(target.name, found)  # first: what is gone must be on record
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


@contextmanager
def unaltered(stored: StoredFile) -> Iterator[None]:
    """Hold the stored copy to the SHA-256 that it is filed under while it is worked on: it is hashed before and after,
    and must be the same file, last written at the same time, throughout.

    Raises `EvidenceAlteredError` where it holds something else, and `EvidenceError` where it cannot be read or was
    written to meanwhile: then nobody can tell which bytes the work saw. An error of the work itself goes first.
    """
    before = _require_unaltered(stored)
    yield
    if _require_unaltered(stored) != before:
        raise EvidenceError(
            f"The stored copy of {stored.sha256} was replaced or written to while it was analysed, so the result was "
            "not kept. Find out what writes to the evidence folder, then run the analysis again."
        )


def _require_unaltered(stored: StoredFile) -> tuple[int, ...]:
    """The identity and times of the stored copy, once it was found to hold what it should."""
    try:
        at = stored.path.stat()
        found = _sha256_of(stored.path)
    except OSError as error:
        raise EvidenceError(
            f"Expected the stored copy {stored.sha256}, and it cannot be read ({error.strerror}). Take the original in "
            "again."
        ) from error
    if found != stored.sha256:
        raise EvidenceAlteredError(
            f"Expected the stored copy of {stored.sha256}, found a file with the SHA-256 {found}: it was changed after "
            "it was taken in. Nothing was concluded from it. Take the original in again, which puts it back, and find "
            "out who changed the copy.",
            found_sha256=found,
        )
    return (at.st_dev, at.st_ino, at.st_size, at.st_mtime_ns, at.st_ctime_ns)


def _found_sha256(path: Path) -> str:
    """SHA-256 of what lies where a copy should; "" for what is no regular file or cannot be read."""
    try:
        return _sha256_of(path) if path.is_file() and not path.is_symlink() else ""
    except OSError:
        return ""


def open_regular(path: Path, *, beneath: Path | None = None) -> BinaryIO:
    """The regular file at `path`, opened once: what is looked at is what is read, whatever takes its place meanwhile.

    With `beneath` the file that the path leads to must lie in that folder, and no part of the way may become a symbolic
    link between the check and the opening (POSIX `openat` with O_NOFOLLOW, part by part). Raises `EvidenceError` for
    anything else: a folder, a device or a pipe, which may never end, a path outside, one that cannot be read.
    """
    try:
        if os.path.realpath(path).startswith(_MADE_WHEN_READ):
            raise EvidenceError(
                f"Expected a file, found what the operating system makes up while it is read: {path}. It has no "
                "content to keep. Choose a single media file."
            )
        descriptor = os.open(path, _OPEN_FLAGS) if beneath is None else _open_beneath(path, beneath)
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links; a NUL in the path
        reason = getattr(error, "strerror", None) or error
        raise EvidenceError(f"Cannot read {path}: {reason}. Check the path and its permissions.") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise EvidenceError(f"Expected a file, found a directory or device: {path}. Choose a single media file.")
    return os.fdopen(descriptor, "rb")


def _open_beneath(path: Path, beneath: Path) -> int:
    root, real = beneath.resolve(), path.resolve()
    if not real.is_relative_to(root):
        raise EvidenceError(f"Expected a path beneath {root}, found {path}. Copy the file there first.")
    parts = real.relative_to(root).parts
    if os.open not in os.supports_dir_fd:
        return os.open(real, _OPEN_FLAGS)
    folder = os.open(root, _FOLDER_FLAGS)
    try:
        for part in parts[:-1]:
            inner = os.open(part, _FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(parts[-1] if parts else ".", _OPEN_FLAGS | os.O_NOFOLLOW, dir_fd=folder)
    finally:
        os.close(folder)


def _sha256_of(path: Path) -> str:
    """Without the MD5 of `hash_file`, which takes three times as long."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


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
    with open_regular(Path(source)) as stream:
        yield stream


def _read(stream: BinaryIO, name: str) -> bytes:
    try:
        return stream.read(CHUNK_BYTES)
    except OSError as error:
        raise EvidenceError(f"Reading {name!r} failed part-way: {error}. Copy it to a healthy disk first.") from error
