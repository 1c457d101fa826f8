"""Ingest keeps an exact, read-only copy under its hash and never touches the original."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tracemalloc
from pathlib import Path

import pytest

from detector.errors import EvidenceAlteredError, EvidenceError
from detector.evidence import hash_file, ingest, stored_path, unaltered


class Endless(io.RawIOBase):
    """A stream of `total` bytes that never exist at once; breaks off after `until` bytes if given."""

    def __init__(self, total: int, until: int | None = None) -> None:
        self.left, self.until, self.given, self.largest = total, until, 0, 0

    def read(self, size: int = -1) -> bytes:
        self.largest = max(self.largest, size if size >= 0 else self.left)
        if self.until is not None and self.given >= self.until:
            raise OSError("the disk went away")
        chunk = bytes(min(size, self.left)) if size >= 0 else bytes(self.left)
        self.left -= len(chunk)
        self.given += len(chunk)
        return chunk


def test_the_copy_is_exact_read_only_and_named_by_its_hash(tmp_path: Path) -> None:
    original = tmp_path / "clip.mp4"
    content = os.urandom(3_000_000)
    original.write_bytes(content)
    before = original.stat()
    stored = ingest(original, tmp_path / "store")
    sha256 = hashlib.sha256(content).hexdigest()
    assert stored.sha256 == sha256
    assert stored.md5 == hashlib.md5(content).hexdigest()
    assert stored.size_bytes == len(content)
    assert stored.file_name == "clip.mp4"
    assert (
        stored.path == (tmp_path / "store" / sha256[:2] / sha256).absolute() == stored_path(tmp_path / "store", sha256)
    )
    assert stored.path.read_bytes() == content
    assert stat.S_IMODE(stored.path.stat().st_mode) == 0o444
    assert hash_file(stored.path) == (stored.sha256, stored.md5)
    after = original.stat()
    assert (before.st_mtime_ns, before.st_mode, before.st_ino) == (after.st_mtime_ns, after.st_mode, after.st_ino)


def test_equal_content_is_stored_once_and_each_submission_keeps_its_name(tmp_path: Path) -> None:
    store = tmp_path / "store"
    first = ingest(io.BytesIO(b"the same bytes"), store, file_name="from the phone.mp4")
    inode = first.path.stat().st_ino
    second = ingest(io.BytesIO(b"the same bytes"), store, file_name="from the chat.mp4")
    assert (first.path, first.sha256) == (second.path, second.sha256)
    assert second.path.stat().st_ino == inode, "the stored copy was rewritten"
    assert (first.file_name, second.file_name) == ("from the phone.mp4", "from the chat.mp4")
    assert [path for path in store.rglob("*") if path.is_file()] == [first.path]


def test_a_stored_copy_that_lost_bytes_is_replaced(tmp_path: Path) -> None:
    stored = ingest(io.BytesIO(b"whole content"), tmp_path)
    stored.path.chmod(0o644)
    stored.path.write_bytes(b"whole")
    assert ingest(io.BytesIO(b"whole content"), tmp_path).path.read_bytes() == b"whole content"


def test_a_stored_copy_changed_to_equal_length_is_replaced_and_said(tmp_path: Path) -> None:
    stored = ingest(io.BytesIO(b"true content"), tmp_path)
    stored.path.chmod(0o644)
    stored.path.write_bytes(b"fake content")
    told: list[tuple[str, str]] = []
    again = ingest(io.BytesIO(b"true content"), tmp_path, on_replaced=lambda *said: told.append(said))
    assert again.path.read_bytes() == b"true content"
    assert told == [(stored.sha256, hashlib.sha256(b"fake content").hexdigest())]


def test_a_changed_copy_stays_where_its_replacement_could_not_be_put_on_record(tmp_path: Path) -> None:
    stored = ingest(io.BytesIO(b"true content"), tmp_path)
    stored.path.chmod(0o644)
    stored.path.write_bytes(b"fake content")

    def refuse(*_: str) -> None:
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        ingest(io.BytesIO(b"true content"), tmp_path, on_replaced=refuse)
    assert stored.path.read_bytes() == b"fake content"


def test_a_link_in_place_of_a_stored_copy_is_replaced(tmp_path: Path) -> None:
    stored = ingest(io.BytesIO(b"content"), tmp_path / "store")
    (tmp_path / "elsewhere").write_bytes(b"content")
    stored.path.unlink()
    stored.path.symlink_to(tmp_path / "elsewhere")
    ingest(io.BytesIO(b"content"), tmp_path / "store")
    assert not stored.path.is_symlink()


@pytest.mark.parametrize("when", ["before", "after"])
def test_work_on_a_stored_copy_that_holds_something_else_is_an_error(tmp_path: Path, when: str) -> None:
    stored = ingest(io.BytesIO(b"true content"), tmp_path)
    stored.path.chmod(0o644)
    worked = []

    def work() -> None:
        with unaltered(stored):
            worked.append(1)
            stored.path.write_bytes(b"fake content")

    if when == "before":
        stored.path.write_bytes(b"fake content")
    with pytest.raises(EvidenceAlteredError) as raised:
        work()
    assert raised.value.found_sha256 == hashlib.sha256(b"fake content").hexdigest()
    assert worked == ([] if when == "before" else [1])


def test_a_stored_copy_swapped_during_the_work_and_put_back_is_an_error(tmp_path: Path) -> None:
    stored = ingest(io.BytesIO(b"true content"), tmp_path)

    def work() -> None:
        with unaltered(stored):
            stored.path.rename(tmp_path / "aside")
            stored.path.write_bytes(b"fake content")
            (tmp_path / "aside").replace(stored.path)

    with pytest.raises(EvidenceError, match="replaced or written to"):
        work()


def test_a_large_stream_is_never_held_in_memory(tmp_path: Path) -> None:
    stream = Endless(40 << 20)
    tracemalloc.start()
    try:
        stored = ingest(stream, tmp_path)  # type: ignore[arg-type]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert stored.size_bytes == 40 << 20
    assert stream.largest <= 1 << 20
    assert peak < 6 << 20


def test_a_copy_that_breaks_off_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="failed part-way"):
        ingest(Endless(8 << 20, until=3 << 20), tmp_path)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("source", "found"), [("missing.mp4", "No such file"), (".", "directory or device")])
def test_what_is_not_a_readable_file_is_refused(source: str, found: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(EvidenceError, match=found):
        ingest(tmp_path / "in" / source, tmp_path / "store")
    assert list((tmp_path / "store").iterdir()) == []


def test_a_device_that_never_ends_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="device"):
        ingest(Path("/dev/zero"), tmp_path)


@pytest.mark.skipif(not Path("/proc/self/maps").is_file(), reason="this system has no /proc")
def test_what_the_system_makes_up_while_it_is_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").symlink_to("/proc/self/maps")
    for path in (Path("/proc/self/maps"), tmp_path / "clip.mp4"):
        with pytest.raises(EvidenceError, match="makes up"):
            ingest(path, tmp_path / "store")
    assert not [found for found in (tmp_path / "store").rglob("*") if found.is_file()]
