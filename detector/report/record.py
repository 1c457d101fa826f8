"""What a case report is made from: everything it prints, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from detector.analysis.types import Analysis, Tool
from detector.cases.types import AnalysisRecord, Case, Event, Exhibit, Note
from detector.faces.types import Box

if TYPE_CHECKING:
    from detector.registry.card import ModelCard


@dataclass(frozen=True, slots=True)
class StrongFrame:
    """One of the highest-scoring faces of an analysis. `number` counts from 1 within it.

    `score` in [0, 1] is the mean over the models (sigmoid of the mean logit); the heatmap is that of `model_id`, the
    model that scored this face highest. Pictures are JPEG bytes, or None where `missing` says why. `heat_scale` is
    the raw magnitude at the hot end of the colour scale, common to the video.
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
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AnalysisEntry:
    """One saved analysis with its strongest frames."""

    saved: AnalysisRecord
    analysis: Analysis
    strong_frames: tuple[StrongFrame, ...] = ()


@dataclass(frozen=True, slots=True)
class UnreadableAnalysis:
    """An analysis that is on record but whose files are missing or were changed; `problem` is one sentence."""

    saved: AnalysisRecord
    problem: str


@dataclass(frozen=True, slots=True)
class ExhibitEntry:
    """One exhibit with its analyses, oldest first. `original_problem` is None where the stored original is there."""

    exhibit: Exhibit
    analyses: tuple[AnalysisEntry, ...] = ()
    original_problem: str | None = None
    unreadable: tuple[UnreadableAnalysis, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model that scored something in this case. `card` is None, with `problem`, unless the card at hand describes
    exactly the weights that were used."""

    model_id: str
    weights_sha256: str
    card: ModelCard | None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class LogExcerpt:
    """The end of the case's event log. `events` are its newest `len(events)` of `event_count`, oldest first;
    `head_hash` is the hash of the newest event and covers all before it. `check` says what recomputing the case
    found, None where that was not asked for; `check_passed` is its outcome."""

    events: tuple[Event, ...]
    event_count: int
    head_hash: str | None
    check: str | None = None
    check_passed: bool | None = None


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """A whole case as of `recorded_at`, the time of its latest event. Equal records give equal reports."""

    case: Case
    recorded_at: datetime
    tool: Tool
    exhibits: tuple[ExhibitEntry, ...]
    models: tuple[ModelEntry, ...] = ()
    notes: tuple[Note, ...] = ()
    log: LogExcerpt = field(default_factory=lambda: LogExcerpt((), 0, None))

    @property
    def analysis_count(self) -> int:
        return sum(len(entry.analyses) + len(entry.unreadable) for entry in self.exhibits)
