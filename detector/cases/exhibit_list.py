"""Lists of exhibits, of one case or of all: filters, order and pages, answered from the short tables alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import duckdb

from detector.analysis.types import Label
from detector.cases.blind_phase import opined_by
from detector.cases.database import in_utc, rows
from detector.cases.search_index import folded
from detector.cases.statements import Verdict
from detector.cases.types import CURRENT, Status

ExhibitState = Literal["queued", "running", "failed", "not_analysed", "waiting_for_opinion", "examined", "signed"]
ExhibitOrder = Literal["number", "added", "file_name", "verdict", "duration", "state", "examiner"]
# What a list can be asked for instead of a conclusion: there is none yet, or it may not be told to the reader.
Finding = Label | Literal["none", "withheld"]
FINDINGS: tuple[Finding, ...] = (
    "likely_manipulated",
    "inconclusive",
    "no_manipulation_found",
    "not_examined",
    "withheld",
    "none",
)
_SHORTEST_HASH_PREFIX = 4

_LINES = """
    WITH newest AS (
        SELECT exhibit_id, arg_max(label, record_id) AS label, arg_max(score, record_id) AS score,
            max(record_id) AS record_id, count(*) AS analysis_count, max(created_at) AS analysed_at
        FROM analyses GROUP BY exhibit_id),
    said AS (
        SELECT exhibit_id, arg_max(verdict, opinion_id) AS opinion, arg_max(author, opinion_id) AS opinion_by,
            count(*) AS opinion_count, max(created_at) AS opinion_at
        FROM opinions GROUP BY exhibit_id),
    asked AS (SELECT exhibit_id, arg_max(state, job_id) AS job FROM jobs GROUP BY exhibit_id),
    stood_for AS (SELECT case_id, max(created_at) AS signed_at FROM signatures GROUP BY case_id),
    every AS (
        SELECT exhibits.exhibit_id, exhibits.case_id, number, file_name, sha256, size_bytes, added_at, evidence_json,
            cases.reference AS case_reference, cases.title AS case_title, cases.examiner,
            coalesce(status, 'open') AS status,
            coalesce(nullif(exhibit_marks.reference, ''), 'E' || number) AS reference,
            coalesce(exhibit_marks.description, '') AS description,
            coalesce(blind_first, false) AND NOT list_contains(?::VARCHAR[], exhibits.exhibit_id) AS waits,
            record_id, label, score, coalesce(analysis_count, 0) AS analysis_count, job,
            opinion, opinion_by, opinion_at, coalesce(opinion_count, 0) AS opinion_count,
            signed_at >= greatest(added_at, coalesce(analysed_at, added_at), coalesce(opinion_at, added_at)) AS signed
        FROM exhibits JOIN cases USING (case_id)
            LEFT JOIN case_states ON case_states.case_id = exhibits.case_id
            LEFT JOIN exhibit_marks ON exhibit_marks.exhibit_id = exhibits.exhibit_id
            LEFT JOIN newest ON newest.exhibit_id = exhibits.exhibit_id
            LEFT JOIN said ON said.exhibit_id = exhibits.exhibit_id
            LEFT JOIN asked ON asked.exhibit_id = exhibits.exhibit_id
            LEFT JOIN stood_for ON stood_for.case_id = exhibits.case_id),
    lines AS (
        SELECT * REPLACE (
                CASE WHEN waits THEN NULL ELSE score END AS score,
                CASE WHEN waits THEN NULL ELSE opinion END AS opinion,
                CASE WHEN waits THEN NULL ELSE opinion_by END AS opinion_by),
            CASE WHEN label IS NULL THEN 'none' WHEN waits THEN 'withheld' ELSE label END AS finding,
            CASE WHEN job = 'running' THEN job WHEN job IN ('queued', 'paused') THEN 'queued'
                WHEN coalesce(signed, false) THEN 'signed'
                WHEN label IS NULL AND job = 'failed' THEN 'failed' WHEN label IS NULL THEN 'not_analysed'
                WHEN waits OR opinion_count = 0 THEN 'waiting_for_opinion' ELSE 'examined' END AS state
        FROM every)
