"""Evidence on its way into the store: kept where it becomes an exhibit, unlinked where it is refused."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import duckdb

from detector.calibration.in_force import UNFINISHED
from detector.cases.chain import STORE_CHAIN, append_event
from detector.cases.database import Database
from detector.cases.entries import storable
from detector.cases.findings import record_altered
from detector.cases.home import UNFINISHED_DATABASE, Layout
from detector.cases.types import StrayFile
from detector.errors import StoreError
from detector.evidence.store import ingest, stored_path
from detector.evidence.types import StoredFile


class EvidenceIntake:
    """The way into the evidence folder of one store. Safe to share between threads."""

    def __init__(self, database: Database, layout: Layout, actor: str) -> None:
        self._database = database
        self._layout = layout
        self._actor = actor
        self._guard = threading.Lock()
        self._running = 0
        self._refused: set[Path] = set()

    @contextmanager
    def take_in(self, source: Path | BinaryIO, *, file_name: str | None = None) -> Iterator[StoredFile]:
        """The stored copy of a file (see `detector.evidence.ingest`, whose errors it raises), to be made an exhibit
        inside. Where that ends in an error, a copy that no exhibit names is unlinked again. A damaged copy that the
        file put right is on record as a finding."""
        with self.running():
            stored = ingest(source, self._layout.evidence, file_name=file_name, on_replaced=self._note_replaced)
            try:
                yield stored
            except BaseException:
                with self._guard:
                    self._refused.add(stored.path)
                raise

    @contextmanager
    def running(self) -> Iterator[None]:
        """While anything is inside, nothing is unlinked: it may just have found its file in the store."""
        with self._guard:
            self._running += 1
        try:
            yield
        finally:
            with self._guard:
                self._running -= 1
                if self._running == 0 and self._refused:
                    with self._database.read() as cursor:
                        named = named_files(cursor)
                    for path in self._refused:
                        if path.name not in named:
                            path.unlink(missing_ok=True)
                    self._refused.clear()

    def report_altered(self, sha256: str, found_sha256: str) -> None:
        """Put on record that the stored copy of a file was found to be another (see `findings`), with the SHA-256
        (hex) that it had."""
        self._database.write(lambda cursor: record_altered(cursor, sha256, found_sha256, self._actor, replaced=False))

    def strays(self) -> tuple[StrayFile, ...]:
        """The files of the store that nothing names (see `find_strays`); by path."""
        with self._database.read() as cursor:
            return find_strays(cursor, self._layout)

    def clear_strays(self, *, author: str = "") -> tuple[StrayFile, ...]:
        """Unlink the strays, put that on record in the store's log, and return them. Raises StoreError, and unlinks
        nothing, while a file is being taken in or a result saved."""
        with self._guard:
            if self._running:
                raise StoreError(
                    "A file is being taken in or a result saved just now. Nothing was cleared; try again when it is "
                    "done."
                )
            found = self.strays()
            if found:
                told = {"files": [{"name": one.path.name, "size_bytes": one.size_bytes} for one in found]}
                who = storable(author) or self._actor
                self._database.write(lambda cursor: append_event(cursor, STORE_CHAIN, "strays_cleared", who, told))
            for one in found:
                one.path.unlink(missing_ok=True)
        return found

    def _note_replaced(self, sha256: str, found_sha256: str) -> None:
        def change(cursor: duckdb.DuckDBPyConnection) -> None:
            record_altered(cursor, sha256, found_sha256, self._actor, replaced=True)
            if sha256 not in named_files(cursor):
                told = {"sha256": sha256, "found_sha256": found_sha256}
                append_event(cursor, STORE_CHAIN, "stray_replaced", self._actor, told)

        self._database.write(change)


def named_files(cursor: duckdb.DuckDBPyConnection) -> frozenset[str]:
    """The SHA-256 of every file that an exhibit names."""
    return frozenset(sha256 for (sha256,) in cursor.execute("SELECT DISTINCT sha256 FROM exhibits").fetchall())


def find_strays(cursor: duckdb.DuckDBPyConnection, layout: Layout) -> tuple[StrayFile, ...]:
    """The files that nothing names: in the evidence folder those of no exhibit, among the saved results those of no
    record, and what a database, a backup or a calibration in the making left when its process was killed; by path."""
    named = {stored_path(layout.evidence, sha256) for sha256 in named_files(cursor)}
    named |= {layout.artefacts / path for (path,) in cursor.execute("SELECT path FROM artefacts").fetchall()}
    looked_at = (
        *layout.evidence.rglob("*"),
        *layout.artefacts.rglob("*"),
        *layout.unfinished_backup.rglob("*"),
        *layout.home.glob(UNFINISHED_DATABASE),
        *layout.calibration.glob(f"{UNFINISHED}*"),
    )
    found = []
    for path in sorted(looked_at):
        if path in named or (path.is_dir() and not path.is_symlink()):
            continue
        with suppress(FileNotFoundError):
            at = path.lstat()
            found.append(StrayFile(path, at.st_size, datetime.fromtimestamp(at.st_mtime, UTC)))
    return tuple(found)
