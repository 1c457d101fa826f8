"""The result of an analysis: what every page, record and report is made from."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from detector.calibration.calibration import Calibration
from detector.evidence.forensics.types import FileForensics
from detector.evidence.types import Evidence
from detector.faces.types import FaceTrack, Place
from detector.settings import AnalysisSettings

SCHEMA_VERSION = "1.6"
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
        """P(fake), 0..1."""
        return sigmoid(self.logit)


@dataclass(frozen=True, slots=True)
class Attention:
    """Pooling weights of a sequence model. `pooling` (T,) sums to 1 over the frames at `pts`; where several windows of
    a track overlap, their weights are averaged. Layers and heads are computed on request (`detector.explain`)."""

    pts: tuple[int, ...]
    pts_s: tuple[float, ...]
    pooling: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Interval:
    """A segment of time that a temporal model singles out: `logit` of P(manipulated) inside it."""

    start_s: float
    end_s: float
    logit: float


Family = Literal["swap", "lipsync", "animation", "whole"]


@dataclass(frozen=True, slots=True)
class FamilyReading:
    """How much a face's manipulation, should there be one, looks like one family: `probability` 0..1; those of a track
    sum to 1."""

    family: Family
    probability: float


@dataclass(frozen=True, slots=True)
class PlaceReading:
    """The mean logit of a track's patches at one place of the face."""

    place: Place
    logit: float


@dataclass(frozen=True, slots=True)
class Contribution:
    """A measured feature of a track: its `value`, in its own unit, and what it adds to the track's `logit`; both are
    means over the track's windows."""

    name: str
    value: float
    logit: float


@dataclass(frozen=True, slots=True)
class TrackScore:
    """A track's logit: of a frame model the quality-weighted mean of its frames' logits, of a sequence model the mean
    over its windows. A sequence model's `frames` are its per-frame logits. `families` are read by an ensemble, `places`
    by a model of patches; `contributions` are the strongest of one that judges by measured features, strongest first.
    """

    track_id: int
    logit: float
    frames: tuple[FrameScore, ...]
    attention: Attention | None = None
    intervals: tuple[Interval, ...] = ()
    families: tuple[FamilyReading, ...] = ()
    places: tuple[PlaceReading, ...] = ()
    contributions: tuple[Contribution, ...] = ()

    @property
    def score(self) -> float:
        """P(fake), 0..1."""
        return sigmoid(self.logit)


Cue = Literal["BG", "CM", "AV", "RR", "LL", "TM"]


@dataclass(frozen=True, slots=True)
class ChannelReadings:
    """Readings of a specialist's named channels on one track: `values` (frames x channels), one row a frame at
    `pts`."""

    track_id: int
    pts: tuple[int, ...]
    values: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class CueResult:
    """One specialist on the whole file. `logit` is that of the worst deciding track, None with a `reason` where the cue
    does not apply or nothing was scored. `channels` name the columns of `readings`."""

    cue: Cue
    logit: float | None
    tracks: tuple[TrackScore, ...] = ()
    reason: str | None = None
    channels: tuple[str, ...] = ()
    readings: tuple[ChannelReadings, ...] = ()

    @property
    def score(self) -> float | None:
        """P(fake), 0..1; None where the cue has no score."""
        return None if self.logit is None else sigmoid(self.logit)


