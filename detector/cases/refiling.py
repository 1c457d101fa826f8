"""Filing an exhibit in another case where it was put into the wrong one.

Nothing is rewritten: the log of the case that it leaves names the exhibit, the case that it went to, the reason and
every record that went with it; the log of the case that it came to names that event by its hash, and vouches anew for
every record. Both logs verify by themselves, and `refiling_problem` holds them against each other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from detector.cases.chain import append_event, read_events, read_head
from detector.cases.database import rows
from detector.cases.entries import case_of, next_number, record_entry, storable
from detector.cases.findings import read_findings
from detector.cases.records import read_case
from detector.cases.types import Case, Event
from detector.cases.verify_case import RECORDS, REFILED
from detector.errors import StoreError

TAKEN_OVER = "exhibit_taken_over"
RECORD_TAKEN_OVER = "record_taken_over"
# The exhibit first; records of a case itself stay with it.
_KINDS = ("exhibit", *(kind for kind in RECORDS if kind not in ("case", "exhibit", "state", "mandate", "signature")))


@dataclass(frozen=True, slots=True)
class Refiling:
    """An exhibit that a case's log says was filed in another case, at its event `sequence`."""

    exhibit_id: str
    reference: str
    file_name: str
    to_case_id: str
    to_reference: str
    reason: str
    author: str
    sequence: int
    at: datetime

    @property
    def sentence(self) -> str:
        """What went where, when, by whom and why."""
        return (
            f"Exhibit {self.reference} ({self.file_name}) was filed in {self.to_reference} ({self.to_case_id}) by "
            f"{self.author} on {self.at:%Y-%m-%d %H:%M} UTC (event {self.sequence}): {self.reason}"
        )


def refile(
    cursor: duckdb.DuckDBPyConnection,
    exhibit_id: str,
    to_case_id: str,
    reason: str,
    actor: str,
    scores_opened_by: Iterable[str],
) -> None:
    """Move an exhibit with its analyses and all that was said of it, inside the caller's transaction.
    `scores_opened_by` are those to whom scores of its file had been shown. Raises StoreError, and changes nothing, for
    an empty reason, a case that is archived, closed or signed, a finding or an analysis that is still open, and a case
    that has the same file or another exhibit of the same reference."""
    if not reason.strip():
        raise StoreError("A reason is needed, and is kept in both logs; none was given. Nothing was changed.")
    source, target = read_case(cursor, case_of(cursor, exhibit_id)), read_case(cursor, to_case_id)
    (exhibit,) = rows(cursor, "SELECT * FROM exhibits WHERE exhibit_id = ?", [exhibit_id])
    marks = rows(cursor, "SELECT * FROM exhibit_marks WHERE exhibit_id = ?", [exhibit_id])
    _refuse(cursor, exhibit, source, target)
    given = marks[0]["reference"] if marks else ""
    number = _free_number(cursor, to_case_id, given)
    records = [
        {"kind": kind, "id": found}
        for kind in _KINDS
        for (found,) in cursor.execute(_records_query(kind), [exhibit_id]).fetchall()
    ]
    what = {
        "exhibit_id": exhibit_id,
        "file_name": exhibit["file_name"],
        "sha256": exhibit["sha256"],
        "reason": storable(reason),
    }
    told = {
        "number": exhibit["number"],
        "reference": given or f"E{exhibit['number']}",
        "to_case_id": to_case_id,
        "to_reference": target.reference,
        "moved": {"records": records},
    }
    received_by = receivers(read_events(cursor, source.case_id)).get(exhibit_id, "")
    findings = [one.sentence for one in read_findings(cursor, source.case_id) if one.exhibit_id == exhibit_id]
    append_event(cursor, source.case_id, REFILED, actor, {**what, **told})
    left = read_head(cursor, source.case_id)
    assert left is not None  # it has just been written
    for kind in _KINDS:
        table, _ = RECORDS[kind]
        cursor.execute(f"UPDATE {table} SET case_id = ? WHERE {_of_exhibit(kind)}", [to_case_id, exhibit_id])
    cursor.execute("UPDATE exhibits SET number = ? WHERE exhibit_id = ?", [number, exhibit_id])
    cursor.execute("UPDATE exhibit_families SET case_id = ? WHERE exhibit_id = ?", [to_case_id, exhibit_id])
    came = {
        "from_case_id": source.case_id,
        "from_reference": source.reference,
        "from_event": {"sequence": left.sequence, "event_hash": left.event_hash},
        "received_by": received_by,
        "scores_opened_by": list(scores_opened_by),
        "findings_before": findings,
    }
    record_entry(cursor, to_case_id, TAKEN_OVER, "exhibit", exhibit_id, actor, {**what, **came})
    for one in records[1:]:
        told_of = {"exhibit_id": exhibit_id}
        record_entry(cursor, to_case_id, RECORD_TAKEN_OVER, one["kind"], one["id"], actor, told_of)


def refilings(events: Iterable[Event]) -> tuple[Refiling, ...]:
    """The exhibits that a log says were filed in other cases, oldest first."""
    return tuple(
        Refiling(
            exhibit_id=str(event.details["exhibit_id"]),
            reference=str(event.details["reference"]),
            file_name=str(event.details["file_name"]),
            to_case_id=str(event.details["to_case_id"]),
            to_reference=str(event.details["to_reference"]),
            reason=str(event.details["reason"]),
            author=event.actor,
            sequence=event.sequence,
            at=event.at,
        )
        for event in events
        if event.action == REFILED
    )


