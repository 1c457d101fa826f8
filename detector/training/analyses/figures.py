"""Figures of one cue over labelled clips, each null with a reason where the clips do not allow it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from detector.analysis.cue_meaning import channel_meanings
from detector.analysis.types import Cue, sigmoid
from detector.measurement.metrics import auc_interval, rank_auc, share_interval
from detector.training.analyses.clips import CueOnClip, ExaminedClip
from detector.training.analyses.documents import Accuracy, Contrast, Figure, Miscalled
from detector.training.analyses.measures import MEASURES, TRAITS, Meaning

LEAST: Final = 3  # clips a side: of fewer no figure is made
_PLACES: Final = 4
_NO_CLIP: Final = "The clip was not examined."


@dataclass(frozen=True, slots=True)
class LabelledClip:
    """A clip with its truth. `group` is the unit that is never split: a person, a source."""

    file: str
    fake: bool
    group: str
    content: str
    found: ExaminedClip

    def on(self, cue: Cue) -> CueOnClip:
        """What a cue said of it."""
        return self.found.cues.get(cue, CueOnClip(reason=self.found.problem or _NO_CLIP))

    def score(self, cue: Cue) -> float | None:
        """The cue's score, 0..1, None where it has none."""
        logit = self.on(cue).logit
        return None if logit is None else sigmoid(logit)


def figure(value: float, n: int, interval: tuple[float, float] | None = None) -> Figure:
    """A measured number to four places; large ones to four digits."""
    return Figure(value=_rounded(value), n=n, interval=interval and (_rounded(interval[0]), _rounded(interval[1])))


def missing(n: int, reason: str) -> Figure:
    """A number that was not measured."""
    return Figure(value=None, n=n, reason=reason)


def _rounded(value: float) -> float:
    return round(value, _PLACES) if abs(value) < 10 else float(f"{value:.5g}")


def too_few(n: int, what: str) -> str:
    """Why a figure of so few clips is not made."""
    return f"{n} {what} with a value; at least {LEAST} are needed."


def accuracy(fake: NDArray[np.bool_], logits: NDArray[np.float64], groups: NDArray[np.str_]) -> Accuracy:
    """Accuracies and AUC of finite logits at score 0.5. One class alone has its own accuracy, and no other."""
    right = (logits >= 0) == fake
    sides = {}
    for name, what, mask in (("real", "genuine clips", ~fake), ("fake", "manipulated clips", fake)):
        n = int(mask.sum())
        enough = n >= LEAST
        sides[name] = (
            figure(float(right[mask].mean()), n, share_interval(right[mask], groups[mask]))
            if enough
            else missing(n, too_few(n, what))
        )
    lacking = next((side.reason for side in sides.values() if side.reason is not None), None)
    if lacking is not None:
        none = missing(len(fake), lacking)
        return Accuracy(overall=none, balanced=none, auc=none, **sides)
    both = [side.value for side in sides.values() if side.value is not None]
    return Accuracy(
        overall=figure(float(right.mean()), len(fake), share_interval(right, groups)),
        balanced=figure(sum(both) / 2, len(fake)),
        auc=figure(rank_auc(fake.astype(int), logits), len(fake), auc_interval(fake, logits)),
        **sides,
    )


@dataclass(frozen=True, slots=True)
class CueFigures:
    """All that is measured of one cue."""

    accuracy: Accuracy
    bias_points: Figure
    called_all: Literal["real", "fake"] | None
    mean_confidence: Figure
    consistency: Figure
    unscored: dict[str, int]
    scored: int
    measurements: tuple[Contrast, ...]
    channels: tuple[Contrast, ...]
    miscalled: tuple[Miscalled, ...]


