"""Time stamps: a file beside the anchor in which an authority outside confirms when the logs were as they are.

Where FRAMEWITNESS_TSA names a time-stamping authority (RFC 3161), the newest event of every log that has grown is
stamped: at most once a day while a store is opened or written to, and whenever `cases timestamp` asks for it. What is
stamped is one text, the hashes of these events sorted, one a line; its SHA-256 is all that is sent. Each line of the
file holds the heads, the token, and, like the anchor's, the SHA-256 of the line before it.

An event in the store's own log names each token, so that one that is taken away is missed.

What it adds: whoever rewrites database, anchor and this file together gets no token of an earlier time, so a token that
was kept elsewhere finds it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from detector.cases.chain import STORE_CHAIN, append_event, heads_since, last_change
from detector.cases.codec import canonical
from detector.cases.database import Database, utc_now
from detector.cases.findings import ANCHOR_DIFFERS
from detector.cases.time_authority import (
    AUTHORITY_VARIABLE,
    TIMEOUT_S,
    Token,
    check_token,
    request_token,
    trusted_roots,
)
from detector.cases.types import Event, Head, Timestamp
from detector.errors import FramewitnessError, SettingsError, StoreError

STAMPED = "heads_time_stamped"
# What `details` of a finding say of which file differs, where it is not the anchor.
FILE = "timestamps"
_FIRST_PREVIOUS = "0" * 64
_EVERY = timedelta(days=1)
# How often, at most, the file is looked into and an authority that failed is asked again.
_LOOK_EVERY_S = 3600.0


@dataclass(frozen=True, slots=True)
class TimestampLine:
    """One token (DER) over `heads`, the newest event of each log that had grown. `change` counts the events of the
    store by then; `at` is this machine's clock, in UTC. `token` is checked by `checked_lines` only."""

    change: int
    at: datetime
    heads: tuple[Head, ...]
    token: bytes

    @property
    def statement(self) -> bytes:
        """What was stamped: the hashes of the events, sorted, one a line."""
        return "".join(f"{sha256}\n" for sha256 in sorted(head.event_hash for head in self.heads)).encode()

    @property
    def name(self) -> str:
        """What the token is called where it is a file of its own."""
        return f"{self.at:%Y%m%dT%H%M%S}Z-{self.change}"


