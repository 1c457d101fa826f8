"""The append-only event log: each row carries the hash of the row before it.

A change, removal or insertion anywhere but at the very end breaks the chain (Haber & Stornetta, "How to time-stamp a
digital document", 1991). Events that record a row also carry the row's digest, so a changed row is found too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import duckdb

from detector.cases.codec import canonical, digest
from detector.cases.database import from_column, insert, rows, to_column, utc_now
from detector.cases.types import Event

STORE_CHAIN = ""
FIRST_PREVIOUS_HASH = "0" * 64


def append_event(
    cursor: duckdb.DuckDBPyConnection, case_id: str, action: str, actor: str, details: Mapping[str, Any]
) -> None:
    """Add one event at the end of the case's chain, inside the caller's transaction."""
    last = cursor.execute(
        "SELECT sequence, event_hash FROM events WHERE case_id = ? ORDER BY sequence DESC LIMIT 1", [case_id]
    ).fetchone()
    sequence, previous = (last[0] + 1, last[1]) if last else (1, FIRST_PREVIOUS_HASH)
    at = utc_now()
    insert(
        cursor,
        "events",
        {
            "case_id": case_id,
            "sequence": sequence,
            "at_utc": to_column(at),
            "actor": actor,
            "action": action,
            "details_json": canonical(details),
            "previous_hash": previous,
            "event_hash": event_hash(case_id, sequence, at, actor, action, details, previous),
        },
    )


def read_events(cursor: duckdb.DuckDBPyConnection, case_id: str) -> list[Event]:
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
