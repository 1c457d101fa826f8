"""Recompute a case: its event chain, the rows the events vouch for, and every file."""

from __future__ import annotations

from pathlib import Path

from detector.cases.chain import chain_problem, read_events
from detector.cases.codec import file_sha256
from detector.cases.database import Database
from detector.cases.home import Layout
from detector.cases.records import read_analyses, read_case, read_exhibits
from detector.cases.seals import seal_problem, sealed_records
from detector.cases.types import Verification


def verify_case(database: Database, layout: Layout, case_id: str) -> Verification:
    """Raises StoreError for an unknown case; everything else that is wrong is the outcome's `problem`."""
    with database.snapshot() as cursor:
        read_case(cursor, case_id)
        events = read_events(cursor, case_id)
        sealed = sealed_records(events)
        problem = chain_problem(events) or seal_problem(cursor, case_id, sealed)
        files: list[tuple[str, Path, str]] = []
        if problem is None:
            for exhibit in read_exhibits(cursor, layout.evidence, case_id=case_id):
                name = f"evidence file of exhibit {exhibit.exhibit_id}"
                files.append((name, exhibit.evidence.file.path, exhibit.sha256))
            for record in read_analyses(cursor, layout.artefacts, case_id=case_id):
                for kept in record.artefacts:
                    files.append((f"{kept.kind} file of record {record.record_id}", kept.path, kept.sha256))
    checked = 0
    for name, path, expected in files:
        problem = _file_problem(name, path, expected)
        if problem is not None:
            break
        checked += 1
    return Verification(
        case_id=case_id,
        events_checked=len(events),
        records_checked=len(sealed),
        files_checked=checked,
        problem=problem,
    )


def _file_problem(name: str, path: Path, expected: str) -> str | None:
    try:
        found = file_sha256(path)
    except FileNotFoundError:
        return f"The {name} is missing: {path}."
    except OSError as error:
        return f"The {name} cannot be read: {error}."
    if found != expected:
        return f"The {name} was changed: its SHA-256 should be {expected} and is {found}."
    return None
