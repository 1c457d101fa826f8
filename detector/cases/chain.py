"""The append-only event log: each row carries the hash of the row before it.

A change, removal or insertion anywhere but at the very end breaks the chain (Haber & Stornetta, "How to time-stamp a
digital document", 1991). Events that record a row also carry the row's digest, so a changed row is found too. What
happens at the very end is watched by the anchor file (see `anchor`).

`case_heads` repeats the newest event of each chain, so that neither the next event nor the list of cases has to read
whole logs; `change` counts the events of the whole store.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any

import duckdb

from detector.cases.codec import canonical, digest
from detector.cases.database import from_column, insert, rows, to_column, utc_now
from detector.cases.types import Event, Head

STORE_CHAIN = ""
FIRST_PREVIOUS_HASH = "0" * 64
# Events that tell who looked at a case or took a copy: they do not make it a newer case.
PASSIVE_ACTIONS = frozenset(
    {
        "case_viewed",
        "exhibit_viewed",
        "scores_viewed",
        "case_verified",
        "case_exported",
        "picture_exported",
        "report_rendered",
        "export_downloaded",
        "export_removed",
        "favourite_changed",
        "exhibit_fingerprinted",
    }
)


def append_event(
    cursor: duckdb.DuckDBPyConnection,
    case_id: str,
    action: str,
    actor: str,
    details: Mapping[str, Any],
    *,
    after_change: int = 0,
) -> None:
    """Add one event at the end of the case's chain, inside the caller's transaction. The store's count of changes goes
    on from `after_change` where that is higher."""
    head = read_head(cursor, case_id)
    sequence, previous = (head.sequence + 1, head.event_hash) if head else (1, FIRST_PREVIOUS_HASH)
    at = utc_now()
    event = {
        "case_id": case_id,
        "sequence": sequence,
        "at_utc": to_column(at),
        "actor": actor,
        "action": action,
        "details_json": canonical(details),
        "previous_hash": previous,
        "event_hash": event_hash(case_id, sequence, at, actor, action, details, previous),
    }
    insert(cursor, "events", event)
    change = max(after_change, last_change(cursor)) + 1
    new = {"sequence": sequence, "event_hash": event["event_hash"], "at_utc": event["at_utc"], "change": change}
    if action not in PASSIVE_ACTIONS or head is None:
        new["active_at"] = event["at_utc"]
    if head is None:
        insert(cursor, "case_heads", {"case_id": case_id, **new})
        return
    named = ", ".join(f"{name} = ?" for name in new)
    cursor.execute(f"UPDATE case_heads SET {named} WHERE case_id = ?", [*new.values(), case_id])


def read_head(cursor: duckdb.DuckDBPyConnection, case_id: str) -> Head | None:
    """The newest event of a chain, None before its first."""
    found = rows(cursor, "SELECT * FROM case_heads WHERE case_id = ?", [case_id])
    return _head(found[0]) if found else None


def heads_since(cursor: duckdb.DuckDBPyConnection, change: int) -> list[tuple[int, Head]]:
    """(change, head) of every chain that grew after the given change of the store, in that order."""
    found = rows(cursor, "SELECT * FROM case_heads WHERE change > ? ORDER BY change", [change])
    return [(row["change"], _head(row)) for row in found]


def last_change(cursor: duckdb.DuckDBPyConnection) -> int:
    """The number of events that the store has had; 0 for an empty one."""
    found = cursor.execute("SELECT coalesce(max(change), 0) FROM case_heads").fetchall()
    return int(found[0][0])


def read_events(cursor: duckdb.DuckDBPyConnection, case_id: str) -> list[Event]:
    """The log of a case, oldest first."""
    found = rows(cursor, "SELECT * FROM events WHERE case_id = ? ORDER BY sequence", [case_id])
    return [
        Event(
            case_id=row["case_id"],
            sequence=row["sequence"],
            at=from_column(row["at_utc"]),
            actor=row["actor"],
            action=row["action"],
            details=json.loads(row["details_json"]),
            previous_hash=row["previous_hash"],
            event_hash=row["event_hash"],
        )
        for row in found
    ]


def event_hash(
    case_id: str,
    sequence: int,
    at: datetime,
    actor: str,
    action: str,
    details: Mapping[str, Any],
    previous_hash: str,
) -> str:
    """SHA-256 (hex) of the canonical JSON list of an event's fields, in this order."""
    return digest([case_id, sequence, at, actor, action, details, previous_hash])


def chain_problem(events: Iterable[Event]) -> str | None:
    """The first break of a case's chain in one sentence, None where it holds."""
    previous = FIRST_PREVIOUS_HASH
    for expected, event in enumerate(events, start=1):
        if event.sequence != expected:
            return f"Event {expected} is missing from the log; event {event.sequence} follows in its place."
        if event.previous_hash != previous:
            return f"Event {event.sequence} ({event.action}) does not follow from the event before it."
        stated = event_hash(
            event.case_id, event.sequence, event.at, event.actor, event.action, event.details, event.previous_hash
        )
        if event.event_hash != stated:
            return f"Event {event.sequence} ({event.action}) was changed after it was written."
        previous = event.event_hash
    return None


def head_problem(events: list[Event], head: Head | None) -> str | None:
    """Whether the recorded head is the log's newest event, in one sentence where it is not."""
    if head is None:
        return "The record of the log's newest event is missing." if events else None
    if not events:
        return f"The log is empty, but its newest event was number {head.sequence}."
    newest = events[-1]
    if (newest.sequence, newest.event_hash, newest.at) == (head.sequence, head.event_hash, head.at):
        return None
    return f"The log ends with event {newest.sequence}, but its newest event was number {head.sequence}."


def clock_warnings(events: list[Event]) -> tuple[str, ...]:
    """Events dated before the one they follow: the machine's clock was set back between them."""
    return tuple(
        f"Event {after.sequence} is dated {before.at - after.at} before the event it follows: the clock was set back."
        for before, after in pairwise(events)
        if after.at < before.at
    )


def _head(row: dict[str, Any]) -> Head:
    return Head(row["case_id"], row["sequence"], row["event_hash"], from_column(row["at_utc"]))
