"""What a validation is held to and what it writes; `assets/schemas` holds the JSON Schemas.

The words are those of ISO/IEC 17025:2017: a laboratory verifies that it can perform a method before it uses it, and
keeps the record (7.2.1.5); what it measures on material of its own is part of validating the method for its use
(7.2.2). The criteria of acceptance are written down beforehand, in `assets/validation/criteria.json`.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from detector.errors import SettingsError

Verdict = Literal["pass", "fail", "not_checked"]
Result = Literal["pass", "fail", "incomplete"]
"""`fail`: a criterion was missed. `incomplete`: none was missed, but something that had to be checked was not."""
PartName = Literal["reproducibility", "installation", "synthesised_suite", "supplied_suite"]
PARTS: Final[tuple[PartName, ...]] = ("reproducibility", "installation", "synthesised_suite", "supplied_suite")
Measure = Literal[
    "repeated_analysis", "sample_scores", "signed_files", "models_as_shipped", "locked_versions", "clips_scored", "auc",
    "detection_rate", "false_alarm_rate", "miss_rate",
]  # fmt: skip
Reason = Literal["too_few", "no_interval", "nothing_measured", "no_figure", "not_found"]
_COUNTS: Final = ("repeated_analysis", "signed_files", "models_as_shipped", "locked_versions", "clips_scored")
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]
ASSETS: Final = Path(__file__).resolve().parents[2] / "assets"
CRITERIA: Final = ASSETS / "validation" / "criteria.json"


class _Written(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Figure(_Written):
    """A measured number: a share or an AUC 0..1, a count, or a distance of logits."""

    value: FiniteFloat | None = None
    """Null where there was nothing to measure it on."""
    interval: tuple[FiniteFloat, FiniteFloat] | None = None
    """95 % interval, resampled or counted by group."""
    n_real: Count | None = None
    n_fake: Count | None = None
    of: Count | None = None
    """How many values or things a count or a distance is taken over."""


def figure_text(measure: str, figure: Figure) -> str:
    """A figure in digits: "0.850 [0.710, 0.950] · 40+32", "12 / 12", "0.0002 / 30"."""
    if figure.value is None:
        return "–"
    if measure in _COUNTS:
        value = f"{figure.value:.0f}"
    else:
        value = f"{figure.value:.2g}" if measure == "sample_scores" else f"{figure.value:.3f}"
    if figure.interval is not None:
        value += f" [{figure.interval[0]:.3f}, {figure.interval[1]:.3f}]"
    if figure.of is not None:
        value += f" / {figure.of}"
    sizes = "+".join(f"{n}" for n in (figure.n_real, figure.n_fake) if n is not None)
    return f"{value} · {sizes}" if sizes else value


class Criterion(_Written):
    """One criterion of acceptance with what was found."""

    part: PartName
    measure: Measure
    subject: str
    """Model, model/cue, file or list that it is about."""
    source: str = ""
    """Where the expected figure comes from: data of a model's card, a calibration set; empty for the criteria."""
    expected: Figure
    found: Figure
    verdict: Verdict
    reason: Reason | None = None
    """Why it was not checked; null where it was."""
    detail: tuple[str, ...] = ()
    """Names of what differs."""


class PartVerdict(_Written):
    """The verdict on one part, by its criteria."""

    part: PartName
    verdict: Verdict
    passed: Count
    failed: Count
    not_checked: Count


class InvertedRow(_Written):
    """A part of the supplied suite on which manipulated files are ranked below genuine ones, beyond chance."""

    model: str
    dimension: str
    name: str
    auc: Figure


class SourceSpec(_Written):
    """A genuine clip of the synthesised suite, drawn from `seed`, and the manipulations that are made of it."""

    seed: int
    size_px: Annotated[int, Field(ge=64, le=720)]
    crf: Annotated[int, Field(ge=0, le=51)]
    twins: tuple[str, ...]
    """Names of `detector.synthesis.catalogue.KINDS`."""


