"""Priorities at their limits, and recommendations that appear with the numbers they rest on and only with them."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from detector.training.analyses.figures import characteristics, cue_figures
from detector.training.analyses.measures import MEASURES
from detector.training.analyses.rules import Condition, facts_of, judge, recommend, shipped_rules
from tests.training.analyses.clips import labelled, lot


def shares(real_right: int, fake_right: int, of: int = 20):
    """Figures of a cue that calls so many of each label rightly."""
    real = [0.2] * real_right + [0.8] * (of - real_right)
    fake = [0.8] * fake_right + [0.2] * (of - fake_right)
    return cue_figures("RR", lot("RR", real, fake))


@pytest.mark.parametrize(
    ("real", "fake", "level", "reason"),
    [
        (11, 12, "HIGH", "accuracy 57.5% is below 60%"),
        (12, 12, "MEDIUM", "accuracy 60.0% is below 70%"),
        (13, 14, "MEDIUM", "accuracy 67.5% is below 70%"),
        (14, 14, "LOW", "accuracy 70.0%, bias +0.0 points"),
        (20, 14, "LOW", "accuracy 85.0%, bias +30.0 points"),
        (20, 13, "HIGH", "bias +35.0 points exceeds 30"),
        (13, 20, "HIGH", "bias -35.0 points exceeds 30"),
        (20, 0, "HIGH", "every clip was called genuine"),
    ],
)
def test_priorities_follow_from_accuracy_bias_and_one_class(real: int, fake: int, level: str, reason: str) -> None:
    judged = judge(shares(real, fake))
    assert judged.level == level
    assert reason in judged.reasons


def test_one_class_alone_is_a_reason_though_accuracy_and_bias_are_not_measurable_without_the_other() -> None:
    judged = judge(cue_figures("RR", lot("RR", [0.1] * 9, [0.1])))
    assert judged.level is None
    assert "1 manipulated clips" in judged.reasons[0]


def test_each_rule_names_facts_that_there_are() -> None:
    figures = {"accuracy", "real_accuracy", "fake_accuracy", "balanced_accuracy", "auc", "bias_points"}
    figures |= {"mean_confidence", "consistency", "overconfidence", "scored_real", "scored_fake", "unscored_share"}
    figures |= {"auc_width", "class_ratio", "called_all_real", "called_all_fake", "measure_separation", "measure_lead"}
    figures |= {"trait_separation"}
    for rule in shipped_rules():
        for cue in rule.cues:
            own = {f"{kind}_{name}" for name in MEASURES[cue] for kind in ("real", "fake", "separation")}
            named = {condition.fact for condition in rule.when}
            printed = set(re.findall(r"\{(\w+)", rule.text + rule.because)) - {"strongest_measure", "strongest_trait"}
            assert named | printed <= figures | own, (rule.rule, cue)
    names = [rule.rule for rule in shipped_rules()]
    assert len(names) == len(set(names))
    assert {rule.part for rule in shipped_rules()} == {
        "training_focus", "data_requirements", "architecture", "augmentation"
    }  # fmt: skip


def test_recommendations_come_with_the_numbers_they_rest_on() -> None:
    advice = {row.rule: row for row in recommend("RR", shares(20, 4), ()).all()}
    assert advice["misses_manipulated"].because == "100% of genuine and 20% of manipulated clips are called rightly"
    assert advice["few_genuine"].because == "20 genuine clips were scored"
    assert "alarms_on_genuine" not in advice
    assert "light_augmentation" not in advice  # another cue's
    turned = {row.rule for row in recommend("RR", shares(4, 20), ()).all()}
    assert "alarms_on_genuine" in turned
    assert "misses_manipulated" not in turned


def test_a_good_model_on_many_even_clips_is_told_nothing() -> None:
    rows = [labelled(n, n % 2 == 0, {"RR": 0.97 if n % 2 == 0 else 0.03}, parts=()) for n in range(120)]
    assert not recommend("RR", cue_figures("RR", rows), characteristics(rows)).all()


def test_what_tells_the_labels_apart_without_a_model_is_named() -> None:
    rows = [labelled(n, n % 2 == 0, {"RR": 0.5 + 0.001 * n}, traits={"blur": float(n % 2)}) for n in range(40)]
    found = recommend("RR", cue_figures("RR", rows), characteristics(rows))
    assert next(row for row in found.data_requirements if row.rule == "characteristics_differ").because == (
        "blur alone separates the labels with 1.00"
    )
    assert facts_of(cue_figures("RR", rows), characteristics(rows))["trait_separation"] == 1


def test_a_rule_with_no_side_or_both_is_refused() -> None:
    for sides in ({}, {"above": 1.0, "below": 2.0}):
        with pytest.raises(ValidationError, match="either above or below"):
            Condition(fact="auc", **sides)
    assert not Condition(fact="auc", above=0.0).holds({})
