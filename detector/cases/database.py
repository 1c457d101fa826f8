"""One DuckDB file, opened by one process: a cursor per use, one writer at a time.

DuckDB admits one read-write process, and a connection shared by threads can hand a thread another's rows; every
read and every write therefore takes a cursor of its own (a few microseconds).
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb

from detector.cases.home import Layout
from detector.errors import StoreDamagedError, StoreError
from detector.settings import HOME_VARIABLE

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")

_CONFLICT_TRIES = 8
_LOCKED = re.compile(r"could not set lock|conflicting lock|being used by another process", re.IGNORECASE)
_DAMAGED = re.compile(
    r"corrupt database|could not read (enough|all)|not a valid duckdb|checksum|database has been invalidated|"
    r"failed to (read|deserialize)|serialization error|internal error",
    re.IGNORECASE,
)
# Looked for first: what DuckDB says of a full disk also says that it will not go on with this database.
_UNWRITABLE = re.compile(r"could not write|no space left|failed to create checkpoint|quota exceeded", re.IGNORECASE)
_writer_locks: dict[Path, threading.RLock] = {}
_writer_locks_guard = threading.Lock()


def utc_now() -> datetime:
    """The time now, with UTC as its zone."""
    return datetime.now(UTC)


def to_column(at: datetime) -> datetime:
    """A UTC time as the database keeps it: TIMESTAMP without zone, always UTC."""
    return at.astimezone(UTC).replace(tzinfo=None)


def from_column(at: datetime) -> datetime:
    """The time of a column, which holds UTC without saying so."""
    return at.replace(tzinfo=UTC)


class Database:
    """`wal_set_aside` is where an unreadable write-ahead log was put at opening, None in the ordinary case."""

    def __init__(self, path: Path) -> None:
        """Open or create. Raises StoreError if another process holds the file, StoreDamagedError if it cannot be read;
        then nothing is changed. Reading and writing raise StoreDamagedError where a part of it cannot be read."""
        self.path = path.resolve()
        self._connection, self.wal_set_aside = _open(self.path)
        # The store works without a network, so DuckDB must not look for extensions there.
        self._connection.execute("SET GLOBAL autoinstall_known_extensions = false")
        with _writer_locks_guard:
            self._writer = _writer_locks.setdefault(self.path, threading.RLock())
        self.closed = False
        # Called with a cursor at the end of each transaction, and after its commit before the next write may begin.
        self.before_commit: Callable[[duckdb.DuckDBPyConnection], None] | None = None
        self.after_commit: Callable[[duckdb.DuckDBPyConnection], None] | None = None

    @contextmanager
    def read(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor for reading. Consecutive queries on it see one state only inside `snapshot`."""
        cursor = self._cursor()
        try:
            yield cursor
        except duckdb.Error as error:
            if _UNWRITABLE.search(str(error)):
                raise _unwritable(self.path, error) from error
            if _DAMAGED.search(str(error)):
                raise _damaged(self.path, error) from error
            raise
        finally:
            cursor.close()

    @contextmanager
    def snapshot(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A cursor all of whose queries see the same committed state."""
        with self.read() as cursor:
            cursor.execute("BEGIN TRANSACTION READ ONLY")
            try:
                yield cursor
            finally:
                cursor.execute("ROLLBACK")

    def write(self, change: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        """Run `change(cursor)` in one transaction: all of it or none. It may run again after a conflict, so it must
        not touch anything but the cursor."""
        for attempt in range(1, _CONFLICT_TRIES + 1):
            try:
                return self._write_once(change)
            except duckdb.TransactionException as error:
                if attempt == _CONFLICT_TRIES:
                    raise StoreError(
                        f"The case store could not save a change after {_CONFLICT_TRIES} tries ({error}). "
                        "Nothing was changed; try again."
                    ) from error
                time.sleep(0.005 * 2**attempt)
        raise AssertionError("unreachable")

    def checkpoint(self) -> None:
        """Fold the write-ahead log into the file. Open readers may delay it; then the log simply stays."""
        with self._writer, self.read() as cursor, suppress(duckdb.TransactionException):
            cursor.execute("CHECKPOINT")

    def close(self) -> None:
        """Safe to call twice. Waits for a running write."""
        with self._writer:
            if not self.closed:
                self.closed = True
                self._connection.close()

    @contextmanager
    def held(self) -> Iterator[None]:
        """No write of this process happens inside; the thread that holds it may still write."""
        with self._writer:
            yield

    def _write_once(self, change: Callable[[duckdb.DuckDBPyConnection], T]) -> T:
        with self._writer, self.read() as cursor:
            cursor.execute("BEGIN TRANSACTION")
            try:
                outcome = change(cursor)
                if self.before_commit is not None:
                    self.before_commit(cursor)
                cursor.execute("COMMIT")
            except BaseException:
                # A failed COMMIT has already ended the transaction.
                with suppress(duckdb.Error):
                    cursor.execute("ROLLBACK")
                raise
            if self.after_commit is not None:
                self.after_commit(cursor)
            return outcome

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        if self.closed:
            raise StoreError("The case store is closed. Open it again with CaseStore.open().")
        return self._connection.cursor()


def rows(cursor: duckdb.DuckDBPyConnection, query: str, values: list[Any] | None = None) -> list[dict[str, Any]]:
    """The rows of a query as mappings from column name to value."""
    cursor.execute(query, values or [])
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def in_utc(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with its times as `from_column` has them."""
    return {name: from_column(value) if isinstance(value, datetime) else value for name, value in row.items()}


def insert(cursor: duckdb.DuckDBPyConnection, table: str, values: dict[str, Any]) -> None:
    """Insert one row. `table` and the keys are the program's own names, never input."""
    names = ", ".join(values)
    placeholders = ", ".join("?" for _ in values)
    cursor.execute(f"INSERT INTO {table} ({names}) VALUES ({placeholders})", list(values.values()))


def bulk_insert(cursor: duckdb.DuckDBPyConnection, table: str, found: Sequence[Mapping[str, Any]]) -> None:
    """Insert many rows through Arrow. StoreError where a row does not name every column of the table and no other, with
    values of their types."""
    import pyarrow as pa

    shape = cursor.sql(f"SELECT * FROM {table} LIMIT 0").to_arrow_table().schema
    for row in found:
        if set(row) != set(shape.names):
            raise StoreError(f"A row of {table} was expected to have {shape.names} and has {sorted(row)}.")
    try:
        incoming = pa.Table.from_pylist([dict(row) for row in found], schema=shape)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise StoreError(f"A row of {table} holds a value of the wrong type ({error}).") from error
    insert_table(cursor, table, incoming)


def insert_table(cursor: duckdb.DuckDBPyConnection, table: str, incoming: pa.Table) -> None:
    """Insert the rows of an Arrow table, whose columns are named as the store's."""
    cursor.register("incoming", incoming)
    try:
        cursor.execute(f"INSERT INTO {table} BY NAME SELECT * FROM incoming")
    finally:
        cursor.unregister("incoming")


def _create(path: Path) -> None:
    """Make an empty database that is there whole or not at all: DuckDB refuses a file that it was not done with when
    its process was killed or the disk was full. Whoever else makes one meanwhile goes first."""
    unfinished = path.with_name(f".creating-{os.getpid()}.duckdb")
    try:
        unfinished.unlink(missing_ok=True)
        duckdb.connect(str(unfinished)).close()
        with suppress(FileExistsError):
            os.link(unfinished, path)
    except (OSError, duckdb.Error) as error:
        raise _unwritable(path, error) from error
    finally:
        unfinished.unlink(missing_ok=True)


def _open(path: Path) -> tuple[duckdb.DuckDBPyConnection, Path | None]:
    if not path.exists():
        _create(path)
    try:
        return duckdb.connect(str(path)), None
    except duckdb.Error as error:
        _refuse_if_locked(path, error)
        if _UNWRITABLE.search(str(error)):
            raise _unwritable(path, error) from error
        wal = path.with_name(path.name + ".wal")
        if not wal.exists():
            raise _damaged(path, error) from error
        aside = wal.with_name(f"{wal.name}.set-aside-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
        wal.rename(aside)
        try:
            return duckdb.connect(str(path)), aside
        except duckdb.Error:
            # The log was not to blame: leave the files as they were found.
            aside.rename(wal)
            raise _damaged(path, error) from error


def _refuse_if_locked(path: Path, error: duckdb.Error) -> None:
    text = str(error)
    if not _LOCKED.search(text):
        return
    found = re.search(r"PID (\d+)", text)
    holder = f"another program (process {found.group(1)})" if found else "another program"
    raise StoreError(
        f"The case store {path} is in use by {holder}; only one may open it. Close the other Framewitness window or "
        f"wait for its command to end, or set {HOME_VARIABLE} to another folder."
    ) from error


def _unwritable(path: Path, error: Exception) -> StoreError:
    return StoreError(
        f"The case store {path} could not be written ({error}). What was being saved was not kept; nothing else was "
        "lost. Make room on its disk, then start Framewitness again."
    )


def _damaged(path: Path, error: duckdb.Error) -> StoreDamagedError:
    said = (
        f"The case store {path} is damaged, or no DuckDB database: it could not be read ({error}). "
        "Nothing was changed. "
    )
    kept = Layout(path.parent).backups_kept()
    if not kept:
        return StoreDamagedError(f"{said}Restore the file from a backup, or move it away to start an empty store.")
    return StoreDamagedError(
        f"{said}The newest backup is {kept[-1].name}. To go back to it, move {path.name}, {path.name}.wal, "
        "cases.anchor and cases.timestamps to another folder, leave the other folders where they are, and run "
        f"`framewitness cases import {kept[-1]} --home {path.parent}`."
    )