def cue_figures(cue: Cue, clips: Sequence[LabelledClip]) -> CueFigures:
    """The figures of a cue on clips; those without a score are counted by reason and enter no figure of scores."""
    scored = [clip for clip in clips if clip.on(cue).logit is not None]
    fake = np.array([clip.fake for clip in scored], bool)
    logits = np.array([clip.on(cue).logit for clip in scored], float)
    found = accuracy(fake, logits, np.array([clip.group for clip in scored], str))
    real_share, fake_share = found.real.value, found.fake.value
    lacking = found.overall.reason or ""
    bias = (
        missing(len(scored), lacking)
        if real_share is None or fake_share is None
        else figure(100 * (real_share - fake_share), len(scored))
    )
    enough = len(scored) >= LEAST
    called = set((logits >= 0).tolist()) if enough else set()
    scores = [sigmoid(logit) for logit in logits.tolist()]
    one_class: Literal["real", "fake"] | None = None
    if len(called) == 1 and bias.value is not None:
        one_class = "fake" if called == {True} else "real"
    return CueFigures(
        accuracy=found,
        bias_points=bias,
        called_all=one_class,
        mean_confidence=figure(float(np.mean([max(score, 1 - score) for score in scores])), len(scores))
        if enough
        else missing(len(scored), too_few(len(scored), "clips")),
        consistency=_consistency(cue, scored),
        unscored=dict(
            Counter(clip.on(cue).reason or "no reason was given" for clip in clips if clip.on(cue).logit is None)
        ),
        scored=len(scored),
        measurements=contrasts(MEASURES[cue], clips, lambda clip: clip.on(cue).measures),
        channels=contrasts(
            {name: Meaning(text) for name, text in channel_meanings(cue).items()},
            clips,
            lambda clip: clip.on(cue).channels,
        ),
        miscalled=_miscalled(cue, scored),
    )


def _consistency(cue: Cue, scored: Sequence[LabelledClip]) -> Figure:
    shares = []
    for clip in scored:
        said = clip.on(cue)
        if len(said.parts) > 1 and said.logit is not None:
            shares.append(float(np.mean((np.array(said.parts) >= 0) == (said.logit >= 0))))
    what = "clips with several windows of speech" if cue == "AV" else "clips with several scored frames"
    if len(shares) < LEAST:
        return missing(len(shares), too_few(len(shares), what))
    return figure(float(np.mean(shares)), len(shares))


def _miscalled(cue: Cue, scored: Sequence[LabelledClip]) -> tuple[Miscalled, ...]:
    rows = [
        Miscalled(file=clip.file, label="fake" if clip.fake else "real", score=round(score, _PLACES))
        for clip in scored
        if (score := clip.score(cue)) is not None and (score >= 0.5) != clip.fake
    ]
    return tuple(sorted(rows, key=lambda row: -abs(row.score - 0.5)))


def contrasts(
    meanings: Mapping[str, Meaning],
    clips: Sequence[LabelledClip],
    read: Callable[[LabelledClip], Mapping[str, float]],
) -> tuple[Contrast, ...]:
    """Each named measure of genuine beside manipulated clips, in the order of `meanings`."""
    return tuple(_contrast(name, meaning, clips, read) for name, meaning in meanings.items())


def characteristics(clips: Sequence[LabelledClip]) -> tuple[Contrast, ...]:
    """The videos' own characteristics."""
    return contrasts(TRAITS, clips, lambda clip: clip.found.traits)


def _contrast(
    name: str,
    meaning: Meaning,
    clips: Sequence[LabelledClip],
    read: Callable[[LabelledClip], Mapping[str, float]],
) -> Contrast:
    known = [(clip.fake, value) for clip in clips if (value := read(clip).get(name)) is not None]
    fake = np.array([truth for truth, _ in known], bool)
    values = np.array([value for _, value in known], float)
    means = []
    for what, mask in (("genuine clips", ~fake), ("manipulated clips", fake)):
        n = int(mask.sum())
        enough = n >= LEAST
        mean = _mean_of(values[mask], meaning) if enough else math.nan
        means.append(figure(mean, n) if enough else missing(n, too_few(n, what)))
    lacking = next((one.reason for one in means if one.reason is not None), None)
    if meaning.unit == "degrees":
        auc = missing(len(known), "Angles go round and have no order.")
    elif lacking is not None:
        auc = missing(len(known), lacking)
    else:
        auc = figure(rank_auc(fake.astype(int), values), len(known))
    return Contrast(name=name, meaning=meaning.text, unit=meaning.unit, real_mean=means[0], fake_mean=means[1], auc=auc)


def _mean_of(values: NDArray[np.float64], meaning: Meaning) -> float:
    if meaning.unit == "degrees":
        return math.degrees(float(np.angle(np.exp(1j * np.radians(values)).mean())))
    return float(values.mean())
