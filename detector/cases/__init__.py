"""Results -> the record: cases, exhibits, saved analyses, notes and the chained event log, in one DuckDB file."""

from detector.cases.home import HOME_VARIABLE, default_home
from detector.cases.store import CaseStore
from detector.cases.types import (
    AnalysisRecord,
    Artefact,
    Case,
    CaseSummary,
    Event,
    Exhibit,
    Job,
    JobRequest,
    JobState,
    Note,
    Verification,
)

__all__ = [
    "HOME_VARIABLE",
    "AnalysisRecord",
    "Artefact",
    "Case",
    "CaseStore",
    "CaseSummary",
    "Event",
    "Exhibit",
    "Job",
    "JobRequest",
    "JobState",
    "Note",
    "Verification",
    "default_home",
]
