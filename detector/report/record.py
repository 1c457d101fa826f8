"""The record a case report is made from: everything it prints, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from detector.analysis.types import Analysis, Tool
from detector.cases.statements import GroundTruth, Opinion, Signature, SignOff
from detector.cases.types import AnalysisRecord, Case, Event, Exhibit, Finding, Note, Verification
from detector.faces.types import Box

if TYPE_CHECKING:
    from detector.explain import HeatTest
    from detector.registry.card import ModelCard
    from detector.registry.shipped import Standing


@dataclass(frozen=True, slots=True)
class StrongFrame:
    """One of the highest-scoring faces of an analysis. `number` counts from 1 within it.

    `score` in [0, 1] is the mean over the models (sigmoid of the mean logit); the heatmap is that of `model_id`, the
    model that scored this face highest. Pictures are JPEG bytes, or None where `missing` says why. `heat_scale` is
    the raw magnitude at the hot end of the colour scale, common to the video; `heat_test` what
    taking the hottest places away did.
    """

    number: int
    track_id: int
    frame_index: int
    pts: int
    pts_s: float
    bbox_xyxy_px: Box
    score: float
    model_id: str
    weight: float
    flags: tuple[str, ...] = ()
    frame_jpeg: bytes | None = None
    crop_jpeg: bytes | None = None
    overlay_jpeg: bytes | None = None
    heat_scale: float | None = None
    heat_layer: str | None = None
    heat_test: HeatTest | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AnalysisEntry:
    """One saved analysis with its strongest frames. `stored_json` holds the very bytes that the store keeps and whose
    SHA-256 is on record, None where the entry was not read from a store."""

    saved: AnalysisRecord
    analysis: Analysis
    strong_frames: tuple[StrongFrame, ...] = ()
    stored_json: bytes | None = None


@dataclass(frozen=True, slots=True)
class UnreadableAnalysis:
    """An analysis that is on record but whose files are missing or were changed; `problem` is one sentence."""

    saved: AnalysisRecord
    problem: str


@dataclass(frozen=True, slots=True)
class ExhibitEntry:
    """One exhibit with its analyses, oldest first. `original_problem` is None where the stored original is there.
    `withheld` says that scores exist but wait for a blind opinion of whom the record is read for: then there are no
    analyses here. `findings` tell when the stored file was found to be another, and which analyses that casts doubt on.
    `neutral_jpeg` is a frame that says nothing of scores, drawn where there is no other picture; `marked` holds the
    frames with the boxes that people drew, by the id of the note."""

    exhibit: Exhibit
    analyses: tuple[AnalysisEntry, ...] = ()
    original_problem: str | None = None
    unreadable: tuple[UnreadableAnalysis, ...] = ()
    withheld: bool = False
    received_by: str = ""
    findings: tuple[Finding, ...] = ()
    neutral_jpeg: bytes | None = None
    marked: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that scored something in this case. `card` is None, with `problem`, unless the card at hand describes
    exactly the weights that were used; `standing` is that of the card at hand, None without one."""

    model_id: str
    weights_sha256: str
    card: ModelCard | None
    problem: str | None = None
    standing: Standing | None = None


@dataclass(frozen=True, slots=True)
class LogExcerpt:
    """The case's event log, oldest first: `events` are the newest `len(events)` of `event_count`, as a rule all;
    `head_hash` is the hash of the newest event and covers all before it. `outcome` is what recomputing the case found,
    None where that was not done; `check` is the same in one sentence and `check_passed` in one word."""

    events: tuple[Event, ...]
    event_count: int
    head_hash: str | None
    check: str | None = None
    check_passed: bool | None = None
    outcome: Verification | None = None


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """A case as of `recorded_at`, the time of its latest event. Equal records give equal reports. `left_out` are the
    exhibits that the report was not asked to cover: nothing that was found in them, or said of them, is here."""

    case: Case
    recorded_at: datetime
    tool: Tool
    exhibits: tuple[ExhibitEntry, ...]
    models: tuple[ModelEntry, ...] = ()
    notes: tuple[Note, ...] = ()
    log: LogExcerpt = field(default_factory=lambda: LogExcerpt((), 0, None))
    opinions: tuple[Opinion, ...] = ()
    truths: tuple[GroundTruth, ...] = ()
    signatures: tuple[Signature, ...] = ()
    sign_off: SignOff | None = None
    left_out: tuple[ExhibitEntry, ...] = ()
    withheld_elsewhere: bool = False

    @property
    def scores_withheld(self) -> bool:
        """Scores of at least one exhibit of the case, or of one that was filed in another case and of whose analyses
        the log tells (`withheld_elsewhere`), wait for a blind opinion."""
        return self.withheld_elsewhere or any(entry.withheld for entry in (*self.exhibits, *self.left_out))

    @property
    def analysis_count(self) -> int:
        """The number of analyses, those that cannot be read included."""
        return sum(len(entry.analyses) + len(entry.unreadable) for entry in self.exhibits)
