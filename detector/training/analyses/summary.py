"""All cues together: weights of a vote by measured performance, where they agree, and the roadmap in five phases."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Final

import numpy as np

from detector.analysis.types import Cue
from detector.training.analyses.documents import (
    Accuracy,
    Agreement,
    ComprehensiveAnalysis,
    Contrast,
    DataFacts,
    Figure,
    ModelAnalysis,
    ModelSummary,
    OverallSummary,
    Phase,
    PhaseName,
    Recommendation,
    Roadmap,
    Step,
)
from detector.training.analyses.figures import LEAST, LabelledClip, accuracy, figure, missing, too_few
from detector.training.analyses.rules import ORDER, separation

TITLES: Final[dict[PhaseName, str]] = {
    "critical": "Critical faults first",
    "model_specific": "Each model by itself",
    "data": "Data",
    "architecture": "Architecture",
    "production": "Into use",
}
_NOTHING: Final[dict[PhaseName, str]] = {
    "critical": "No model has priority HIGH.",
    "model_specific": "No rule on training or augmentation applies.",
    "data": "No rule on data applies, and no characteristic of the videos tells the labels apart.",
    "architecture": "No rule on architecture applies.",
    "production": "No model has an accuracy, so nothing can be said about its use.",
}
_TELLS_LABELS: Final = 0.75  # separation from which a characteristic of the videos is named
_CAPPED: Final = 0.99  # balanced accuracy that a vote's weight counts at most: a few clips cannot show more


def vote_weights(balanced: Mapping[Cue, float | None]) -> dict[Cue, float]:
    """Weights of a vote that sum to 1, each in proportion to the log odds of the balanced accuracy, which is best for
    voters that err independently (Kuncheva, Combining Pattern Classifiers, 2004); none for one at chance or worse.
    Empty where no cue is better than chance."""
    odds = {cue: _log_odds(value) for cue, value in balanced.items() if value is not None and value > 0.5}
    total = sum(odds.values())
    return {cue: value / total for cue, value in odds.items()} if total > 0 else {}


def _log_odds(value: float) -> float:
    return math.log(min(value, _CAPPED) / (1 - min(value, _CAPPED)))


def comprehensive(
    analyses: Sequence[ModelAnalysis], clips: Sequence[LabelledClip], traits: Sequence[Contrast], data: DataFacts
) -> ComprehensiveAnalysis:
    """The cues side by side."""
    weights = vote_weights({one.cue: one.accuracy.balanced.value for one in analyses})
    cues = [one.cue for one in analyses]
    missed = [clip.file for clip in clips if (calls := _calls(clip, cues)) and not any(calls.values())]
    return ComprehensiveAnalysis(
        data=data,
        models=tuple(_summary(one, weights) for one in analyses),
        weighted_vote=_weighted_vote(cues, clips),
        agreement=tuple(_agreement(one, other, clips) for one, other in combinations(cues, 2)),
        missed_by_all=tuple(missed),
        video_characteristics=tuple(traits),
    )


def _summary(one: ModelAnalysis, weights: Mapping[Cue, float]) -> ModelSummary:
    balanced = one.accuracy.balanced
    if balanced.value is None:
        weight = missing(balanced.n, balanced.reason or "Not measured.")
    elif not weights:
        weight = missing(balanced.n, "No cue is better than chance on these clips, so no vote can be weighted.")
    else:
        weight = figure(weights.get(one.cue, 0.0), balanced.n)
    return ModelSummary(
        cue=one.cue,
        model_id=one.model_id,
        priority=one.priority,
        accuracy=one.accuracy,
        bias_points=one.bias_points,
        mean_confidence=one.mean_confidence,
        consistency=one.consistency,
        ensemble_weight=weight,
    )


def _calls(clip: LabelledClip, cues: Sequence[Cue]) -> dict[Cue, bool]:
    """Whether each cue with a score calls the clip rightly."""
    scores = {cue: clip.score(cue) for cue in cues}
    return {cue: (score >= 0.5) == clip.fake for cue, score in scores.items() if score is not None}


def _agreement(one: Cue, other: Cue, clips: Sequence[LabelledClip]) -> Agreement:
    both = [calls for clip in clips if len(calls := _calls(clip, (one, other))) == 2]
    if len(both) < LEAST:
        share: Figure = missing(len(both), too_few(len(both), "clips scored by both"))
    else:
        share = figure(float(np.mean([calls[one] == calls[other] for calls in both])), len(both))
    return Agreement(cue=one, other=other, share=share)


def _weighted_vote(cues: Sequence[Cue], clips: Sequence[LabelledClip]) -> Accuracy:
    """The vote on each clip with weights from the clips of other groups; cues without a score have no voice."""
    groups = np.array([clip.group for clip in clips], str)
    fake = np.array([clip.fake for clip in clips], bool)
    calls = [_calls(clip, cues) for clip in clips]
    votes = np.full(len(clips), np.nan)
    for group in np.unique(groups):
        others = np.flatnonzero(groups != group)
        known = {cue: [(bool(fake[place]), calls[place].get(cue)) for place in others] for cue in cues}
        weights = vote_weights({cue: _balanced(rows) for cue, rows in known.items()})
        for place in np.flatnonzero(groups == group):
            votes[place] = _vote(clips[place], weights)
    voted = np.isfinite(votes)
    return accuracy(fake[voted], votes[voted], groups[voted])


def _balanced(rows: Sequence[tuple[bool, bool | None]]) -> float | None:
    """From whether each clip is manipulated, and whether it was called rightly."""
    sides = [[right for fake, right in rows if right is not None and fake == label] for label in (False, True)]
    return None if min(map(len, sides)) < LEAST else sum(sum(side) / len(side) for side in sides) / 2


def _vote(clip: LabelledClip, weights: Mapping[Cue, float]) -> float:
    voices = [(weight, score) for cue, weight in weights.items() if (score := clip.score(cue)) is not None]
    total = sum(weight for weight, _ in voices)
    return sum(weight * (1 if score >= 0.5 else -1) for weight, score in voices) / total if total > 0 else math.nan


def overall(
    analyses: Sequence[ModelAnalysis], whole: ComprehensiveAnalysis, traits: Sequence[Contrast], data: DataFacts
) -> OverallSummary:
    """The few sentences and numbers to read first."""
    ranked = sorted(
        (one for one in analyses if one.accuracy.auc.value is not None), key=lambda one: one.accuracy.auc.value or 0.0
    )
    shares = [one.accuracy.overall.value for one in analyses if one.accuracy.overall.value is not None]
    levels = [one.priority.level for one in analyses]
    urgent = next((level for level in ORDER if level in levels), None)
    return OverallSummary(
        data=data,
        priorities={one.cue: one.priority.level for one in analyses},
        best=ranked[-1].cue if ranked else None,
        worst=ranked[0].cue if ranked else None,
        mean_accuracy=figure(float(np.mean(shares)), len(shares))
        if shares
        else missing(0, "No cue has an accuracy: see the reasons of each."),
        findings=tuple(_findings(analyses, whole, traits)),
        recommendations=tuple(
            row for one in analyses if one.priority.level == urgent for row in one.recommendations.all()
        ),
    )


def _findings(analyses: Sequence[ModelAnalysis], whole: ComprehensiveAnalysis, traits: Sequence[Contrast]) -> list[str]:
    found = [
        f"{one.cue} ({one.model_id}), {one.priority.level or 'not judged'}: {'; '.join(one.priority.reasons)}"
        for one in analyses
    ]
    if (vote := whole.weighted_vote.overall).value is not None:
        found.append(f"The weighted vote calls {vote.value:.1%} of {vote.n} clips rightly.")
    found += [f"{finding}: {measured}" for finding, measured in _telling(traits)]
    if whole.missed_by_all:
        found.append(f"{len(whole.missed_by_all)} clips are called wrongly by every cue that has a score of them.")
    return found


def _telling(traits: Sequence[Contrast]) -> list[tuple[str, str]]:
    known = [(value, row) for row in traits if (value := separation(row)) is not None and value >= _TELLS_LABELS]
    return [
        (
            f"{row.name.replace('_', ' ').capitalize()} tells the labels apart without any model",
            f"separation {value:.2f}, means {row.real_mean.value:g} and {row.fake_mean.value:g} {row.unit}".strip(),
        )
        for value, row in sorted(known, key=lambda pair: -pair[0])
    ]


def roadmap(
    analyses: Sequence[ModelAnalysis], whole: ComprehensiveAnalysis, traits: Sequence[Contrast], data: DataFacts
) -> Roadmap:
    """Five phases, each filled from what was found."""
    rows = [row for one in analyses for row in one.recommendations.all()]
    steps: dict[PhaseName, list[Step]] = {
        "critical": _critical(analyses),
        "model_specific": [_step(row) for row in rows if row.part in ("training_focus", "augmentation")],
        "data": _data_steps(rows, traits, data),
        "architecture": [_step(row) for row in rows if row.part == "architecture"],
        "production": _production(whole),
    }
    return Roadmap(
        data=data,
        phases=tuple(
            Phase(name=name, title=title, steps=tuple(steps[name]), reason=None if steps[name] else _NOTHING[name])
            for name, title in TITLES.items()
        ),
    )


def _critical(analyses: Sequence[ModelAnalysis]) -> list[Step]:
    return [
        Step(
            cue=one.cue,
            finding="priority HIGH" if one.priority.level == "HIGH" else "not judged",
            measured="; ".join(one.priority.reasons),
            action=next(
                (row.text for row in one.recommendations.training_focus + one.recommendations.data_requirements),
                "Look at the miscalled clips: no rule names a cause.",
            ),
        )
        for one in analyses
        if one.priority.level in ("HIGH", None)
    ]


def _data_steps(rows: Sequence[Recommendation], traits: Sequence[Contrast], data: DataFacts) -> list[Step]:
    found = [
        Step(cue=None, finding=finding, measured=measured, action="Match it between the labels, or destroy it in both.")
        for finding, measured in _telling(traits)
    ]
    if problems := len(data.clips.problems):
        found.append(
            Step(
                cue=None,
                finding="clips that could not be examined",
                measured=f"{problems} of {data.clips.examined}",
                action="Replace or mend these files; data.clips.problems has the reason of each.",
            )
        )
    return found + [
        _step(row) for row in rows if row.part == "data_requirements" and row.rule != "characteristics_differ"
    ]


def _step(row: Recommendation) -> Step:
    return Step(cue=row.cue, finding=row.rule.replace("_", " "), measured=row.because, action=row.text)


def _production(whole: ComprehensiveAnalysis) -> list[Step]:
    steps = []
    weighted = [one for one in whole.models if one.ensemble_weight.value]
    if weighted:
        shares = ", ".join(f"{one.cue} {one.ensemble_weight.value:.2f}" for one in weighted)
        vote = whole.weighted_vote.overall
        told = f"{vote.value:.1%} of {vote.n} clips rightly" if vote.value is not None else vote.reason
        steps.append(
            Step(
                cue=None,
                finding="weights of a vote by measured performance",
                measured=f"{shares}; cross-validated {told}",
                action="Fit an ensemble with these as its start, and keep it only where it beats the best cue alone.",
            )
        )
    for one in whole.models:
        if one.priority.level == "LOW":
            steps.append(
                Step(
                    cue=one.cue,
                    finding="priority LOW",
                    measured="; ".join(one.priority.reasons),
                    action="Ready for thresholds by the laboratory's policy, then for use.",
                )
            )
        elif one.ensemble_weight.value == 0:
            steps.append(
                Step(
                    cue=one.cue,
                    finding="no better than chance",
                    measured=f"balanced accuracy {one.accuracy.balanced.value:.1%}",
                    action="Show it beside the others, and give it no voice until it is trained again.",
                )
            )
    return steps
