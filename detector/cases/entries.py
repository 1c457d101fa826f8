"""Writing the records of a case: each function inserts its rows and the event that vouches for them, inside the
caller's transaction."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import duckdb

from detector.analysis.types import Analysis
from detector.cases.chain import append_event
from detector.cases.codec import canonical, evidence_to_dict
from detector.cases.database import insert, insert_table, to_column, utc_now
from detector.cases.encoder_fingerprint import insert_fingerprints
from detector.cases.records import read_case
from detector.cases.seals import seal
from detector.cases.search_index import index_record
from detector.cases.types import Artefact, Case, Exhibit
from detector.cases.verify_case import REFILED
from detector.errors import StoreError
from detector.evidence.types import Evidence


def insert_case(
    cursor: duckdb.DuckDBPyConnection, case_id: str, *, title: str, reference: str, examiner: str, actor: str
) -> None:
    """Add a case and its first event."""
    now = utc_now()
    named = {
        "reference": storable(reference) or _next_reference(cursor, now.year),
        "title": storable(title) or "Untitled case",
        "examiner": storable(examiner),
    }
    insert(cursor, "cases", {"case_id": case_id, **named, "created_at": to_column(now)})
    record_entry(cursor, case_id, "case_created", "case", case_id, actor, named)


def change_case(cursor: duckdb.DuckDBPyConnection, case_id: str, wanted: dict[str, str | None], *, actor: str) -> None:
    """Set the named columns whose value is not None; the event keeps what they were."""
    before = require_open(cursor, case_id)
    changes = {name: storable(value) for name, value in wanted.items() if value is not None}
    changes = {name: value for name, value in changes.items() if value != getattr(before, name)}
    for name, value in changes.items():
        if not value and name != "examiner":
            raise StoreError(f"A case needs a {name}; none was given. Nothing was changed.")
        cursor.execute(f"UPDATE cases SET {name} = ? WHERE case_id = ?", [value, case_id])
    if changes:
        details = {name: {"before": getattr(before, name), "after": value} for name, value in changes.items()}
        record_entry(cursor, case_id, "case_changed", "case", case_id, actor, details)


def insert_exhibit(
    cursor: duckdb.DuckDBPyConnection, exhibit_id: str, case_id: str, evidence: Evidence, *, actor: str
) -> str:
    """The id of the case's exhibit with this file: `exhibit_id`, or that of the one it has already."""
    file = evidence.file
    read_case(cursor, case_id)
    known = cursor.execute(
        "SELECT exhibit_id FROM exhibits WHERE case_id = ? AND sha256 = ?", [case_id, file.sha256]
    ).fetchone()
    if known:
        return str(known[0])
    require_open(cursor, case_id)
    told = {"file_name": storable(file.file_name), "sha256": file.sha256, "size_bytes": file.size_bytes}
    told["md5"] = file.md5
    row = {
        "exhibit_id": exhibit_id,
        "case_id": case_id,
        "number": next_number(cursor, case_id),
        **told,
        "evidence_json": canonical(evidence_to_dict(evidence)),
        "added_at": to_column(utc_now()),
    }
    insert(cursor, "exhibits", row)
    insert_fingerprints(cursor, [row])
    record_entry(cursor, case_id, "exhibit_added", "exhibit", exhibit_id, actor, told)
    return exhibit_id


def next_number(cursor: duckdb.DuckDBPyConnection, case_id: str) -> int:
    """The number of a case's next exhibit. That of one which was filed in another case is not given again."""
    query = """SELECT max(number) FROM (SELECT number FROM exhibits WHERE case_id = ?
        UNION ALL SELECT CAST(details_json ->> '$.number' AS INTEGER) FROM events WHERE case_id = ? AND action = ?)"""
    highest = cursor.execute(query, [case_id, case_id, REFILED]).fetchall()[0][0]
    return int(highest or 0) + 1


