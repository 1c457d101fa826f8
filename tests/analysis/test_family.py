"""A family is told only where model and conclusion call for it, and never without the errors that were measured."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detector.analysis.family import family_statement, worst_track
from detector.analysis.types import Conclusion, FamilyReading, ModelResult, TrackScore
from detector.measurement.results import Results, Table
from detector.registry import ModelCard
from tests.report.conftest import make_card

ERRORS = Table(("held_out", "families_read"), ("swap", "lipsync"), (("swap", (8, 2)), ("lipsync", (3, 6))))
CARD = replace(make_card(), results=Results.joined([ERRORS]))
FAMILIES = (FamilyReading("lipsync", 0.3), FamilyReading("swap", 0.7))
RESULT = ModelResult(
    CARD.model_id,
    CARD.weights_sha256,
    2.0,
    (TrackScore(1, 0.1, (), families=(FamilyReading("lipsync", 1.0),)), TrackScore(2, 2.0, (), families=FAMILIES)),
    kind="ensemble",
)
MANIPULATED = Conclusion("likely_manipulated", 0.9, ())


def test_the_likeliest_family_of_the_worst_track_comes_with_its_errors() -> None:
    said = family_statement(RESULT, MANIPULATED, CARD)
    assert said is not None
    assert [(one.family, one.probability) for one in said.readings] == [("swap", 0.7), ("lipsync", 0.3)]
    assert (said.right, said.read, said.errors) == (8, 11, ERRORS)
    assert worst_track(RESULT) == RESULT.tracks[1]


@pytest.mark.parametrize("label", ["no_manipulation_found", "not_examined"])
def test_nothing_is_told_against_the_conclusion(label: str) -> None:
    assert family_statement(RESULT, replace(MANIPULATED, label=label), CARD) is None  # type: ignore[arg-type]
    assert family_statement(RESULT, replace(MANIPULATED, label="inconclusive"), CARD) is not None


def test_nothing_is_told_below_the_models_own_line() -> None:
    low = replace(RESULT, logit=0.1)
    assert CARD.thresholds.likely_manipulated_logit > 0.1
    assert family_statement(low, MANIPULATED, CARD) is None


@pytest.mark.parametrize(
    "card", [None, replace(CARD, results=Results()), replace(CARD, weights_sha256="0" * 64)], ids=str
)
def test_nothing_is_told_without_measured_errors_of_these_weights(card: ModelCard | None) -> None:
    assert family_statement(RESULT, MANIPULATED, card) is None


def test_nothing_is_told_of_a_family_none_of_whose_own_clips_could_be_read() -> None:
    rows = (("swap", (0, 0, 8)), ("lipsync", (3, 6, 0)))
    unread = Table(("cross_validated", "families_read"), ("swap", "lipsync", "not_read"), rows)
    assert family_statement(RESULT, MANIPULATED, replace(CARD, results=Results.joined([unread]))) is None
    wrong = replace(unread, rows=(("swap", (0, 8, 0)), ("lipsync", (3, 6, 5))))
    said = family_statement(RESULT, MANIPULATED, replace(CARD, results=Results.joined([wrong])))
    assert said is not None
    assert (said.right, said.read) == (0, 3)


def test_nothing_is_told_of_a_model_that_reads_no_family_or_scored_nothing() -> None:
    without = replace(RESULT, tracks=(TrackScore(2, 2.0, ()),))
    assert family_statement(without, MANIPULATED, CARD) is None
    assert family_statement(replace(RESULT, logit=None, tracks=()), MANIPULATED, CARD) is None