"""
# What of a line is told: the rest only serves to find, order and judge it.
_TOLD = "* EXCLUDE (evidence_json, waits, label, job, opinion_at, signed, status)"
_RANKED = "list_position(?::VARCHAR[], finding)"
_ORDERS: dict[ExhibitOrder, str] = {
    "number": "case_reference, case_id, number",
    "added": "added_at DESC, exhibit_id DESC",
    "file_name": f"{folded('file_name')}, exhibit_id",
    "verdict": f"{_RANKED}, score DESC NULLS LAST, exhibit_id",
    "duration": "CAST(evidence_json ->> '$.video.duration_s' AS DOUBLE) DESC NULLS LAST, exhibit_id",
    "state": "state, exhibit_id",
    "examiner": f"{folded('examiner')}, case_id, number",
}


@dataclass(frozen=True, slots=True)
class ExhibitFilter:
    """The exhibits that a list holds; what is empty or None does not filter. Every word of `words` must be in the file
    name, the reference or the description, letter case and accents aside, or begin the SHA-256. Of cases whose status
    is none of `statuses` none is listed, unless `case_id` names the case."""

    case_id: str | None = None
    words: str = ""
    findings: tuple[Finding, ...] = ()
    states: tuple[ExhibitState, ...] = ()
    examiner: str = ""
    statuses: tuple[Status, ...] = CURRENT


@dataclass(frozen=True, slots=True)
class ExhibitLine:
    """What a list tells of an exhibit. `finding` is the newest conclusion, "none" before there is one, "withheld" while
    it must not be told to the reader: then `score` (0..1, of the conclusion), `opinion` and `opinion_by` are None.
    `record_id` is the newest analysis, for links; what may be told of it follows from `finding`. `duration_s` is None
    of a still."""

    exhibit_id: str
    case_id: str
    case_reference: str
    case_title: str
    examiner: str
    number: int
    reference: str
    description: str
    file_name: str
    sha256: str
    size_bytes: int
    duration_s: float | None
    added_at: datetime
    finding: Finding
    score: float | None
    state: ExhibitState
    record_id: str | None
    analysis_count: int
    opinion: Verdict | None
    opinion_by: str | None
    opinion_count: int

    @property
    def shown_record(self) -> str | None:
        """The analysis of which the reader may be told; None where there is none or it is withheld."""
        return None if self.finding == "withheld" else self.record_id


@dataclass(frozen=True, slots=True)
class ExhibitPage:
    """One page of a list of exhibits. `total` counts those of all its pages; `counts` how many of them have each
    finding, as if no finding were asked for."""

    lines: tuple[ExhibitLine, ...]
    total: int
    counts: dict[Finding, int]


def read_exhibit_page(
    cursor: duckdb.DuckDBPyConnection,
    wanted: ExhibitFilter,
    order: ExhibitOrder,
    limit: int,
    offset: int,
    reader: str,
    *,
    grouped: bool = False,
) -> ExhibitPage:
    """One page. `grouped` puts equal findings together, the gravest first, each in the order asked for."""
    conditions, values = _conditions(wanted)
    given: list[Any] = [list(opined_by(cursor, reader)), *values]
    counted = f"{_LINES} SELECT finding, count(*) FROM lines WHERE {conditions} GROUP BY finding"
    counts: dict[Finding, int] = dict(cursor.execute(counted, given).fetchall())
    among = "true"
    if wanted.findings:
        among = f"finding IN ({', '.join('?' for _ in wanted.findings)})"
    total = sum(number for finding, number in counts.items() if not wanted.findings or finding in wanted.findings)
    by = f"{_RANKED}, {_ORDERS[order]}" if grouped else _ORDERS[order]
    ranks = [list(FINDINGS)] * by.count(_RANKED)
    query = f"""{_LINES} SELECT {_TOLD},
            CASE WHEN evidence_json ->> '$.kind' = 'still' THEN NULL
                ELSE CAST(evidence_json ->> '$.video.duration_s' AS DOUBLE) END AS duration_s
        FROM lines WHERE {conditions} AND {among} ORDER BY {by} LIMIT ? OFFSET ?"""
    found = rows(cursor, query, [*given, *wanted.findings, *ranks, limit, offset])
    return ExhibitPage(tuple(ExhibitLine(**in_utc(row)) for row in found), total, counts)


def first_exhibits(
    cursor: duckdb.DuckDBPyConnection, case_ids: Sequence[str], count: int, reader: str
) -> dict[str, tuple[ExhibitLine, ...]]:
    """case id -> its first `count` exhibits, by number; a case without exhibits is not there."""
    if not case_ids:
        return {}
    query = f"""{_LINES} SELECT {_TOLD},
            NULL AS duration_s
        FROM lines WHERE case_id IN ({", ".join("?" for _ in case_ids)})
        QUALIFY row_number() OVER (PARTITION BY case_id ORDER BY number) <= ? ORDER BY case_id, number"""
    found: dict[str, tuple[ExhibitLine, ...]] = {}
    for row in rows(cursor, query, [list(opined_by(cursor, reader)), *case_ids, count]):
        line = ExhibitLine(**in_utc(row))
        found[line.case_id] = (*found.get(line.case_id, ()), line)
    return found


def _conditions(wanted: ExhibitFilter) -> tuple[str, list[Any]]:
    conditions = ["true"]
    values: list[Any] = []

    def add(condition: str, *given: object) -> None:
        conditions.append(condition)
        values.extend(given)

    if wanted.case_id is not None:
        add("case_id = ?", wanted.case_id)
    elif wanted.statuses:
        add(f"status IN ({', '.join('?' for _ in wanted.statuses)})", *wanted.statuses)
    if wanted.states:
        add(f"state IN ({', '.join('?' for _ in wanted.states)})", *wanted.states)
    if wanted.examiner:
        add(f"{folded('examiner')} = {folded('?')}", wanted.examiner)
    for word in wanted.words.split():
        text = folded("concat_ws(' ', file_name, reference, description)")
        if len(word) >= _SHORTEST_HASH_PREFIX:
            add(f"(contains({text}, {folded('?')}) OR starts_with(sha256, ?))", word, word.lower())
        else:
            add(f"contains({text}, {folded('?')})", word)
    return " AND ".join(conditions), values
