"""Results -> the record: cases, exhibits, saved analyses, notes and the chained event log, in one DuckDB file."""

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
    "AnalysisRecord",
    "Artefact",
    "Case",
    "CaseSummary",
    "Event",
    "Exhibit",
    "Job",
    "JobRequest",
    "JobState",
    "Note",
    "Verification",
]