class Timestamps:
    """The file of one store, and its way to the authority. `problem` is the sentence on a time stamp that could not be
    had or kept, else None: the record is as it was, and the authority is asked again an hour later."""

    def __init__(self, path: Path, database: Database, actor: str) -> None:
        self.path = path
        self._database = database
        self._actor = actor
        self.problem: str | None = None
        self._next_look_s = 0.0
        self._asking: threading.Thread | None = None
        self._writing = threading.Lock()

    def follow(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Have the heads stamped in a thread of its own where that is due. Called at opening and after each commit."""
        url = os.environ.get(AUTHORITY_VARIABLE, "").strip()
        if not url or time.monotonic() < self._next_look_s or (self._asking and self._asking.is_alive()):
            return
        self._next_look_s = time.monotonic() + _LOOK_EVERY_S
        lines, self.problem = read_lines(self.path)
        if self.problem or (lines and timedelta(0) <= utc_now() - lines[-1].at < _EVERY):
            return
        grown = _grown(cursor, lines)
        if grown:
            self._asking = threading.Thread(
                target=self._try, args=(url, last_change(cursor), grown), name="time stamp", daemon=True
            )
            self._asking.start()

    def take(self) -> TimestampLine | None:
        """Have the heads stamped now, however old the newest time stamp is; None where no log has grown since. Raises
        SettingsError where no authority is named, StoreError where it gives none or the file cannot be written."""
        url = os.environ.get(AUTHORITY_VARIABLE, "").strip()
        if not url:
            raise SettingsError(
                f"No time-stamping authority is named. Set {AUTHORITY_VARIABLE} to the address of one (RFC 3161); the "
                "SHA-256 of the logs' newest events is all that it is sent."
            )
        self.wait()
        lines, problem = read_lines(self.path)
        if problem is not None:
            raise StoreError(problem)
        with self._database.snapshot() as cursor:
            change, grown = last_change(cursor), _grown(cursor, lines)
        return self._take(url, change, grown) if grown else None

    def wait(self) -> None:
        """Let an authority that is being asked answer, for some seconds."""
        if self._asking is not None:
            self._asking.join(TIMEOUT_S + 1)

    def _try(self, url: str, change: int, heads: tuple[Head, ...]) -> None:
        try:
            self._take(url, change, heads)
            self.problem = None
        except FramewitnessError as error:
            self.problem = f"The logs were not time-stamped. {error}"

    def _take(self, url: str, change: int, heads: tuple[Head, ...]) -> TimestampLine:
        asked = TimestampLine(change, utc_now(), heads, b"")
        digest = hashlib.sha256(asked.statement).digest()
        token = request_token(url, digest)
        try:
            said = check_token(token, digest, trusted_roots())
        except StoreError as error:
            raise StoreError(f"The token that {url} gave was not kept: {error}.") from error
        line = TimestampLine(change, asked.at, heads, token)
        with self._writing:
            self._append(line)
        told = {"token_sha256": hashlib.sha256(token).hexdigest(), "authority": said.authority, "stamped_at": said.at}
        self._database.write(lambda cursor: append_event(cursor, STORE_CHAIN, STAMPED, self._actor, told))
        return line

    def _append(self, line: TimestampLine) -> None:
        """Write the file anew with one more line, whole or not at all."""
        unfinished = self.path.with_name(f".{self.path.name}.unfinished")
        try:
            content = self.path.read_bytes() if self.path.exists() else b""
            before = content.splitlines()
            fields = {
                "change": line.change,
                "at": line.at,
                "heads": [
                    {"case_id": one.case_id, "sequence": one.sequence, "event_hash": one.event_hash, "at": one.at}
                    for one in line.heads
                ],
                "token": base64.b64encode(line.token).decode(),
                "previous": hashlib.sha256(before[-1]).hexdigest() if before else _FIRST_PREVIOUS,
            }
            handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "wb") as stream:
                stream.write(content + canonical(fields).encode() + b"\n")
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(unfinished, self.path)
        except OSError as error:
            unfinished.unlink(missing_ok=True)
            raise StoreError(
                f"The file of time stamps {self.path} cannot be written ({error}). Make room there."
            ) from error


def read_lines(path: Path) -> tuple[list[TimestampLine], str | None]:
    """(the lines of the file, oldest first; the first thing wrong with its form in one sentence or None). A file that
    is not there has no lines and nothing wrong."""
    lines: list[TimestampLine] = []
    try:
        content = path.read_bytes() if path.exists() else b""
    except OSError as error:
        return lines, f"The file of time stamps {path} cannot be read ({error})."
    previous = _FIRST_PREVIOUS
    for number, text in enumerate(content.splitlines(keepends=True), start=1):
        try:
            fields = json.loads(text)
            line = _line(fields)
            follows = fields["previous"] == previous
        except (ValueError, KeyError, TypeError, AttributeError):
            return lines, f"Line {number} of the file of time stamps {path} cannot be read. {_MEND}"
        if not follows or not text.endswith(b"\n"):
            where = "does not follow from the line before it" if not follows else "is cut off"
            return lines, f"Line {number} of the file of time stamps {path} {where}. {_MEND}"
        previous = hashlib.sha256(text.removesuffix(b"\n")).hexdigest()
        lines.append(line)
    return lines, None


_MEND = "Put the file back from a copy, or move it to another place."


@dataclass(frozen=True, slots=True)
class CheckedLines:
    """Lines whose tokens hold, each with what it says, and the first thing wrong with the file or a token."""

    lines: tuple[tuple[TimestampLine, Token], ...]
    problem: str | None

    def of_log(self, case_id: str, events: Sequence[Event]) -> tuple[tuple[Timestamp, ...], str | None]:
        """(the time stamps that hold for a log, oldest first; the first point that one of them vouches for and the log
        does not hold, in one sentence or None)."""
        found: list[Timestamp] = []
        for line, token in self.lines:
            for head in line.heads:
                if head.case_id != case_id:
                    continue
                if head.sequence > len(events):
                    lost = "the newest events were removed"
                    return tuple(found), (
                        f"The log ends with event {len(events)}, but {token.authority} stamped event {head.sequence} "
                        f"of it at {token.at.isoformat()}: {lost}."
                    )
                if head.sequence < 1 or events[head.sequence - 1].event_hash != head.event_hash:
                    return tuple(found), (
                        f"Event {head.sequence} is not the one that {token.authority} stamped at "
                        f"{token.at.isoformat()}: the log was rewritten."
                    )
                found.append(Timestamp(head.sequence, token.at, token.authority, token.trusted))
        return tuple(found), None

    def cases(self) -> Iterable[str]:
        """The ids of all logs that were ever stamped."""
        return {head.case_id for line, _ in self.lines for head in line.heads}


def checked_lines(path: Path, case_id: str | None = None) -> CheckedLines:
    """The file with every token checked, or only with those over the log of one case. Raises StoreError where the
    trusted roots cannot be read."""
    lines, problem = read_lines(path)
    wanted = [line for line in lines if case_id is None or any(head.case_id == case_id for head in line.heads)]
    roots = trusted_roots() if wanted else ()
    checked = []
    for line in wanted:
        try:
            checked.append((line, check_token(line.token, hashlib.sha256(line.statement).digest(), roots)))
        except StoreError as error:
            at = line.at.isoformat(timespec="seconds")
            problem = problem or f"The time stamp of {at} in {path} does not hold: {error}."
    return CheckedLines(tuple(checked), problem)


def lost_token(events: Iterable[Event], path: Path) -> str | None:
    """The first time stamp that the store's log names and the file no longer holds, in one sentence; None where all are
    there, where a finding has told of it since, and where the file cannot be read (`read_lines` says so)."""
    named: dict[str, Event] = {}
    for event in events:
        if event.action == STAMPED:
            named[event.details["token_sha256"]] = event
        elif event.action == ANCHOR_DIFFERS and event.details.get("file") == FILE:
            named.clear()
    lines, problem = read_lines(path) if named else ([], None)
    held = {hashlib.sha256(line.token).hexdigest() for line in lines}
    lost = next((event for sha256, event in named.items() if sha256 not in held), None)
    if lost is None or problem is not None:
        return None
    return (
        f"The file of time stamps {path} does not hold the one of {lost.details['stamped_at']} that the log names "
        f"(event {lost.sequence}): it was taken away, or an older copy was put in its place. Put it back from a copy."
    )


def _grown(cursor: duckdb.DuckDBPyConnection, lines: Sequence[TimestampLine]) -> tuple[Head, ...]:
    """The newest event of each log with events after the newest line; none where there are no others than those that
    name time stamps."""
    heads = tuple(head for _, head in heads_since(cursor, lines[-1].change if lines else 0))
    if any(head.case_id != STORE_CHAIN for head in heads):
        return heads
    stamped = max((one.sequence for line in lines for one in line.heads if one.case_id == STORE_CHAIN), default=0)
    query = "SELECT 1 FROM events WHERE case_id = ? AND sequence > ? AND action <> ? LIMIT 1"
    return heads if cursor.execute(query, [STORE_CHAIN, stamped, STAMPED]).fetchall() else ()


def _line(fields: dict[str, Any]) -> TimestampLine:
    heads = tuple(
        Head(str(one["case_id"]), int(one["sequence"]), str(one["event_hash"]), datetime.fromisoformat(one["at"]))
        for one in fields["heads"]
    )
    token = base64.b64decode(fields["token"], validate=True)
    return TimestampLine(int(fields["change"]), datetime.fromisoformat(fields["at"]), heads, token)
