"""Database rows to the records of `types`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb

from detector.cases.artefacts import artefact_from_row
from detector.cases.codec import evidence_from_dict
from detector.cases.database import from_column, rows
from detector.cases.types import AnalysisRecord, Artefact, Case, CaseSummary, Exhibit, Note
from detector.errors import StoreError

# A case counts as changed whenever its log grew.
_CASES = """
    SELECT cases.*, coalesce((SELECT max(at_utc) FROM events WHERE events.case_id = cases.case_id), created_at)
        AS updated_at FROM cases
"""
_SHORTEST_HASH_PREFIX = 4  # a shorter run of hex digits is far more often part of a word


def read_case(cursor: duckdb.DuckDBPyConnection, case_id: str) -> Case:
    found = rows(cursor, f"{_CASES} WHERE case_id = ?", [case_id])
    if not found:
        raise StoreError(f"There is no case {case_id!r} in this store. The Cases page lists those it holds.")
    return _case(found[0])


def search_cases(cursor: duckdb.DuckDBPyConnection, search: str, limit: int, offset: int) -> list[CaseSummary]:
    """Newest activity first. Every word of `search` must occur somewhere in the case's texts, ignoring letter case and
    accents, or begin the SHA-256 of one of its exhibits."""
    conditions, values = _conditions(search)
    query = (
        f"SELECT * FROM ({_CASES}) AS cases WHERE {conditions} ORDER BY updated_at DESC, case_id DESC LIMIT ? OFFSET ?"
    )
    cases = [_case(row) for row in rows(cursor, query, [*values, limit, offset])]
    return _summaries(cursor, cases)


def read_exhibits(
    cursor: duckdb.DuckDBPyConnection, evidence_dir: Path, *, case_id: str | None = None, exhibit_id: str | None = None
) -> list[Exhibit]:
    found = rows(cursor, *_filtered("exhibits", "case_id, number", case_id=case_id, exhibit_id=exhibit_id))
    return [
        Exhibit(
            exhibit_id=row["exhibit_id"],
            case_id=row["case_id"],
            number=row["number"],
            evidence=evidence_from_dict(json.loads(row["evidence_json"]), evidence_dir),
            added_at=from_column(row["added_at"]),
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
    marks = ", ".join("?" for _ in files)
    if files:
        query = f"SELECT * FROM artefacts WHERE record_id IN ({marks}) ORDER BY kind"
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


def _case(row: dict[str, Any]) -> Case:
    return Case(
        case_id=row["case_id"],
        reference=row["reference"],
        title=row["title"],
        examiner=row["examiner"],
        created_at=from_column(row["created_at"]),
        updated_at=from_column(row["updated_at"]),
    )


def _summaries(cursor: duckdb.DuckDBPyConnection, cases: list[Case]) -> list[CaseSummary]:
    """Four queries however many cases there are."""
    if not cases:
        return []
    ids = [case.case_id for case in cases]
    among = f"case_id IN ({', '.join('?' for _ in ids)})"

    def grouped(query: str) -> dict[str, Any]:
        return dict(cursor.execute(query, ids).fetchall())

    counts = {
        table: grouped(f"SELECT case_id, count(*) FROM {table} WHERE {among} GROUP BY case_id")
        for table in ("analyses", "notes")
    }
    names = grouped(f"SELECT case_id, list(file_name ORDER BY number) FROM exhibits WHERE {among} GROUP BY case_id")
    labels = grouped(
        "SELECT newest.case_id, list(label ORDER BY number) FROM (SELECT case_id, exhibit_id, "
        f"arg_max(label, record_id) AS label FROM analyses WHERE {among} GROUP BY case_id, exhibit_id) AS newest "
        "JOIN exhibits USING (exhibit_id) GROUP BY newest.case_id"
    )
    return [
        CaseSummary(
            case=case,
            exhibit_count=len(names.get(case.case_id, ())),
            analysis_count=counts["analyses"].get(case.case_id, 0),
            note_count=counts["notes"].get(case.case_id, 0),
            file_names=tuple(names.get(case.case_id, ())),
            labels=tuple(labels.get(case.case_id, ())),
        )
        for case in cases
    ]


def _conditions(search: str) -> tuple[str, list[Any]]:
    conditions = ["true"]
    values: list[Any] = []
    for word in search.split():
        places = [
            f"contains({_folded(name)}, {_folded('?')})" for name in ("title", "reference", "examiner", "case_id")
        ]
        values += [word] * len(places)
        for table, column in (("exhibits", "file_name"), ("notes", "text")):
            found = f"contains({_folded(f'{table}.{column}')}, {_folded('?')})"
            places.append(f"EXISTS (SELECT 1 FROM {table} WHERE {table}.case_id = cases.case_id AND {found})")
            values.append(word)
        if len(word) >= _SHORTEST_HASH_PREFIX:
            places.append(
                "EXISTS (SELECT 1 FROM exhibits WHERE exhibits.case_id = cases.case_id AND starts_with(sha256, ?))"
            )
            values.append(word.lower())
        conditions.append(f"({' OR '.join(places)})")
    return " AND ".join(conditions), values


def _folded(expression: str) -> str:
    return f"strip_accents(lower({expression}))"


def _filtered(table: str, order: str, **wanted: str | None) -> tuple[str, list[Any]]:
    """A SELECT of the rows in which every named column that is not None has its value."""
    given = {name: value for name, value in wanted.items() if value is not None}
    conditions = " AND ".join(["true", *(f"{name} = ?" for name in given)])
    return f"SELECT * FROM {table} WHERE {conditions} ORDER BY {order}", list(given.values())
