"""Recompute a case: its event chain, what the anchor remembers of it, the rows the events vouch for, and every file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from detector.cases.anchor import Anchor, AnchorLine, anchor_problem
from detector.cases.calibration_choice import choice_problem
from detector.cases.chain import STORE_CHAIN, chain_problem, clock_warnings, head_problem, read_events, read_head
from detector.cases.codec import file_sha256
from detector.cases.database import Database
from detector.cases.encoder_fingerprint import fingerprint_problem
from detector.cases.findings import finding_problem, read_findings
from detector.cases.home import Layout
from detector.cases.intake import find_strays, named_files
from detector.cases.job_table import job_problem
from detector.cases.records import read_analyses, read_case, read_exhibits
from detector.cases.refiling import refiling_problem, refilings
from detector.cases.seals import SEALED, seal_problem, sealed_records
from detector.cases.search_index import text_problem
from detector.cases.timestamps import CheckedLines, checked_lines, lost_token
from detector.cases.types import Event, StoreVerification, Verification
from detector.evidence.store import stored_path

# Told the part done, 0 to 1, and what is being read.
Progress = Callable[[float, str], None]


@dataclass(frozen=True, slots=True)
class _Known:
    """What lies outside the database: the anchor's lines by case, what is wrong with that file or could not be written
    to it, and the time stamps."""

    anchored: dict[str, list[AnchorLine]]
    anchor_file_problem: str | None
    unwritten: str | None
    stamped: CheckedLines

    @property
    def problem(self) -> str | None:
        """The first thing wrong with the files themselves."""
        return self.anchor_file_problem or self.stamped.problem


def verify_case(
    database: Database,
    layout: Layout,
    anchor: Anchor,
    case_id: str,
    known_heads: Sequence[str] = (),
    *,
    progress: Progress | None = None,
) -> Verification:
    """Raises StoreError for an unknown case; everything else that is wrong is the outcome's `problem`.

    `known_heads` are event hashes from earlier reports or exports of the case: each must still be in the log.
    """
    # Read before the log, so that an event written meanwhile is not held against it.
    known = _Known(*anchor.read(case_id), anchor.problem, checked_lines(layout.timestamps, case_id))
    return _verify(database, layout, known, case_id, known_heads, progress)


def verify_store(
    database: Database, layout: Layout, anchor: Anchor, *, progress: Progress | None = None
) -> StoreVerification:
    """Every case, the store's own log, and that nothing lies outside the cases or was taken away with its case."""
    known = _Known(*anchor.read(), anchor.problem, checked_lines(layout.timestamps))
    by_case = known.anchored
    with database.snapshot() as cursor:
        ids = [found for (found,) in cursor.execute("SELECT case_id FROM cases ORDER BY case_id").fetchall()]
        events = read_events(cursor, STORE_CHAIN)
        own = (
            chain_problem(events)
            or head_problem(events, read_head(cursor, STORE_CHAIN))
            or anchor_problem(by_case.get(STORE_CHAIN, []), events)
        )
        timestamps, unstamped = known.stamped.of_log(STORE_CHAIN, events)
        lost = next((case_id for case_id in by_case if case_id != STORE_CHAIN and case_id not in ids), None)
        if lost is not None:
            own = own or f"The anchor file knows the case {lost}, which the store no longer holds: it was removed."
        lost = next((case_id for case_id in known.stamped.cases() if case_id not in (STORE_CHAIN, *ids)), None)
        if lost is not None:
            own = own or f"A time stamp knows the case {lost}, which the store no longer holds: it was removed."
        # The file is read once more, after the log: a time stamp may have been taken between the two.
        own = own or unstamped or lost_token(events, layout.timestamps) or choice_problem(events, layout)
        problem = (
            known.problem or own or _stray(cursor) or refiling_problem(cursor) or finding_problem(read_findings(cursor))
        )
        named = named_files(cursor)
        strays = find_strays(cursor, layout)
    outcomes = []
    for place, case_id in enumerate(ids):
        if progress is not None:
            progress(place / len(ids), case_id)
        outcomes.append(_verify(database, layout, known, case_id, ()))
    missing = tuple(sha256 for sha256 in sorted(named) if not stored_path(layout.evidence, sha256).is_file())
    return StoreVerification(tuple(outcomes), problem, strays, missing, timestamps)


