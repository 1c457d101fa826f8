"""The records of the case store: cases, their exhibits, the analyses made of them, notes, events and jobs.

Times are timezone-aware UTC. Ids are short lower-case strings whose order is the order of creation: a letter for
the kind (c case, x exhibit, r analysis record, n note, j job, k bookmark, p opinion, t truth, s signature) and nine
base-32 digits. What people state about a case (opinions, truths, signatures) is in `statements`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from detector.analysis.types import Label
from detector.evidence.types import Evidence
from detector.settings import AnalysisSettings

JobState = Literal["queued", "paused", "running", "done", "failed", "cancelled"]
Status = Literal["open", "in_review", "closed", "archived"]
Order = Literal["activity", "created", "reference", "title"]
STATUSES: tuple[Status, ...] = ("open", "in_review", "closed", "archived")
CURRENT: tuple[Status, ...] = ("open", "in_review", "closed")


@dataclass(frozen=True, slots=True)
class Case:
    """`reference` is the laboratory's number; where none was given the store allots one (FW-2026-0001). `updated_at` is
    the time of the newest event that changed something. `status_reason` is what was given with the status, always with
    "archived". `favourite_of` names the people who starred it. In a `blind_first` case scores wait
    for an opinion of whoever would be told. `laboratory` examines for `client`, who puts the `question` (the mandate,
    in the client's words); each may be empty."""

    case_id: str
    reference: str
    title: str
    examiner: str
    created_at: datetime
    updated_at: datetime
    status: Status = "open"
    status_reason: str = ""
    tags: tuple[str, ...] = ()
    favourite_of: tuple[str, ...] = ()
    blind_first: bool = False
    laboratory: str = ""
    client: str = ""
    question: str = ""


@dataclass(frozen=True, slots=True)
class CaseSummary:
    """A line of the case list. `labels` holds the newest conclusion of each exhibit that has one, in exhibit order;
    those that wait for the reader's blind opinion are left out and counted in `labels_withheld`. `signed` counts
    signatures."""

    case: Case
    exhibit_count: int
    analysis_count: int
    note_count: int
    file_names: tuple[str, ...]
    labels: tuple[Label, ...]
    labels_withheld: int = 0
    signed: int = 0


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """The cases that a list holds; what is empty or None does not filter. Every tag must be there; any of the `labels`
    must be the newest conclusion of an exhibit; `examiner` is compared without letter case and accents; `created_from`
    is included, `created_before` is not."""

    statuses: tuple[Status, ...] = CURRENT
    tags: tuple[str, ...] = ()
    examiner: str = ""
    labels: tuple[Label, ...] = ()
    favourite_of: str = ""
    created_from: datetime | None = None
    created_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class CasePage:
    """One page of a list of cases; `total` counts the cases of all its pages."""

    summaries: tuple[CaseSummary, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Facets:
    """The values that cases can be filtered by: (value, how many cases), the most frequent first."""

    statuses: tuple[tuple[str, int], ...]
    tags: tuple[tuple[str, int], ...]
    examiners: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Hit:
    """One text in which a search found one of its words at least. `kind` names the record (case, state, mandate,
    exhibit, exhibit_mark, receipt, note, bookmark, opinion, truth, signature; hash where a SHA-256 begins with a word)
    and `place` is its id; `excerpt` is the text around the first word found, unchanged."""

    case: Case
    kind: str
    place: str
    exhibit_id: str | None
    excerpt: str


@dataclass(frozen=True, slots=True)
class Head:
    """The newest event of a log: its hash vouches for every event before it."""

    case_id: str
    sequence: int
    event_hash: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One evidence file in a case. `number` counts from 1 within the case; `reference` is what the laboratory calls it,
    E<number> unless it was given one. `evidence.file.path` is the stored file; `evidence.file.file_name` is the
    submitter's name for it: data, never a path. `received_from` says who handed it in, `received_how` on what way and
    `received_when` when, in words; `added_at` is when the store took it in."""

    exhibit_id: str
    case_id: str
    number: int
    evidence: Evidence
    added_at: datetime
    reference: str = ""
    description: str = ""
    received_from: str = ""
    received_how: str = ""
    received_when: str = ""

    @property
    def file_name(self) -> str:
        """The submitter's name of the file; it may hold any character."""
        return self.evidence.file.file_name

    @property
    def sha256(self) -> str:
        """SHA-256 (hex) of the file."""
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
    """An examiner's remark on a case, or on one exhibit, track or frame (`pts` in the stream's time base) of it.

    An annotation has a box on the frame (`box_xyxy_px`: left, top, right, bottom in pixels of the displayed frame), or
    is of the interval from `pts` to `end_pts`. `previous_id` is the note that it revised. A note that was revised or
    withdrawn has the time and the name of who did that.
    """

    note_id: str
    case_id: str
    exhibit_id: str | None
    track_id: int | None
    pts: int | None
    text: str
    author: str
    created_at: datetime
    end_pts: int | None = None
    box_xyxy_px: tuple[float, float, float, float] | None = None
    previous_id: str | None = None
    withdrawn_at: datetime | None = None
    withdrawn_by: str | None = None

    @property
    def annotation(self) -> bool:
        """Whether it has a box or an interval."""
        return self.box_xyxy_px is not None or self.end_pts is not None


@dataclass(frozen=True, slots=True)
class Bookmark:
    """A frame, a face track or a whole exhibit that someone wants to find again. `text` may be empty."""

    bookmark_id: str
    case_id: str
    exhibit_id: str
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
class Finding:
    """An event that says that evidence or record were changed behind the program's back. `case_id` "" is the store's
    own log; `record_ids` are the analyses that it casts doubt on. It is open until `acknowledged_by` somebody."""

    case_id: str
    sequence: int
    at: datetime
    text: str
    exhibit_id: str | None = None
    record_ids: tuple[str, ...] = ()
    acknowledgement: str = ""
    acknowledged_by: str | None = None

    @property
    def sentence(self) -> str:
        """When it was found, what, and what somebody said to it."""
        said = "" if self.acknowledged_by is None else f" {self.acknowledged_by} on this: {self.acknowledgement}"
        return f"Found {self.at:%Y-%m-%d %H:%M} UTC (event {self.sequence}): {self.text}{said}"

    def acknowledge(self, text: str, by: str) -> Finding:
        """The finding with somebody's words to it."""
        return replace(self, acknowledgement=text, acknowledged_by=by)


@dataclass(frozen=True, slots=True)
class StrayFile:
    """A file of the store that nothing names (see `intake.find_strays`). `modified_at` is in UTC."""

    path: Path
    size_bytes: int
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class Timestamp:
    """A token (RFC 3161) that holds for a log: `authority` saw the hash of event `sequence` at the time `at`, by its
    own clock. `trusted`: its certificate led to a given root at that time, None where no root is given."""

    sequence: int
    at: datetime
    authority: str
    trusted: bool | None

    @property
    def sentence(self) -> str:
        """Which event was stamped, when, by whom, and what was checked of that."""
        checked = "signature valid, the authority's certificate "
        checked += "leads to a trusted root" if self.trusted else "is not checked against a trusted root"
        return f"Event {self.sequence} was time-stamped {self.at.isoformat()} by {self.authority}: {checked}."


@dataclass(frozen=True, slots=True)
class Verification:
    """Outcome of recomputing a case. `problem` names the first failure of the log and what it vouches for, else every
    file that is missing or changed, a sentence each; None when all agrees. `files_checked` counts the files that agree.
    `head` is the log's newest event; the anchor file vouches for events up to `anchored`. `warnings` are no failures.
    `altered` holds (SHA-256 expected, SHA-256 found) of each evidence file that holds something else. `timestamps` are
    those of the log that hold, oldest first."""

    case_id: str
    events_checked: int
    records_checked: int
    files_checked: int
    problem: str | None
    head: Head | None = None
    anchored: int = 0
    warnings: tuple[str, ...] = ()
    altered: tuple[tuple[str, str], ...] = ()
    timestamps: tuple[Timestamp, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return self.problem is None


@dataclass(frozen=True, slots=True)
class StoreVerification:
    """Outcome of recomputing the whole store. `problem` is the first thing wrong outside single cases. `strays` are
    files that no exhibit names, `missing` the SHA-256 of those that one names and that are not there. `timestamps` are
    those of the store's own log that hold, oldest first."""

    cases: tuple[Verification, ...]
    problem: str | None
    strays: tuple[StrayFile, ...] = ()
    missing: tuple[str, ...] = ()
    timestamps: tuple[Timestamp, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing differs in any case, and no case is missing."""
        return self.problem is None and all(case.ok for case in self.cases)


@dataclass(frozen=True, slots=True)
class Job:
    """One requested analysis; a "paused" one waits until somebody has it go on. `attempts` counts its starts,
    `worker_deaths` how often its worker died under it. `fraction` in [0, 1] and `remaining_s` are live while it runs;
    `record_id` is set when it is done."""

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
        """Whether it waits, is paused or runs."""
        return self.state in ("queued", "paused", "running")


@dataclass(frozen=True, slots=True)
class JobRequest:
    """An analysis to run: which models, in which settings, on which exhibit."""

    exhibit_id: str
    model_ids: tuple[str, ...]
    settings: AnalysisSettings = field(default_factory=AnalysisSettings)
