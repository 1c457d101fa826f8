"""The vote's weights, where cues agree, and a roadmap whose every step comes from a finding."""

from __future__ import annotations

import math

import pytest

from detector.analysis.types import Cue
from detector.training.analyses.documents import ModelAnalysis
from detector.training.analyses.figures import LabelledClip, characteristics
from detector.training.analyses.run import CUES, analysis_of
from detector.training.analyses.summary import comprehensive, overall, roadmap, vote_weights
from tests.training.analyses.clips import DATA, labelled

PHASES = ["critical", "model_specific", "data", "architecture", "production"]


def test_weights_are_log_odds_of_balanced_accuracy_and_none_at_chance() -> None:
    weights = vote_weights({"BG": 0.75, "CM": 0.9, "RR": 0.5, "LL": 0.2, "AV": None})
    odds = math.log(3), math.log(9)
    assert weights == {"BG": pytest.approx(odds[0] / sum(odds)), "CM": pytest.approx(odds[1] / sum(odds))}
    assert vote_weights({"BG": 0.5, "CM": None}) == {}


def clips(right: dict[Cue, float], count: int = 40) -> list[LabelledClip]:
    """Each cue calls that share of each label rightly, the first ones."""
    rows = []
    for number in range(count):
        fake, place = number % 2 == 1, (number // 2) / (count / 2)
        scores = {cue: 0.9 if (place < share) == fake else 0.1 for cue, share in right.items()}
        rows.append(labelled(number, fake, scores, traits={"blur": float(number % 7)}))
    return rows


def analysed(rows: list[LabelledClip]) -> list[ModelAnalysis]:
    return [analysis_of(cue, "model", "0" * 64, rows, DATA) for cue in CUES]


def test_cues_side_by_side() -> None:
    rows = clips({"BG": 1.0, "CM": 0.5, "RR": 0.5, "LL": 0.0, "TM": 0.75})
    whole = comprehensive(analysed(rows), rows, characteristics(rows), DATA)
    weights = {one.cue: one.ensemble_weight for one in whole.models}
    assert sum(weight.value or 0 for weight in weights.values()) == pytest.approx(1, abs=1e-3)
    assert weights["LL"].value == weights["CM"].value == 0
    assert weights["AV"].value is None
    assert weights["AV"].reason
    agreed = {(row.cue, row.other): row.share for row in whole.agreement}
    assert agreed["CM", "RR"].value == 1
    assert agreed["BG", "LL"].value == 0
    assert agreed["AV", "RR"].value is None
    assert whole.weighted_vote.overall.value == 1
    assert not whole.missed_by_all
    missed = clips({"BG": 0.5, "CM": 0.9})
    assert comprehensive(analysed(missed), missed, (), DATA).missed_by_all == ("36.mp4", "37.mp4", "38.mp4", "39.mp4")


def test_the_summary_names_best_worst_and_what_presses() -> None:
    rows = clips({"BG": 1.0, "CM": 0.65, "RR": 0.7, "LL": 0.1, "TM": 0.75})
    analyses, traits = analysed(rows), characteristics(rows)
    found = overall(analyses, comprehensive(analyses, rows, traits, DATA), traits, DATA)
    assert (found.best, found.worst) == ("BG", "LL")
    assert found.priorities == {"BG": "LOW", "CM": "MEDIUM", "AV": None, "RR": "LOW", "LL": "HIGH", "TM": "LOW"}
    assert found.mean_accuracy.n == 5
    assert {row.cue for row in found.recommendations} == {"LL"}


def test_the_roadmap_is_filled_from_findings_alone() -> None:
    rows = clips({"BG": 1.0, "CM": 0.65, "RR": 0.7, "LL": 0.1, "TM": 0.75})
    analyses, traits = analysed(rows), characteristics(rows)
    whole = comprehensive(analyses, rows, traits, DATA)
    phases = {phase.name: phase for phase in roadmap(analyses, whole, traits, DATA).phases}
    assert list(phases) == PHASES
    assert [(step.cue, step.finding) for step in phases["critical"].steps] == [
        ("AV", "not judged"), ("LL", "priority HIGH")
    ]  # fmt: skip
    assert any(
        step.cue == "CM" and step.finding == "recompression augmentation" for step in phases["model_specific"].steps
    )
    ready = [step.cue for step in phases["production"].steps if step.finding == "priority LOW"]
    assert ready == ["BG", "RR", "TM"]


def test_a_phase_without_findings_says_so() -> None:
    rows = clips(dict.fromkeys(CUES, 1.0), count=200)
    analyses = analysed(rows)
    whole = comprehensive(analyses, rows, (), DATA)
    phases = {phase.name: phase for phase in roadmap(analyses, whole, (), DATA).phases}
    assert not phases["critical"].steps
    assert phases["critical"].reason == "No model has priority HIGH."
