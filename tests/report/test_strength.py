"""What the report says of the calibration behind a score."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detector.calibration.calibration import Policy
from detector.measurement.results import Measurement, Results
from detector.measurement.wording import main_rows
from detector.report.language import LANGUAGES, unmarked, words_of
from detector.report.record import ExhibitEntry
from detector.report.strength_payload import strength_data
from tests.report.conftest import make_card, make_entry, make_exhibit, make_record
from tests.report.test_lead import CALIBRATION, concluded


def test_the_figure_that_stands_for_a_model_is_the_same_here_as_on_the_pages() -> None:
    analysis = concluded("likely_manipulated", 0.8, 3.0)
    record = make_record((ExhibitEntry(make_exhibit(analysis.evidence), (make_entry(analysis, pictures=False),)),))
    rows = tuple(
        Measurement((pool, "all"), auc, n_real=89, n_fake=22)
        for pool, auc in (("videos", 0.9), ("calibration_videos", 0.7))
    )
    (model,) = record.models
    model = replace(model, card=replace(make_card(), results=Results(rows)))
    (measured,) = strength_data(analysis, replace(record, models=(model,)), {"frame-b0": "M1"}, words_of("en")).models
    (row,) = main_rows(Results(rows)).values()
    assert f"the AUC of M1 is {row.value:.3f}" in unmarked(measured.sentences[0])


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_limits_of_a_laboratory_are_printed_with_the_thresholds_that_follow_and_only_then(language: str) -> None:
    words = words_of(language)
    analysis = concluded("likely_manipulated", 0.8, 3.0)
    with_policy = CALIBRATION.model_copy(update={"policy": Policy(false_alarms=0.025, misses=0.2)})
    facts = dict(strength_data(replace(analysis, calibration=with_policy), make_record(()), {}, words).facts)
    said = unmarked(facts[words("strength.policy")])
    for value in ("2.5", "20", "0.700"):
        assert value in said
    assert words("strength.policy") not in dict(strength_data(analysis, make_record(()), {}, words).facts)
