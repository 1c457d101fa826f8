"""Database rows to the records of `types`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb

from detector.cases.artefacts import artefact_from_row
from detector.cases.codec import evidence_from_dict
from detector.cases.database import from_column, rows
from detector.cases.types import AnalysisRecord, Artefact, Bookmark, Case, Exhibit, Note
from detector.errors import StoreError

CASES = """
    SELECT cases.*, coalesce(active_at, created_at) AS updated_at, coalesce(status, 'open') AS status,
        coalesce(status_reason, '') AS status_reason, coalesce(tags, []) AS tags,
        coalesce(favourite_of, []) AS favourite_of, coalesce(blind_first, false) AS blind_first
    FROM cases LEFT JOIN case_heads USING (case_id) LEFT JOIN case_states USING (case_id)
"""


def read_case(cursor: duckdb.DuckDBPyConnection, case_id: str) -> Case:
    found = rows(cursor, f"SELECT * FROM ({CASES}) AS cases WHERE case_id = ?", [case_id])
    if not found:
        raise StoreError(f"There is no case {case_id!r} in this store. The Cases page lists those it holds.")
    return case_from_row(found[0])


def read_exhibits(
    cursor: duckdb.DuckDBPyConnection, evidence_dir: Path, *, case_id: str | None = None, exhibit_id: str | None = None
) -> list[Exhibit]:
    found = rows(cursor, *_filtered("exhibits", "case_id, number", case_id=case_id, exhibit_id=exhibit_id))
    query, values = _filtered("exhibit_marks", "exhibit_id", case_id=case_id, exhibit_id=exhibit_id)
    named = {row["exhibit_id"]: row for row in rows(cursor, query, values)}
    return [
        Exhibit(
            exhibit_id=row["exhibit_id"],
            case_id=row["case_id"],
            number=row["number"],
            evidence=evidence_from_dict(json.loads(row["evidence_json"]), evidence_dir),
            added_at=from_column(row["added_at"]),
            reference=named.get(row["exhibit_id"], {}).get("reference") or f"E{row['number']}",
            description=named.get(row["exhibit_id"], {}).get("description", ""),
        )
        for row in found
    ]


def read_analyses(
    cursor: duckdb.DuckDBPyConnection,
    artefact_dir: Path,
    *,
    case_id: str | None = None,
    exhibit_id: str | None = None,
    record_id: str | None = None,
) -> list[AnalysisRecord]:
    query, values = _filtered("analyses", "record_id", case_id=case_id, exhibit_id=exhibit_id, record_id=record_id)
    found = rows(cursor, query, values)
    files: dict[str, list[Artefact]] = {row["record_id"]: [] for row in found}
    placeholders = ", ".join("?" for _ in files)
    if files:
        query = f"SELECT * FROM artefacts WHERE record_id IN ({placeholders}) ORDER BY kind"
        for row in rows(cursor, query, list(files)):
            shape = tuple(json.loads(row["shape_json"]))
            files[row["record_id"]].append(artefact_from_row(artefact_dir, row, shape))
    return [
        AnalysisRecord(
            record_id=row["record_id"],
            case_id=row["case_id"],
            exhibit_id=row["exhibit_id"],
            analysis_id=row["analysis_id"],
            label=row["label"],
            score=row["score"],
            model_ids=tuple(json.loads(row["model_ids_json"])),
            settings_sha256=row["settings_sha256"],
            tool_version=row["tool_version"],
            frames_examined=row["frames_examined"],
            track_count=row["track_count"],
            created_at=from_column(row["created_at"]),
            artefacts=tuple(files[row["record_id"]]),
        )
        for row in found
    ]


def read_notes(
    cursor: duckdb.DuckDBPyConnection,
    *,
    case_id: str | None = None,
    exhibit_id: str | None = None,
    note_id: str | None = None,
) -> list[Note]:
    found = rows(cursor, *_filtered("notes", "note_id", case_id=case_id, exhibit_id=exhibit_id, note_id=note_id))
    return [
        Note(
            note_id=row["note_id"],
            case_id=row["case_id"],
            exhibit_id=row["exhibit_id"],
            track_id=row["track_id"],
            pts=row["pts"],
            text=row["text"],
            author=row["author"],
            created_at=from_column(row["created_at"]),
        )
        for row in found
    ]


def read_bookmarks(
    cursor: duckdb.DuckDBPyConnection, *, case_id: str | None = None, exhibit_id: str | None = None
) -> list[Bookmark]:
    """Those that were not removed, in the order they were set."""
    query, values = _filtered("bookmarks", "bookmark_id", case_id=case_id, exhibit_id=exhibit_id)
    return [
        Bookmark(
            bookmark_id=row["bookmark_id"],
            case_id=row["case_id"],
            exhibit_id=row["exhibit_id"],
            track_id=row["track_id"],
            pts=row["pts"],
            text=row["text"],
            author=row["author"],
            created_at=from_column(row["created_at"]),
        )
        for row in rows(cursor, query, values)
        if row["removed_at"] is None
    ]


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
    )


def _filtered(table: str, order: str, **wanted: str | None) -> tuple[str, list[Any]]:
    """A SELECT of the rows in which every named column that is not None has its value."""
    given = {name: value for name, value in wanted.items() if value is not None}
    conditions = " AND ".join(["true", *(f"{name} = ?" for name in given)])
    return f"SELECT * FROM {table} WHERE {conditions} ORDER BY {order}", list(given.values())