def _verify(
    database: Database,
    layout: Layout,
    known: _Known,
    case_id: str,
    known_heads: Sequence[str],
    progress: Progress | None = None,
) -> Verification:
    lines = known.anchored.get(case_id, [])
    with database.snapshot() as cursor:
        read_case(cursor, case_id)
        events = read_events(cursor, case_id)
        head = read_head(cursor, case_id)
        sealed = sealed_records(events)
        timestamps, unstamped = known.stamped.of_log(case_id, events)
        problem = (
            chain_problem(events)
            or anchor_problem(lines, events)
            or unstamped
            or head_problem(events, head)
            or _unknown_head(events, known_heads)
            or seal_problem(cursor, case_id, sealed)
            or fingerprint_problem(cursor, case_id)
            or text_problem(cursor, case_id)
            or job_problem(cursor, case_id, events)
        )
        findings = read_findings(cursor, case_id)
        found = finding_problem((*read_findings(cursor), *findings))
        files = _files(cursor, layout, case_id) if problem is None else []
    file_problems: list[str] = []
    altered: list[tuple[str, str]] = []
    sizes = [path.stat().st_size if path.is_file() else 0 for _, path, _ in files]
    for place, (name, path, expected) in enumerate(files):
        if progress is not None:
            progress(sum(sizes[:place]) / max(1, sum(sizes)), name)
        differs, hashed = _file_problem(name, path, expected)
        if differs is None:
            continue
        file_problems.append(differs)
        if hashed and path.is_relative_to(layout.evidence):
            altered.append((expected, hashed))
    return Verification(
        case_id=case_id,
        events_checked=len(events),
        records_checked=len(sealed),
        files_checked=len(files) - len(file_problems),
        problem=problem or " ".join(file_problems) or known.problem or found,
        head=head,
        anchored=lines[-1].sequence if lines else 0,
        warnings=(
            *clock_warnings(events),
            *([known.unwritten] if known.unwritten else []),
            *(one.sentence for one in findings if one.acknowledged_by is not None),
            *(one.sentence for one in refilings(events)),
        ),
        altered=tuple(altered),
        timestamps=timestamps,
    )


def _files(cursor: duckdb.DuckDBPyConnection, layout: Layout, case_id: str) -> list[tuple[str, Path, str]]:
    files = []
    for exhibit in read_exhibits(cursor, layout.evidence, case_id=case_id):
        name = f"evidence file of exhibit {exhibit.exhibit_id}"
        files.append((name, exhibit.evidence.file.path, exhibit.sha256))
    for record in read_analyses(cursor, layout.artefacts, case_id=case_id):
        for kept in record.artefacts:
            files.append((f"{kept.kind} file of record {record.record_id}", kept.path, kept.sha256))
    return files


def _unknown_head(events: list[Event], known_heads: Sequence[str]) -> str | None:
    hashes = {event.event_hash for event in events}
    for known in known_heads:
        if known.strip().lower() not in hashes:
            return f"The log has no event with the hash {known.strip()}: it is not the log that was reported."
    return None


def _stray(cursor: duckdb.DuckDBPyConnection) -> str | None:
    """The first row that belongs to no case."""
    for table in (*SEALED, "events", "case_heads", "search_texts", "exhibit_families", "jobs"):
        named = cursor.execute(f"SELECT * FROM {table} LIMIT 0").description or []
        if any(column[0] == "case_id" for column in named):
            belongs = "case_id = '' OR case_id IN (SELECT case_id FROM cases)"
        else:
            belongs = "record_id IN (SELECT record_id FROM analyses)"
        found = cursor.execute(f"SELECT count(*) FROM {table} WHERE NOT ({belongs})").fetchall()[0][0]
        if found:
            return f"The table {table} holds {found} row(s) that belong to no case."
    return None


def _file_problem(name: str, path: Path, expected: str) -> tuple[str | None, str]:
    """(what is wrong with a file in one sentence, None where nothing is; its SHA-256, empty where it has none)."""
    try:
        found = file_sha256(path)
    except FileNotFoundError:
        return f"The {name} is missing: {path}.", ""
    except OSError as error:
        return f"The {name} cannot be read: {error}.", ""
    if found != expected:
        return f"The {name} was changed: its SHA-256 should be {expected} and is {found}.", found
    return None, found
