"""Findings: events that say that evidence or record were found changed behind the program's back.

`anchor_differs` (the anchor file, or the time stamps) stands in the store's own log, `evidence_altered` in that of each
case with the file. A finding keeps `verify` saying that the case differs until somebody acknowledges it in words, which
is an event as well; the finding and what it casts doubt on stay on record and are shown for good.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import duckdb

from detector.cases.chain import STORE_CHAIN, append_event, read_events
from detector.cases.database import from_column, rows
from detector.cases.types import Event, Finding
from detector.cases.verify_case import ACKNOWLEDGED, ALTERED, altered_text
from detector.errors import StoreError

ANCHOR_DIFFERS = "anchor_differs"
_ACTIONS = (ALTERED, ANCHOR_DIFFERS, ACKNOWLEDGED)


def read_findings(cursor: duckdb.DuckDBPyConnection, case_id: str = STORE_CHAIN) -> tuple[Finding, ...]:
    """The findings in the log of a case, or in the store's own; oldest first."""
    places = ", ".join("?" for _ in _ACTIONS)
    query = f"SELECT * FROM events WHERE case_id = ? AND action IN ({places}) ORDER BY sequence"
    found: dict[int, Finding] = {}
    for row in rows(cursor, query, [case_id, *_ACTIONS]):
        details = json.loads(row["details_json"])
        if row["action"] == ACKNOWLEDGED:
            for sequence in details["findings"]:
                if sequence in found:
                    found[sequence] = found[sequence].acknowledge(details["text"], row["actor"])
            continue
        found[row["sequence"]] = Finding(
            case_id=case_id,
            sequence=row["sequence"],
            at=from_column(row["at_utc"]),
            text=altered_text(details) if row["action"] == ALTERED else details.get("problem", ""),
            exhibit_id=details.get("exhibit_id"),
            record_ids=tuple(details.get("record_ids", ())),
        )
    return tuple(found.values())


def finding_problem(findings: Iterable[Finding]) -> str | None:
    """The first finding that nobody has acknowledged, in one sentence with what to do; None where there is none."""
    for one in findings:
        if one.acknowledged_by is None:
            which = f"--case {one.case_id} " if one.case_id else ""
            return f"{one.sentence} Look into it, then put what you found on record: cases acknowledge {which}“…”."
    return None


def acknowledge(cursor: duckdb.DuckDBPyConnection, case_id: str, text: str, actor: str) -> None:
    """Put on record that the open findings of a log were looked into. Raises StoreError where no words are given or
    nothing is open."""
    if not text:
        raise StoreError("An acknowledgement needs words: what was found out, and what was done? Nothing was recorded.")
    opened = [one.sequence for one in read_findings(cursor, case_id) if one.acknowledged_by is None]
    if not opened:
        where = f"of the case {case_id}" if case_id else "of the store"
        raise StoreError(f"The log {where} has no finding that waits to be acknowledged. Nothing was recorded.")
    append_event(cursor, case_id, ACKNOWLEDGED, actor, {"findings": opened, "text": text})


def record_altered(
    cursor: duckdb.DuckDBPyConnection, sha256: str, found_sha256: str, actor: str, *, replaced: bool
) -> None:
    """Put on record, in every case that has the file, that its stored copy was found to be another, and which records
    were made of it since it was last known to be right. `replaced` says that the true bytes were put back. A
    finding that is open and names the same is not repeated."""
    query = "SELECT case_id, exhibit_id FROM exhibits WHERE sha256 = ? ORDER BY exhibit_id"
    for case_id, exhibit_id in cursor.execute(query, [sha256]).fetchall():
        told = {
            "exhibit_id": exhibit_id,
            "sha256": sha256,
            "found_sha256": found_sha256,
            "replaced": replaced,
            "record_ids": _since_last_good_check(read_events(cursor, case_id), exhibit_id),
        }
        if not _is_known(cursor, case_id, told):
            append_event(cursor, case_id, ALTERED, actor, told)


def _is_known(cursor: duckdb.DuckDBPyConnection, case_id: str, told: Mapping[str, Any]) -> bool:
    opened = {one.sequence for one in read_findings(cursor, case_id) if one.acknowledged_by is None}
    return any(dict(one.details) == told for one in read_events(cursor, case_id) if one.sequence in opened)


def _since_last_good_check(events: Sequence[Event], exhibit_id: str) -> list[str]:
    """The records made of an exhibit after its file was last hashed and found right: when it was taken in or put back,
    when its case verified, or around an analysis."""
    made: list[str] = []
    for event in events:
        told = event.details
        about_it = told.get("exhibit_id") == exhibit_id
        if event.action == "record_taken_over" and about_it and told["record"]["kind"] == "analysis":
            made.append(str(told["record"]["id"]))  # the log that it came from knows more, and is another case's
        elif event.action == "analysis_saved" and about_it and not told.get("evidence_checked"):
            made.append(str(told["record"]["id"]))
        elif (
            (event.action == "analysis_saved" and about_it)
            or (event.action == "case_verified" and told.get("problem") is None)
            or (event.action == ALTERED and about_it and told.get("replaced"))
        ):
            made.clear()
    return made
