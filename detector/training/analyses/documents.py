"""What the analyses write: nine JSON files, each of one of these types; `assets/schemas` holds their JSON Schemas.

A number that was not measured is null and has a reason beside it; nothing is filled in. Accuracies, confidences and
shares are 0..1, biases percentage points, intervals 95 %.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from detector.analysis.types import Cue

Priority = Literal["HIGH", "MEDIUM", "LOW"]
Part = Literal["training_focus", "data_requirements", "architecture", "augmentation"]
PhaseName = Literal["critical", "model_specific", "data", "architecture", "production"]
PARTS: Final[tuple[Part, ...]] = ("training_focus", "data_requirements", "architecture", "augmentation")


class _Written(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Figure(_Written):
    """A measured number, or the reason why there is none."""

    value: float | None
    n: int = Field(ge=0)
    """Clips, or frames where it says so, behind it."""
    interval: tuple[float, float] | None = None
    """95 % interval, resampled or counted by group."""
    reason: str | None = None
    """Why it was not measured; null where it was."""


class Accuracy(_Written):
    """Shares of clips called rightly at score 0.5; `balanced` is the mean of real and fake."""

    overall: Figure
    real: Figure
    fake: Figure
    balanced: Figure
    auc: Figure


class Contrast(_Written):
    """A measure of genuine beside manipulated clips. `auc` is how well it alone ranks manipulated above genuine."""

    name: str
    meaning: str
    unit: str
    real_mean: Figure
    fake_mean: Figure
    auc: Figure


class Recommendation(_Written):
    """What follows from numbers by a rule of `assets/analyses/rules.yaml`."""

    rule: str
    part: Part
    cue: Cue
    text: str
    because: str
    """The numbers that the rule rests on."""


class Recommendations(_Written):
    """By what they are about; empty where no rule applies."""

    training_focus: tuple[Recommendation, ...] = ()
    data_requirements: tuple[Recommendation, ...] = ()
    architecture: tuple[Recommendation, ...] = ()
    augmentation: tuple[Recommendation, ...] = ()

    def all(self) -> tuple[Recommendation, ...]:
        """Every one of them, part by part."""
        return self.training_focus + self.data_requirements + self.architecture + self.augmentation


class Judgement(_Written):
    """HIGH, MEDIUM or LOW with the rules that say so; null where accuracy could not be measured."""

    level: Priority | None
    reasons: tuple[str, ...]


class Miscalled(_Written):
    """A clip on the wrong side of score 0.5."""

    file: str
    label: Literal["real", "fake"]
    score: float


class ClipCounts(_Written):
    """Clips of the data folder: `examined` those measured here, `left_out` those that a model was fitted to."""

    real: int
    fake: int
    examined: int
    left_out: int
    problems: dict[str, str]
    """Why a clip could not be examined, by file."""


class DataFacts(_Written):
    """The labelled clips, and the SHA-256 of their list (content and label)."""

    folder: str
    use: str
    clips: ClipCounts
    list_sha256: str


class ModelAnalysis(_Written):
    """`{bg,cm,av,rr,ll,tm}_model_detailed_analysis.json`."""

    cue: Cue
    title: str
    model_id: str
    weights_sha256: str
    data: DataFacts
    scored: int
    unscored: dict[str, int]
    """Clips without a score of this cue, by reason."""
    accuracy: Accuracy
    bias_points: Figure
    """Accuracy on genuine minus accuracy on manipulated clips, percentage points: positive calls too many genuine."""
    called_all: Literal["real", "fake"] | None
    """The one class that every clip was called, null where both occur."""
    mean_confidence: Figure
    """Mean of the larger of score and 1 - score."""
    consistency: Figure
    """Mean share of a clip's frames (AV: windows of speech) that are called as the clip is."""
    priority: Judgement
    measurements: tuple[Contrast, ...]
    channels: tuple[Contrast, ...]
    """The specialist's own named channels; none for AV and TM."""
    video_characteristics: tuple[Contrast, ...]
    miscalled: tuple[Miscalled, ...]
    recommendations: Recommendations


class ModelSummary(_Written):
    """One row of the comparison."""

    cue: Cue
    model_id: str
    priority: Judgement
    accuracy: Accuracy
    bias_points: Figure
    mean_confidence: Figure
    consistency: Figure
    ensemble_weight: Figure
    """Share of a vote by measured performance; the six sum to 1."""


class Agreement(_Written):
    """How often two cues call the same clip alike."""

    cue: Cue
    other: Cue
    share: Figure


class ComprehensiveAnalysis(_Written):
    """`comprehensive_model_analysis.json`."""

    data: DataFacts
    models: tuple[ModelSummary, ...]
    weighted_vote: Accuracy
    """Of the weighted vote, each clip's weights set without the clips of its group."""
    agreement: tuple[Agreement, ...]
    missed_by_all: tuple[str, ...]
    """Clips that no cue with a score calls rightly."""
    video_characteristics: tuple[Contrast, ...]


class OverallSummary(_Written):
    """`overall_analysis_summary.json`."""

    data: DataFacts
    priorities: dict[Cue, Priority | None]
    best: Cue | None
    worst: Cue | None
    """By AUC, among those with one."""
    mean_accuracy: Figure
    """Over the cues with an accuracy; `n` counts them."""
    findings: tuple[str, ...]
    recommendations: tuple[Recommendation, ...]
    """Those of the models of the highest priority there is."""


class Step(_Written):
    """One thing to do. `cue` null where it concerns all."""

    cue: Cue | None
    finding: str
    measured: str
    action: str


class Phase(_Written):
    """One of five; without steps, `reason` says why there is nothing to do."""

    name: PhaseName
    title: str
    steps: tuple[Step, ...]
    reason: str | None = None


class Roadmap(_Written):
    """`training_roadmap.json`."""

    data: DataFacts
    phases: tuple[Phase, ...] = Field(min_length=5, max_length=5)


FILE_OF: Final[dict[Cue, str]] = {
    cue: f"{cue.lower()}_model_detailed_analysis.json" for cue in ("BG", "CM", "AV", "RR", "LL", "TM")
}
DOCUMENTS: Final[dict[str, type[BaseModel]]] = {
    **dict.fromkeys(FILE_OF.values(), ModelAnalysis),
    "comprehensive_model_analysis.json": ComprehensiveAnalysis,
    "overall_analysis_summary.json": OverallSummary,
    "training_roadmap.json": Roadmap,
}
SCHEMAS: Final[dict[str, type[BaseModel]]] = {
    "model_detailed_analysis": ModelAnalysis,
    "comprehensive_model_analysis": ComprehensiveAnalysis,
    "overall_analysis_summary": OverallSummary,
    "training_roadmap": Roadmap,
}
"""The schema of each kind of file, by its name in `assets/schemas` without `.schema.json`."""