class SuiteSpec(_Written):
    """The synthesised suite: equal specifications give equal pixels."""

    seconds: Annotated[float, Field(gt=0, le=60)]
    strength: Annotated[float, Field(gt=0, le=1)]
    sources: tuple[SourceSpec, ...]
    kinds_of: dict[str, tuple[str, ...]]
    """By model or model/cue the manipulations that it is measured on; others are measured on all."""


class ExpectedFigure(_Written):
    """What was measured on the synthesised suite when the program was shipped."""

    subject: str
    measure: Measure
    figure: Figure


class Expected(_Written):
    """What was measured with the program and models as shipped."""

    measured_on: str
    """Program, date and environment of the measurement."""
    repeated: str
    """The sample that is analysed twice."""
    sample_logits: dict[str, dict[str, FiniteFloat]]
    """By sample file, by model or model/cue."""
    figures: tuple[ExpectedFigure, ...]
    clips: Count
    clips_scored: dict[str, Count]
    """How many clips of the suite each model scored."""
    files: dict[str, Sha256]
    """SHA-256 of each clip of the suite; another encoder or processor may make other bytes."""


class Criteria(_Written):
    """The criteria of acceptance, one version of them."""

    form: Literal["framewitness.validation-criteria/1"] = "framewitness.validation-criteria/1"
    version: Annotated[int, Field(ge=1)]
    rules: dict[Measure, str]
    """What is accepted, in words."""
    least_per_label: Annotated[int, Field(ge=3)]
    """Fewer scored files of either label than this are too few to check a figure of a supplied suite."""
    tolerance_logit: Annotated[float, Field(ge=0)]
    suite: SuiteSpec
    expected: Expected

    @classmethod
    def read(cls, path: Path = CRITERIA) -> Criteria:
        """Raises SettingsError for a file that is none."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise SettingsError(
                f"{path.name} holds no criteria of acceptance ({type(error).__name__}). Restore it."
            ) from error


class ModelFact(_Written):
    """A model that was run: `standing` to the shipped ones as `registry.standing` says it."""

    model_id: str
    weights_sha256: Sha256
    standing: str
    calibration_sha256: Sha256 | None = None
    calibration_set: str | None = None


class FileFact(_Written):
    """A file of a suite; `problem` says why nothing of it was examined, or that its content counts once."""

    file: str
    label: Literal["real", "fake"]
    sha256: Sha256 | None
    problem: str | None = None


class SuiteFacts(_Written):
    """A suite that was run."""

    part: PartName
    location: str
    """The folder or table that was named; empty for the synthesised suite."""
    n_real: Count
    n_fake: Count
    list_sha256: Sha256
    """Of the list of files: content and label."""
    identical_to_shipped: Count | None = None
    """Of the synthesised suite: how many clips have the very bytes of those made when the program was shipped."""
    files: tuple[FileFact, ...]


class ValidationRecord(_Written):
    """`validation.json`: the verification of the method on this installation."""

    form: Literal["framewitness.validation/1"] = "framewitness.validation/1"
    result: Result
    examiner: str
    begun_at: datetime
    finished_at: datetime
    """UTC."""
    program: str
    commit: str | None
    code_sha256: Sha256
    environment: dict[str, str]
    settings_sha256: Sha256
    criteria_version: int
    criteria_sha256: Sha256
    parts: tuple[PartVerdict, ...]
    criteria: tuple[Criterion, ...]
    inverted: tuple[InvertedRow, ...]
    models: tuple[ModelFact, ...]
    suites: tuple[SuiteFacts, ...]
    scores_sha256: Sha256
    """Of `scores.parquet`."""

    def as_json(self) -> bytes:
        """UTF-8 JSON that `read` reads; equal records give equal bytes."""
        return self.model_dump_json(indent=1).encode() + b"\n"

    @classmethod
    def read(cls, content: bytes) -> ValidationRecord:
        """Raises SettingsError where it is no such JSON."""
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            raise SettingsError(f"This is no record of a validation: {error}") from error


SCHEMAS: Final[dict[str, type[BaseModel]]] = {"validation": ValidationRecord, "validation_criteria": Criteria}