def insert_analysis(
    cursor: duckdb.DuckDBPyConnection,
    record_id: str,
    exhibit: Exhibit,
    analysis: Analysis,
    kept: tuple[Artefact, ...],
    artefact_dir: Path,
    *,
    actor: str,
    evidence_checked: bool,
) -> None:
    """Add the record of an analysis, its scores and its artefacts. The event says whether the stored file was hashed
    before and after."""
    import pyarrow as pa

    from detector.analysis import tables

    told = {
        "exhibit_id": exhibit.exhibit_id,
        "analysis_id": analysis.analysis_id,
        "label": analysis.conclusion.label,
        "score": analysis.conclusion.score,
    }
    row = {
        "record_id": record_id,
        "case_id": exhibit.case_id,
        **told,
        "model_ids_json": json.dumps([model.model_id for model in analysis.models]),
        "settings_sha256": analysis.settings.sha256,
        "tool_version": analysis.tool.version,
        "frames_examined": analysis.frames_examined,
        "track_count": len(analysis.tracks),
        "created_at": to_column(utc_now()),
    }
    insert(cursor, "analyses", row)
    for artefact in kept:
        row = {
            "record_id": record_id,
            "kind": artefact.kind,
            "path": artefact.path.relative_to(artefact_dir).as_posix(),
            "sha256": artefact.sha256,
            "size_bytes": artefact.size_bytes,
            "shape_json": json.dumps(artefact.shape),
            "dtype": artefact.dtype,
        }
        insert(cursor, "artefacts", row)
    for table, columns, found in (
        ("tracks", tables.TRACKS, tables.tracks_table(analysis)),
        ("frames", tables.FRAMES, tables.frames_table(analysis)),
        ("scores", tables.SCORES, tables.scores_table(analysis)),
    ):
        stored = found.select([column.name for column in columns if column.stored])
        insert_table(cursor, table, stored.append_column("record_id", pa.array([record_id] * len(stored), pa.string())))
    told["evidence_checked"] = evidence_checked
    record_entry(cursor, exhibit.case_id, "analysis_saved", "analysis", record_id, actor, told)


def require_open(cursor: duckdb.DuckDBPyConnection, case_id: str) -> Case:
    """The case, which may be added to. Raises StoreError for one that is archived."""
    case = read_case(cursor, case_id)
    if case.status == "archived":
        raise StoreError(
            f"The case {case_id} is archived ({case.status_reason}); nothing is added to it. Reopen it first, with a "
            "reason."
        )
    return case


def require_exhibit(cursor: duckdb.DuckDBPyConnection, case_id: str, exhibit_id: str) -> None:
    """Raise StoreError where the case has no such exhibit."""
    query = "SELECT 1 FROM exhibits WHERE case_id = ? AND exhibit_id = ?"
    if cursor.execute(query, [case_id, exhibit_id]).fetchone() is None:
        raise StoreError(f"The case {case_id} has no exhibit {exhibit_id!r}.")


def case_of(cursor: duckdb.DuckDBPyConnection, exhibit_id: str) -> str:
    """The id of the exhibit's case. Raises StoreError where there is no such exhibit."""
    found = cursor.execute("SELECT case_id FROM exhibits WHERE exhibit_id = ?", [exhibit_id]).fetchone()
    if found is None:
        raise StoreError(f"There is no exhibit {exhibit_id!r} in this store.")
    return str(found[0])


def storable(text: str) -> str:
    """Text without outer white space. File names may hold bytes that are no text: they stay visible as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").strip()


def _next_reference(cursor: duckdb.DuckDBPyConnection, year: int) -> str:
    prefix = f"FW-{year}-"
    given = cursor.execute("SELECT reference FROM cases WHERE starts_with(reference, ?)", [prefix]).fetchall()
    numbers = [int(found.group(1)) for (name,) in given if (found := re.fullmatch(rf"{prefix}(\d{{1,9}})", name))]
    return f"{prefix}{max(numbers, default=0) + 1:04d}"


def record_entry(
    cursor: duckdb.DuckDBPyConnection,
    case_id: str,
    action: str,
    kind: str,
    identifier: str,
    actor: str,
    details: dict[str, Any],
) -> None:
    """Log a record just written, with the digest that vouches for its rows, and make its texts searchable."""
    index_record(cursor, kind, identifier)
    append_event(cursor, case_id, action, actor, {**details, "record": seal(cursor, kind, identifier)})
