"""Priorities and recommendations, which follow from figures by written rules alone.

A priority is HIGH where accuracy is below 60 %, the bias exceeds 30 points either way, or every clip was called one
class; MEDIUM where accuracy is 60 % or more but below 70 %; LOW otherwise. Recommendations are the rules of
`assets/analyses/rules.yaml`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, model_validator

from detector.analysis.types import Cue
from detector.training.analyses.documents import (
    PARTS,
    Contrast,
    Judgement,
    Part,
    Priority,
    Recommendation,
    Recommendations,
)

if TYPE_CHECKING:
    from detector.training.analyses.figures import CueFigures

RULES: Final = Path(__file__).resolve().parents[3] / "assets" / "analyses" / "rules.yaml"
HIGH_BELOW, MEDIUM_BELOW, BIAS_POINTS = 0.6, 0.7, 30.0
ORDER: Final[tuple[Priority, ...]] = ("HIGH", "MEDIUM", "LOW")

Facts = dict[str, float | str]


class _Rule(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Condition(_Rule):
    """A fact lies above or below a level; exactly one of the two is given."""

    fact: str
    above: float | None = None
    below: float | None = None

    @model_validator(mode="after")
    def _one_side(self) -> Condition:
        if (self.above is None) == (self.below is None):
            raise ValueError("expected either above or below")
        return self

    def holds(self, facts: Facts) -> bool:
        """Whether the fact is known and lies there."""
        value = facts.get(self.fact)
        if not isinstance(value, float | int):
            return False
        return value > self.above if self.above is not None else value < (self.below or 0.0)


class Rule(_Rule):
    """A recommendation and what has to be measured for it."""

    rule: str
    part: Part
    text: str
    because: str
    when: tuple[Condition, ...]
    cues: tuple[Cue, ...] = ("BG", "CM", "AV", "RR", "LL", "TM")


@cache
def shipped_rules() -> tuple[Rule, ...]:
    """The rules of `assets/analyses/rules.yaml`, in their order."""
    return TypeAdapter(tuple[Rule, ...]).validate_python(yaml.safe_load(RULES.read_text(encoding="utf-8")))


def judge(figures: CueFigures) -> Judgement:
    """The priority with each of the rules that apply, HIGH first."""
    accuracy, bias = figures.accuracy.overall.value, figures.bias_points.value
    if accuracy is None or bias is None:
        return Judgement(level=None, reasons=(figures.accuracy.overall.reason or "Accuracy was not measured.",))
    high = []
    if accuracy < HIGH_BELOW:
        high.append(f"accuracy {accuracy:.1%} is below {HIGH_BELOW:.0%}")
    if abs(bias) > BIAS_POINTS:
        high.append(f"bias {bias:+.1f} points exceeds {BIAS_POINTS:.0f}")
    if figures.called_all is not None:
        high.append(f"every clip was called {'genuine' if figures.called_all == 'real' else 'manipulated'}")
    if high:
        return Judgement(level="HIGH", reasons=tuple(high))
    if accuracy < MEDIUM_BELOW:
        return Judgement(level="MEDIUM", reasons=(f"accuracy {accuracy:.1%} is below {MEDIUM_BELOW:.0%}",))
    return Judgement(level="LOW", reasons=(f"accuracy {accuracy:.1%}, bias {bias:+.1f} points",))


def recommend(
    cue: Cue, figures: CueFigures, traits: Sequence[Contrast], rules: Sequence[Rule] | None = None
) -> Recommendations:
    """What the rules say of a cue, part by part, in the rules' order."""
    facts = facts_of(figures, traits)
    found: dict[Part, list[Recommendation]] = {part: [] for part in PARTS}
    for rule in shipped_rules() if rules is None else rules:
        if cue in rule.cues and all(condition.holds(facts) for condition in rule.when):
            text, because = (words.format_map(facts) for words in (rule.text, rule.because))
            found[rule.part].append(Recommendation(rule=rule.rule, part=rule.part, cue=cue, text=text, because=because))
    return Recommendations(**{part: tuple(rows) for part, rows in found.items()})


def facts_of(figures: CueFigures, traits: Sequence[Contrast]) -> Facts:
    """What is known of a cue by the names that rules use; what was not measured is absent."""
    accuracy = figures.accuracy
    known: dict[str, float | None] = {
        "accuracy": accuracy.overall.value,
        "real_accuracy": accuracy.real.value,
        "fake_accuracy": accuracy.fake.value,
        "balanced_accuracy": accuracy.balanced.value,
        "auc": accuracy.auc.value,
        "bias_points": figures.bias_points.value,
        "mean_confidence": figures.mean_confidence.value,
        "consistency": figures.consistency.value,
        "overconfidence": _difference(figures.mean_confidence.value, accuracy.overall.value),
        "scored_real": accuracy.real.n,
        "scored_fake": accuracy.fake.n,
        "unscored_share": _share(sum(figures.unscored.values()), figures.scored),
    }
    if accuracy.auc.interval is not None:
        known["auc_width"] = accuracy.auc.interval[1] - accuracy.auc.interval[0]
    if accuracy.real.n and accuracy.fake.n:
        sizes = sorted((accuracy.real.n, accuracy.fake.n))
        known["class_ratio"] = sizes[1] / sizes[0]
    if accuracy.overall.value is not None:
        known |= {f"called_all_{name}": float(figures.called_all == name) for name in ("real", "fake")}
    facts: Facts = {name: value for name, value in known.items() if value is not None}
    for row in figures.measurements:
        facts |= _of_contrast(row)
    for kind, rows in (("measure", figures.measurements), ("trait", traits)):
        ranked = [(value, row) for row in rows if (value := separation(row)) is not None]
        if ranked:
            value, row = max(ranked, key=lambda pair: pair[0])
            facts |= {f"{kind}_separation": value, f"strongest_{kind}": row.name.replace("_", " ")}
    if (lead := _difference(facts.get("measure_separation"), accuracy.auc.value)) is not None:
        facts["measure_lead"] = lead
    return facts


def separation(row: Contrast) -> float | None:
    """How well a measure alone separates the labels, whichever way round, 0.5..1; None where that was not measured."""
    return None if row.auc.value is None else max(row.auc.value, 1 - row.auc.value)


def _of_contrast(row: Contrast) -> Mapping[str, float]:
    values = {
        f"real_{row.name}": row.real_mean.value,
        f"fake_{row.name}": row.fake_mean.value,
        f"separation_{row.name}": separation(row),
    }
    return {name: value for name, value in values.items() if value is not None}


def _difference(one: float | str | None, other: float | None) -> float | None:
    return one - other if isinstance(one, float | int) and other is not None else None


def _share(part: int, rest: int) -> float | None:
    return part / (part + rest) if part + rest else None
