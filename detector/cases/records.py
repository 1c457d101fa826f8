"""Database rows to the records of `types`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb

from detector.cases.artefacts import artefact_from_row
from detector.cases.codec import evidence_from_dict
from detector.cases.database import from_column, in_utc, rows
from detector.cases.types import AnalysisRecord, Artefact, Bookmark, Case, Exhibit, Note
from detector.errors import StoreError

CASES = """
    SELECT cases.*, coalesce(active_at, created_at) AS updated_at, coalesce(status, 'open') AS status,
        coalesce(status_reason, '') AS status_reason, coalesce(tags, []) AS tags,
        coalesce(favourite_of, []) AS favourite_of, coalesce(blind_first, false) AS blind_first,
        coalesce(laboratory, '') AS laboratory, coalesce(client, '') AS client, coalesce(question, '') AS question
    FROM cases LEFT JOIN case_heads USING (case_id) LEFT JOIN case_states USING (case_id)
        LEFT JOIN mandates USING (case_id)
"""

_NOTES = "SELECT * FROM notes LEFT JOIN (SELECT * EXCLUDE (case_id) FROM note_marks) AS marks USING (note_id)"


def read_case(cursor: duckdb.DuckDBPyConnection, case_id: str) -> Case:
    """The case with that id. Raises StoreError where there is none."""
    found = rows(cursor, f"SELECT * FROM ({CASES}) AS cases WHERE case_id = ?", [case_id])
    if not found:
        raise StoreError(f"There is no case {case_id!r} in this store. The Cases page lists those it holds.")
    return case_from_row(found[0])


def read_exhibits(
    cursor: duckdb.DuckDBPyConnection, evidence_dir: Path, *, case_id: str | None = None, exhibit_id: str | None = None
) -> list[Exhibit]:
    """By case and number."""
    wanted = {"case_id": case_id, "exhibit_id": exhibit_id}
    named = {row["exhibit_id"]: row for row in read_rows(cursor, "exhibit_marks", "exhibit_id", **wanted)}
    receipts = {row["exhibit_id"]: row for row in read_rows(cursor, "receipts", "exhibit_id", **wanted)}
    return [
        Exhibit(
            exhibit_id=row["exhibit_id"],
            case_id=row["case_id"],
            number=row["number"],
            evidence=evidence_from_dict(json.loads(row["evidence_json"]), evidence_dir),
            added_at=row["added_at"],
            reference=named.get(row["exhibit_id"], {}).get("reference") or f"E{row['number']}",
            description=named.get(row["exhibit_id"], {}).get("description", ""),
            received_from=receipts.get(row["exhibit_id"], {}).get("received_from", ""),
            received_how=receipts.get(row["exhibit_id"], {}).get("received_how", ""),
            received_when=receipts.get(row["exhibit_id"], {}).get("received_when", ""),
        )
        for row in read_rows(cursor, "exhibits", "case_id, number", **wanted)
    ]


def read_analyses(cursor: duckdb.DuckDBPyConnection, artefact_dir: Path, **wanted: str | None) -> list[AnalysisRecord]:
    """Oldest first."""
    found = read_rows(cursor, "analyses", "record_id", **wanted)
    files: dict[str, list[Artefact]] = {row["record_id"]: [] for row in found}
    if files:
        query = f"SELECT * FROM artefacts WHERE record_id IN ({', '.join('?' for _ in files)}) ORDER BY kind"
        for row in rows(cursor, query, list(files)):
            shape = tuple(json.loads(row["shape_json"]))
            files[row["record_id"]].append(artefact_from_row(artefact_dir, row, shape))
    for row in found:
        row["model_ids"] = tuple(json.loads(row.pop("model_ids_json")))
    return [AnalysisRecord(**row, artefacts=tuple(files[row["record_id"]])) for row in found]


def read_notes(cursor: duckdb.DuckDBPyConnection, *, withdrawn: bool = False, **wanted: str | None) -> list[Note]:
    """Oldest first; with `withdrawn` also those that were revised or withdrawn."""
    found = [_note(row) for row in read_rows(cursor, f"({_NOTES}) AS notes", "note_id", **wanted)]
    return [note for note in found if withdrawn or note.withdrawn_at is None]


def read_bookmarks(cursor: duckdb.DuckDBPyConnection, **wanted: str | None) -> list[Bookmark]:
    """Those that were not removed, in the order they were set."""
    found = read_rows(cursor, "bookmarks", "bookmark_id", **wanted)
    return [Bookmark(**row) for row in found if row.pop("removed_at") is None]


def read_rows(cursor: duckdb.DuckDBPyConnection, table: str, order: str, **wanted: str | None) -> list[dict[str, Any]]:
    """The rows in which every named column that is not None has its value, by column name."""
    given = {name: value for name, value in wanted.items() if value is not None}
    conditions = " AND ".join(["true", *(f"{name} = ?" for name in given)])
    query = f"SELECT * FROM {table} WHERE {conditions} ORDER BY {order}"
    return [in_utc(row) for row in rows(cursor, query, list(given.values()))]


def _note(row: dict[str, Any]) -> Note:
    box = row.pop("box_xyxy_px")
    return Note(**row, box_xyxy_px=(box[0], box[1], box[2], box[3]) if box else None)


def case_from_row(row: dict[str, Any]) -> Case:
    """A row of `CASES`."""
    return Case(
        case_id=row["case_id"],
        reference=row["reference"],
        title=row["title"],
        examiner=row["examiner"],
        created_at=from_column(row["created_at"]),
        updated_at=from_column(row["updated_at"]),
        status=row["status"],
        status_reason=row["status_reason"],
        tags=tuple(row["tags"]),
        favourite_of=tuple(row["favourite_of"]),
        blind_first=row["blind_first"],
        laboratory=row["laboratory"],
        client=row["client"],
        question=row["question"],
    )
