"""Results -> the record: cases, exhibits, saved analyses, notes, statements and the chained event log, in one DuckDB
file that an anchor file beside it watches."""

from detector.cases.backup import restore
from detector.cases.drift_log import DriftReport, ModelDrift, drift_of
from detector.cases.exhibit_list import ExhibitFilter, ExhibitLine, ExhibitPage
from detector.cases.export_forms import Export, ExportRequest, ExportState, MadeExport
from detector.cases.home import ANCHOR_VARIABLE
from detector.cases.notes import NotePlace
from detector.cases.scored_files import ScoredFiles, Window
from detector.cases.similarity import Match, SeenBefore
from detector.cases.statements import (
    ROLES,
    TRUTHS,
    VERDICTS,
    GroundTruth,
    LabelledAnalysis,
    Opinion,
    Signature,
    SignOff,
)
from detector.cases.store import CaseStore
from detector.cases.types import (
    CURRENT,
    STATUSES,
    AnalysisRecord,
    Artefact,
    Bookmark,
    Case,
    CaseFilter,
    CasePage,
    CaseSummary,
    Event,
    Exhibit,
    Facets,
    Finding,
    Head,
    Hit,
    Job,
    JobRequest,
    JobState,
    Note,
    StoreVerification,
    StrayFile,
    Timestamp,
    Verification,
)
from detector.cases.uncertain_files import UncertainFile, UncertainFiles, most_uncertain
from detector.settings import HOME_VARIABLE, default_home

__all__ = [
    "ANCHOR_VARIABLE",
    "CURRENT",
    "HOME_VARIABLE",
    "ROLES",
    "STATUSES",
    "TRUTHS",
    "VERDICTS",
    "AnalysisRecord",
    "Artefact",
    "Bookmark",
    "Case",
    "CaseFilter",
    "CasePage",
    "CaseStore",
    "CaseSummary",
    "DriftReport",
    "Event",
    "Exhibit",
    "ExhibitFilter",
    "ExhibitLine",
    "ExhibitPage",
    "Export",
    "ExportRequest",
    "ExportState",
    "Facets",
    "Finding",
    "GroundTruth",
    "Head",
    "Hit",
    "Job",
    "JobRequest",
    "JobState",
    "LabelledAnalysis",
    "MadeExport",
    "Match",
    "ModelDrift",
    "Note",
    "NotePlace",
    "Opinion",
    "ScoredFiles",
    "SeenBefore",
    "SignOff",
    "Signature",
    "StoreVerification",
    "StrayFile",
    "Timestamp",
    "UncertainFile",
    "UncertainFiles",
    "Verification",
    "Window",
    "default_home",
    "drift_of",
    "most_uncertain",
    "restore",
]