@dataclass(frozen=True, slots=True)
class SyncWindow:
    """Audio against mouth over one segment of speech: `logit` of P(out of sync); `lag_s` > 0 where sound comes late;
    `correlation` in [-1, 1] between lip opening and speech envelope at that lag, without training."""

    start_s: float
    end_s: float
    logit: float | None
    correlation: float | None
    lag_s: float | None


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an ensemble: the model (and the specialist's cue, where it is one), its logit, its share of the
    result. `logit` None with a `reason` where it had none: it is left out, never filled in."""

    model_id: str
    cue: Cue | None
    logit: float | None
    weight: float | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class TrackSpread:
    """Standard deviation `std_logit` of a track's logit over passes with parts of the network switched off."""

    track_id: int
    std_logit: float


@dataclass(frozen=True, slots=True)
class Repeats:
    """Scoring repeated by the settings. `views` of each crop were averaged: 2 with test-time augmentation, the crop and
    its mirror image, else 1; `views_reason` says why 1 where 2 were asked for. `passes` with dropout were asked for,
    `spreads` hold what came of them, a track each; none with a `spread_reason`."""

    views: int
    passes: int
    spreads: tuple[TrackSpread, ...] = ()
    views_reason: str | None = None
    spread_reason: str | None = None


@dataclass(frozen=True, slots=True)
class ModelResult:
    """One model on the whole file. `logit` is that of the worst deciding track; None with a `reason` where nothing was
    scored. `specialists` are the cues of a specialists model; a sequence model that serves as TM and an audio-visual
    model that serves as AV hold that one cue. `members` are an ensemble's, `sync` an audio-visual model's. `repeats` is
    None unless the settings asked for any. `title` is the name that the card gave the model, "" in older records."""

    model_id: str
    weights_sha256: str
    logit: float | None
    tracks: tuple[TrackScore, ...]
    reason: str | None = None
    kind: str = "frame"
    specialists: tuple[CueResult, ...] = ()
    members: tuple[Member, ...] = ()
    sync: tuple[SyncWindow, ...] = ()
    repeats: Repeats | None = None
    title: str = ""

    @property
    def name(self) -> str:
        """What people call the model; its id where the record holds no name."""
        return self.title or self.model_id

    @property
    def score(self) -> float | None:
        """P(fake), 0..1; None where the model has no score."""
        return None if self.logit is None else sigmoid(self.logit)

    @property
    def member_spread(self) -> float | None:
        """Root of the mean squared distance of the members' logits from the ensemble's, weighted by their shares: how
        far they disagree, no interval of anything. None with fewer than two members that count."""
        counted = [(one.logit, one.weight) for one in self.members if one.logit is not None and one.weight]
        if self.logit is None or len(counted) < 2:
            return None
        total = sum(weight for _, weight in counted)
        return math.sqrt(sum(weight * (logit - self.logit) ** 2 for logit, weight in counted) / total)


@dataclass(frozen=True, slots=True)
class Moment:
    """A segment of time within a face track, `start_s` to `end_s` seconds, that `model_id` responds to. `pts` and
    `pts_s` name the frame in it to look at first; `logit` is the model's mean over a run or a segment, and at a peak
    that of its highest frame."""

    track_id: int
    start_s: float
    end_s: float
    pts: int
    pts_s: float
    logit: float
    model_id: str


@dataclass(frozen=True, slots=True)
class Reason:
    """`code` is stable (e.g. "no_face", "small_faces", "few_frames", "models_disagree", "run", "peaks", "stretch");
    `text` is one plain sentence or a few; `moments` are the times it speaks of, in their order, where it is about
    times."""

    code: str
    text: str
    moments: tuple[Moment, ...] = ()


@dataclass(frozen=True, slots=True)
class Conclusion:
    """`score` is the ensemble's, None whenever no face was scored. Where a calibration set backs the score it is
    `calibrated`: `likelihood_ratio` of the two propositions (`detector.calibration.likelihood`), within what the set
    supports, and its 95 % `interval`. `member_spread` is that of the ensemble that decides, in logits
    (`ModelResult.member_spread`), None without one. `called` is the label that the scores call for, before limits of
    the file weaken it; None where nothing was scored and in records from before it was kept."""

    label: Label
    score: float | None
    reasons: tuple[Reason, ...]
    calibrated: bool = False
    likelihood_ratio: float | None = None
    interval: tuple[float, float] | None = None
    member_spread: float | None = None
    called: Label | None = None


@dataclass(frozen=True, slots=True)
class Variant:
    """The same analysis after the small change `name` (`detector.analysis.sensitivity`). `score` and `label` are None,
    with a `reason`, where it came to none. It `flips` where the scores call for another label than without the
    change (`Conclusion.called`); one that a limit alone weakens which the change brought on, a smaller face, is no
    flip."""

    name: str
    score: float | None
    label: Label | None
    flips: bool = False
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What small changes of the file, and of how it is examined, make of the score: `lowest` and `highest` of all,
    the unchanged one included, None where nothing was scored. A range of what was tried, no interval of confidence."""

    lowest: float | None
    highest: float | None
    variants: tuple[Variant, ...]

    @property
    def flips(self) -> tuple[Variant, ...]:
        """Those that flip the label."""
        return tuple(one for one in self.variants if one.flips)


@dataclass(frozen=True, slots=True)
class Tool:
    """The program that made an analysis, and the revision of its code where that is known."""

    name: str
    version: str
    commit: str | None


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """A model as it was used: `card` holds the parts of its card that change numbers or reasons (`card_facts`).
    `runtime` computed its network: "torch", or another with its version; `runtime_reason` says in a sentence why it was
    torch where another was to. Both are as here in records before schema 1.6."""

    model_id: str
    weights_sha256: str
    card: dict[str, Any]
    runtime: str = "torch"
    runtime_reason: str | None = None


@dataclass(frozen=True, slots=True)
class AnalysisIdentity:
    """Everything besides the file that can change a number or a reason. `code_sha256` covers every module of the
    program, `models` the trunks too; `devices` are kinds ("cpu", "cuda"), `libraries` name -> version; `trust_list`
    names the certificate authorities whose content credentials count as valid, None where none was given."""

    schema_version: str
    code_sha256: str
    settings_sha256: str
    devices: tuple[str, ...]
    libraries: dict[str, str]
    models: tuple[ModelIdentity, ...]
    trust_list: str | None = None


@dataclass(frozen=True, slots=True)
class Analysis:
    """`analysis_id` is derived from the file's hash and `identity`, so equal work has equal ids; records before schema
    1.3 have no identity, and an id that covers less. `forensics` is None where the file itself was not examined, as in
    records before schema 1.2. `environment` says what it ran on (see `environment`); it is empty for records made
    before that was kept. `calibration` is the one that its conclusion rests on, None without one; `sensitivity` is None
    unless the settings asked for it. `appearance` is the mean over the deciding faces of `detector.models.appearance`,
    None where no network kept it, and in records made before it was."""

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
    forensics: FileForensics | None = None
    environment: dict[str, str] = field(default_factory=dict)
    identity: AnalysisIdentity | None = None
    calibration: Calibration | None = None
    sensitivity: Sensitivity | None = None
    appearance: tuple[float, ...] | None = None
    schema_version: str = SCHEMA_VERSION
