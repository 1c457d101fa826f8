"""The anchor: a file outside the database that remembers the newest event of every log.

A chain of hashes cannot see that its newest links were taken off, nor that all of it was written anew. After each
commit the store therefore appends a line to this file: which log grew, up to which event, and that event's hash. Each
line carries the SHA-256 of the line before it.

What it detects: removal of the newest events with everything they recorded, removal of a whole case, a log rewritten
from any event on with all its hashes recomputed, a database put back to an earlier copy, a line of this file changed or
taken from its middle or its end, and the loss of the file.
What it cannot detect: database and anchor changed together by someone who can write both, and knows how. Keep the file
on a medium that person cannot rewrite (FRAMEWITNESS_ANCHOR names the folder), and compare heads printed in earlier
reports (`cases verify --head`), which are beyond anyone's reach.

A line is written after its commit, so a crash between the two, or a file that cannot be written, leaves the anchor
behind; the next opening catches up. Each transaction therefore keeps (table `anchored`) up to which change the file was
written when it began: whatever happens, a file that ends earlier was cut.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from detector.cases.chain import heads_since, last_change
from detector.cases.codec import canonical
from detector.cases.types import Event

_FIRST_PREVIOUS = "0" * 64
_TAIL_BYTES = 4096  # several lines


@dataclass(frozen=True, slots=True)
class AnchorLine:
    """`change` counts the events of the store; the log of `case_id` then ended with event `sequence`."""

    change: int
    case_id: str
    sequence: int
    event_hash: str
    at: str


class Anchor:
    """The anchor file of one store. `problem` is the sentence on a line that could not be written, else None: what was
    committed stays committed, and the line is written with the next one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.problem: str | None = None
        self._size = -1
        self._change = 0
        self._previous = _FIRST_PREVIOUS

    def exists(self) -> bool:
        """Whether there is an anchor file with anything in it."""
        return self.path.is_file() and self.path.stat().st_size > 0

    def last_line(self) -> AnchorLine | None:
        """The newest line; None where the file is missing, empty or does not end in a line of this form."""
        tail = self._tail()
        try:
            return _line(json.loads(tail)) if tail else None
        except (ValueError, KeyError, TypeError):
            return None

    def vouch(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Keep, within a transaction, up to which change the file is written. Called before each commit."""
        cursor.execute("UPDATE anchored SET change = ? WHERE change < ?", [self._change, self._change])

    def follow(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Append a line for every log that grew since the last one. Called after each commit by the one writer."""
        try:
            if lost := self._lost():
                # Writing on would hide that lines were taken away; the next opening says so in the store's log.
                self.problem = lost
                return
            self._catch_up()
            found = heads_since(cursor, self._change)
            if not found:
                return
            lines = []
            for change, head in found:
                fields = {
                    "change": change,
                    "case_id": head.case_id,
                    "sequence": head.sequence,
                    "event_hash": head.event_hash,
                    "at": head.at,
                }
                text = canonical({**fields, "previous": self._previous}).encode()
                self._previous = hashlib.sha256(text).hexdigest()
                lines.append(text + b"\n")
            self._append(b"".join(lines))
            self._change = found[-1][0]
            self.problem = None
        except OSError as error:
            self._size = -1
            self.problem = (
                f"The anchor file {self.path} cannot be written ({error}). Events are recorded, but until it can be "
                "written the removal of the newest ones would go unseen."
            )

    def state(self, cursor: duckdb.DuckDBPyConnection, *, expected: bool) -> tuple[str | None, int]:
        """(what is wrong between anchor and database in one sentence or None, the change to go on from).

        `expected` says that this database has had an anchor before. Being behind the database is nothing wrong.
        """
        newest = self.last_line()
        if newest is None:
            return (_missing(self.path) if expected else None), 0
        known = last_change(cursor)
        held = cursor.execute(
            "SELECT event_hash FROM events WHERE case_id = ? AND sequence = ?", [newest.case_id, newest.sequence]
        ).fetchone()
        if newest.change <= known and held and held[0] == newest.event_hash:
            (written,) = cursor.execute("SELECT coalesce(max(change), 0) FROM anchored").fetchall()[0]
            return (_cut(self.path, newest, written) if newest.change < written else None), 0
        return (
            f"The anchor file {self.path.name} knows {newest.change} events, up to {newest.at}; the database holds "
            f"{known} and not that one. Newer events are missing, as after a crash, a restored backup or a removal. "
            "Verify all cases, and compare with a backup."
        ), newest.change

    def read(self, case_id: str | None = None) -> tuple[dict[str, list[AnchorLine]], str | None]:
        """(lines by case, the first thing wrong with the file itself). Follows the hashes of the whole file, some
        hundred thousand lines a second; takes in the lines of one case only where one is named."""
        by_case: dict[str, list[AnchorLine]] = {}
        previous = _FIRST_PREVIOUS
        if lost := self._lost():
            return by_case, lost
        if not self.exists():
            return by_case, _missing(self.path)
        for number, text in enumerate(self._lines(), start=1):
            if f'"previous":"{previous}"'.encode() not in text:
                return by_case, f"Line {number} of the anchor file {self.path} does not follow from the line before it."
            previous = hashlib.sha256(text).hexdigest()
            if case_id is not None and f'"case_id":"{case_id}"'.encode() not in text:
                continue
            try:
                line = _line(json.loads(text))
            except (ValueError, KeyError, TypeError):
                return by_case, f"Line {number} of the anchor file {self.path} cannot be read."
            by_case.setdefault(line.case_id, []).append(line)
        return by_case, None

    def _lines(self) -> Iterator[bytes]:
        with self.path.open("rb") as stream:
            for text in stream:
                yield text.removesuffix(b"\n")

    def _lost(self) -> str | None:
        """What is missing of the lines that this process knows of, in one sentence."""
        known, newest = self._change, self.last_line()
        if newest is None:
            return _missing(self.path) if known else None
        return _cut(self.path, newest, known) if newest.change < known else None

    def _catch_up(self) -> None:
        """Learn the file's end anew where something else wrote to it."""
        size = self.path.stat().st_size if self.exists() else 0
        if size == self._size:
            return
        tail = self._tail()
        newest = self.last_line()
        self._change = newest.change if newest else 0
        self._previous = hashlib.sha256(tail).hexdigest() if tail else _FIRST_PREVIOUS
        self._size = size

    def _tail(self) -> bytes:
        """The newest whole line without its end; empty where there is none."""
        if not self.exists():
            return b""
        with self.path.open("rb") as stream:
            stream.seek(max(0, self.path.stat().st_size - _TAIL_BYTES))
            lines = stream.read().split(b"\n")
        return lines[-2] if len(lines) > 1 else b""

    def _append(self, text: bytes) -> None:
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(handle, "rb+") as stream:
            content_end = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, content_end - _TAIL_BYTES))
            torn = stream.read().split(b"\n")[-1]
            # A line without an end was being written when the machine stopped; its event is written again.
            stream.seek(content_end - len(torn))
            stream.write(text)
            stream.truncate()
            stream.flush()
            os.fsync(stream.fileno())
            self._size = stream.tell()


def anchor_problem(lines: list[AnchorLine], events: list[Event]) -> str | None:
    """The first point of one log that the anchor remembers and the log no longer holds, in one sentence; None where
    both agree."""
    for line in lines:
        if line.sequence > len(events):
            return (
                f"The log ends with event {len(events)}, but the anchor file holds event {line.sequence} of {line.at}: "
                "the newest events were removed."
            )
        if events[line.sequence - 1].event_hash != line.event_hash:
            return f"Event {line.sequence} is not the one the anchor file holds of {line.at}: the log was rewritten."
    return None


def _line(fields: dict[str, Any]) -> AnchorLine:
    return AnchorLine(
        int(fields["change"]), str(fields["case_id"]), int(fields["sequence"]), fields["event_hash"], fields["at"]
    )


def _cut(path: Path, newest: AnchorLine, written: int) -> str:
    return (
        f"The anchor file {path} ends with change {newest.change}, of {newest.at}, and was written up to change "
        f"{written} before: its newest lines were removed, or an older copy was put in its place. Compare it with a "
        "backup."
    )


def _missing(path: Path) -> str:
    return (
        f"The anchor file {path} is missing or empty. Without it the removal of the newest events cannot be seen; put "
        "it back from a backup."
    )
