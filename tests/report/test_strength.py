"""What the report says of the calibration behind a score."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detector.calibration.calibration import Policy
from detector.report.language import LANGUAGES, unmarked, words_of
from detector.report.strength_payload import strength_data
from tests.report.conftest import make_record
from tests.report.test_lead import CALIBRATION, concluded


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
