"""Digests of the rows that make up a record, taken when it is written and again when it is verified."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import pairwise

import duckdb

from detector.cases.codec import canonical, digest
from detector.cases.database import rows
from detector.cases.types import Event
from detector.cases.verify_case import PARTS, RECORDS, REFILED

# The tables named in `verify_case`, which checks the same without this program, keep their columns for ever.
_ANALYSIS_PARTS = tuple((table, ", ".join(order.split())) for table, _, order in PARTS)
SEALED = (*(table for table, _ in RECORDS.values()), *(table for table, _ in _ANALYSIS_PARTS))


def seal(cursor: duckdb.DuckDBPyConnection, kind: str, record_id: str) -> dict[str, str]:
    """The part of an event that vouches for a record just written: its kind, id and the digest of all its rows."""
    return {"kind": kind, "id": record_id, "sha256": _record_digest(cursor, kind, record_id)}


def sealed_records(events: list[Event]) -> dict[tuple[str, str], str]:
    """(kind, id) -> digest, as the log says they last were."""
    found: dict[tuple[str, str], str] = {}
    for event in events:
        if event.action == REFILED:  # what went to another case is vouched for by that one's log
            for moved in event.details["moved"]["records"]:
                found.pop((moved["kind"], moved["id"]), None)
        record = event.details.get("record")
        if isinstance(record, Mapping):
            found[record["kind"], record["id"]] = record["sha256"]
    return found


def seal_problem(cursor: duckdb.DuckDBPyConnection, case_id: str, sealed: dict[tuple[str, str], str]) -> str | None:
    """The first record that is missing, unlogged or changed, in one sentence; None where all agree."""
    present: set[tuple[str, str]] = set()
    for kind, (table, key) in RECORDS.items():
        query = f"SELECT {key} FROM {table} WHERE case_id = ? ORDER BY {key}"
        found = [identifier for (identifier,) in cursor.execute(query, [case_id]).fetchall()]
        for first, second in pairwise(found):
            if first == second:
                return f"The {kind} {first} is in the store twice."
        present |= {(kind, identifier) for identifier in found}
    for kind, identifier in sorted(present - set(sealed)):
        return f"The {kind} {identifier} is in the store but the log does not record it."
    for (kind, identifier), expected in sealed.items():
        if (kind, identifier) not in present:
            return f"The {kind} {identifier} is recorded in the log but missing from the store."
        if _record_digest(cursor, kind, identifier) != expected:
            return f"The {kind} {identifier} was changed after it was recorded."
    return None


def _record_digest(cursor: duckdb.DuckDBPyConnection, kind: str, record_id: str) -> str:
    table, key = RECORDS[kind]
    own = rows(cursor, f"SELECT * FROM {table} WHERE {key} = ?", [record_id])
    if kind != "analysis":
        return digest(own)
    total = hashlib.sha256(canonical(own).encode())
    for part, order in _ANALYSIS_PARTS:
        cursor.execute(f"SELECT * FROM {part} WHERE record_id = ? ORDER BY {order}", [record_id])
        names = [column[0] for column in cursor.description or []]
        total.update(canonical([part, names]).encode())
        while batch := cursor.fetchmany(2_000):
            for row in batch:
                total.update(canonical(row).encode())
    return total.hexdigest()
