"""What the cases room hands on: cases, their exhibits, the analyses made of them, notes, events and jobs.

Times are timezone-aware UTC. Ids are short lower-case strings whose order is the order of creation: a letter for
the kind (c case, x exhibit, r analysis record, n note, j job) and nine base-32 digits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from detector.analysis.types import Label
from detector.evidence.types import Evidence
from detector.settings import AnalysisSettings

JobState = Literal["queued", "running", "done", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Case:
    """`reference` is the laboratory's number; where none was given the store allots one (FW-2026-0001)."""

    case_id: str
    reference: str
    title: str
    examiner: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class CaseSummary:
    """A line of the case list. `labels` holds the newest conclusion of each exhibit that has one, in exhibit order;
    `updated_at` of the case is the time of its newest event."""

    case: Case
    exhibit_count: int
    analysis_count: int
    note_count: int
    file_names: tuple[str, ...]
    labels: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One evidence file in a case. `number` counts from 1 within the case. `evidence.file.path` is the stored file;
    `evidence.file.file_name` is the submitter's name for it: data, never a path."""

    exhibit_id: str
    case_id: str
    number: int
    evidence: Evidence
    added_at: datetime

    @property
    def file_name(self) -> str:
        return self.evidence.file.file_name

    @property
    def sha256(self) -> str:
        return self.evidence.file.sha256


@dataclass(frozen=True, slots=True)
class Artefact:
    """A content-named file beside the database: `path` ends in its own SHA-256. `shape` and `dtype` are those of its
    main array; empty for text."""

    kind: Literal["analysis", "landmarks"]
    path: Path
    sha256: str
    size_bytes: int
    shape: tuple[int, ...] = ()
    dtype: str = ""


@dataclass(frozen=True, slots=True)
class AnalysisRecord:
    """One saved analysis. `analysis_id` is the engine's (equal work, equal id); `record_id` is this saving of it in
    this case. `score` in [0, 1] is the conclusion's, or None whenever no face was scored."""

    record_id: str
    case_id: str
    exhibit_id: str
    analysis_id: str
    label: Label
    score: float | None
    model_ids: tuple[str, ...]
    settings_sha256: str
    tool_version: str
    frames_examined: int
    track_count: int
    created_at: datetime
    artefacts: tuple[Artefact, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """An examiner's remark on a case, or on one exhibit, track or frame (`pts` in the stream's time base) of it."""

    note_id: str
    case_id: str
    exhibit_id: str | None
    track_id: int | None
    pts: int | None
    text: str
    author: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the append-only log. Each case has its own chain, `sequence` from 1; `case_id` "" is the store's.
    `event_hash` covers every other field and the hash of the row before."""

    case_id: str
    sequence: int
    at: datetime
    actor: str
    action: str
    details: Mapping[str, Any]
    previous_hash: str
    event_hash: str


@dataclass(frozen=True, slots=True)
class Verification:
    """Outcome of recomputing a case. `problem` names the first failure in one sentence, None when all agrees."""

    case_id: str
    events_checked: int
    records_checked: int
    files_checked: int
    problem: str | None

    @property
    def ok(self) -> bool:
        return self.problem is None


@dataclass(frozen=True, slots=True)
class Job:
    """One requested analysis. `attempts` counts its starts, `worker_deaths` how often its worker died under it.
    `fraction` in [0, 1] and `remaining_s` are live while it runs; `record_id` is set when it is done."""

    job_id: str
    case_id: str
    exhibit_id: str
    model_ids: tuple[str, ...]
    settings: AnalysisSettings
    state: JobState
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    attempts: int = 0
    worker_deaths: int = 0
    stage: str = ""
    fraction: float = 0.0
    remaining_s: float | None = None
    message: str = ""
    error_code: str | None = None
    record_id: str | None = None

    @property
    def active(self) -> bool:
        return self.state in ("queued", "running")


@dataclass(frozen=True, slots=True)
class JobRequest:
    """What to run: which models, in which settings, on which exhibit."""

    exhibit_id: str
    model_ids: tuple[str, ...]
    settings: AnalysisSettings = field(default_factory=AnalysisSettings)