def refiling_problem(cursor: duckdb.DuckDBPyConnection) -> str | None:
    """The first exhibit that one log says went to, or came from, a case of this store whose log does not say so, in one
    sentence; None where all agree. Cases that this store does not hold are not asked for."""
    query = "SELECT case_id, sequence, event_hash, action, details_json FROM events WHERE action IN (?, ?) ORDER BY ALL"
    found = rows(cursor, query, [REFILED, TAKEN_OVER])
    held = {case_id for (case_id,) in cursor.execute("SELECT case_id FROM cases").fetchall()}
    out: dict[tuple[str, str, str, str], str] = {}
    came: dict[tuple[str, str, str, str], str] = {}
    for row in found:
        told: dict[str, Any] = json.loads(row["details_json"])
        exhibit_id, case_id = told["exhibit_id"], row["case_id"]
        if row["action"] == REFILED and told["to_case_id"] in held:
            out[exhibit_id, case_id, told["to_case_id"], row["event_hash"]] = f"went from {case_id}"
        elif row["action"] == TAKEN_OVER and told["from_case_id"] in held:
            hash_before = told["from_event"]["event_hash"]
            came[exhibit_id, told["from_case_id"], case_id, hash_before] = f"came to {case_id}"
    for key in sorted(set(out) ^ set(came)):
        said = out.get(key) or came[key]
        return f"A log says that the exhibit {key[0]} {said}, and the log of the other case does not."
    return None


def _refuse(cursor: duckdb.DuckDBPyConnection, exhibit: dict[str, Any], source: Case, target: Case) -> None:
    """Raise StoreError where the exhibit cannot be filed in the other case."""
    if source.case_id == target.case_id:
        raise StoreError(f"The exhibit is filed in {target.reference} already. Nothing was changed.")
    for case in (source, target):
        if case.status in ("archived", "closed"):
            raise StoreError(
                f"The case {case.reference} is {case.status}: nothing leaves or joins it. Reopen it first, with a "
                "reason. Nothing was changed."
            )
        if cursor.execute("SELECT 1 FROM signatures WHERE case_id = ?", [case.case_id]).fetchone():
            raise StoreError(
                f"The case {case.reference} is signed, and its signatures stand for the exhibits that it has. Nothing "
                "was changed: add the file to the right case as an exhibit of its own, and say so in a note in both."
            )
    active = "SELECT 1 FROM jobs WHERE exhibit_id = ? AND state IN ('queued', 'paused', 'running')"
    if cursor.execute(active, [exhibit["exhibit_id"]]).fetchone():
        raise StoreError(
            "An analysis of this exhibit is queued, paused or running. Wait for it, or cancel it, and try again."
        )
    findings = read_findings(cursor, source.case_id)
    if any(one.exhibit_id == exhibit["exhibit_id"] and one.acknowledged_by is None for one in findings):
        raise StoreError(
            "The stored file of this exhibit was found changed, and nobody has said what came of it. Acknowledge the "
            "finding first. Nothing was changed."
        )
    same = cursor.execute(
        "SELECT number FROM exhibits WHERE case_id = ? AND sha256 = ?", [target.case_id, exhibit["sha256"]]
    ).fetchone()
    if same:
        raise StoreError(f"The case {target.reference} has this file already, as E{same[0]}. Nothing was changed.")


def _free_number(cursor: duckdb.DuckDBPyConnection, case_id: str, given: str) -> int:
    """The next number of the case that is nobody's reference. Raises StoreError where `given` is somebody's."""
    query = """SELECT coalesce(nullif(reference, ''), 'E' || number) FROM exhibits
        LEFT JOIN exhibit_marks USING (exhibit_id) WHERE exhibits.case_id = ?"""
    taken = {reference for (reference,) in cursor.execute(query, [case_id]).fetchall()}
    if given in taken:
        raise StoreError(
            f"The other case has an exhibit called {given} already. Give this one another reference first. Nothing "
            "was changed."
        )
    number = next_number(cursor, case_id)
    while f"E{number}" in taken:
        number += 1
    return number


def _records_query(kind: str) -> str:
    table, key = RECORDS[kind]
    return f"SELECT {key} FROM {table} WHERE {_of_exhibit(kind)} ORDER BY {key}"


def _of_exhibit(kind: str) -> str:
    """Which rows are an exhibit's; what a note marks belongs to the note."""
    return "note_id IN (SELECT note_id FROM notes WHERE exhibit_id = ?)" if kind == "note_mark" else "exhibit_id = ?"


def receivers(events: Iterable[Event]) -> dict[str, str]:
    """exhibit id -> who took its file in, as the log of its case says, also of one that came from another case."""
    found: dict[str, str] = {}
    for event in events:
        if event.action == "exhibit_added":
            found[str(event.details["record"]["id"])] = event.actor
        elif event.action == TAKEN_OVER:
            found[str(event.details["exhibit_id"])] = str(event.details["received_by"])
    return found
