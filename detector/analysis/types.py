"""The result of an analysis: what every page, record and report is made from."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from detector.evidence.types import Evidence
from detector.faces.types import FaceTrack
from detector.settings import AnalysisSettings

SCHEMA_VERSION = "1.0"
Label = Literal["likely_manipulated", "no_manipulation_found", "inconclusive", "not_examined"]


def sigmoid(logit: float) -> float:
    """P(manipulated) as the model says it, 0..1, from a logit; stable for large magnitudes."""
    if logit >= 0:
        return 1.0 / (1.0 + math.exp(-logit))
    return math.exp(logit) / (1.0 + math.exp(logit))


@dataclass(frozen=True, slots=True)
class FrameScore:
    """One model's output on one face. `weight` is the face's quality weight in [0, 1]."""

    frame_index: int
    pts: int
    pts_s: float
    logit: float
    weight: float

    @property
    def score(self) -> float:
        return sigmoid(self.logit)


@dataclass(frozen=True, slots=True)
class TrackScore:
    """Quality-weighted mean of the frames' logits."""

    track_id: int
    logit: float
    frames: tuple[FrameScore, ...]

    @property
    def score(self) -> float:
        return sigmoid(self.logit)


@dataclass(frozen=True, slots=True)
class ModelResult:
    """One model on the whole file. `logit` is that of the worst deciding track; None with a `reason` where nothing was
    scored."""

    model_id: str
    weights_sha256: str
    logit: float | None
    tracks: tuple[TrackScore, ...]
    reason: str | None = None

    @property
    def score(self) -> float | None:
        return None if self.logit is None else sigmoid(self.logit)


@dataclass(frozen=True, slots=True)
class Reason:
    """`code` is stable (e.g. "no_face", "small_faces", "few_frames", "models_disagree", "uncalibrated"); `text` is
    one plain sentence."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Conclusion:
    """`score` is the ensemble's, None whenever no face was scored. `likelihood_ratio` and `interval` only where a
    calibration set backs them."""

    label: Label
    score: float | None
    reasons: tuple[Reason, ...]
    calibrated: bool = False
    likelihood_ratio: float | None = None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    name: str
    version: str
    commit: str | None


@dataclass(frozen=True, slots=True)
class Analysis:
    """`analysis_id` is derived from file hash, settings, weights and tool version, so equal work has equal ids."""

    analysis_id: str
    tool: Tool
    settings: AnalysisSettings
    evidence: Evidence
    tracks: tuple[FaceTrack, ...]
    models: tuple[ModelResult, ...]
    conclusion: Conclusion
    frames_examined: int
    shot_starts_s: tuple[float, ...] = ()
    timings: dict[str, float] = field(default_factory=dict)
    schema_version: str = SCHEMA_VERSION
