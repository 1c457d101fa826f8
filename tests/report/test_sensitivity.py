"""The report says what small changes and repeated scoring made of a score, and what that is not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detector.analysis.types import Analysis, Repeats, Sensitivity, TrackSpread, Variant
from detector.report.analysis_payload import conclusion_data
from detector.report.html import case_html
from detector.report.language import unmarked, words_of
from detector.report.record import CaseRecord, ExhibitEntry
from detector.report.sensitivity_payload import repeats_text, sensitivity_data
from detector.report.typeset import typeset
from tests.report.conftest import make_analysis, make_entry, make_evidence, make_exhibit, make_record
from tests.report.test_html import Page
from tests.report.test_typeset import squeezed, text_of

FOUND = Sensitivity(
    0.214,
    0.783,
    (
        Variant("re_encoded", 0.214, "inconclusive", flips=True),
        Variant("wider_crop", 0.783, "likely_manipulated"),
        Variant("offset_frames", None, None, reason="A still has no other frame."),
    ),
)


@pytest.fixture(scope="module")
def analysis() -> Analysis:
    made = make_analysis(make_evidence())
    (model,) = made.models
    track = next(one.track_id for one in model.tracks if one.logit == model.logit)
    repeats = Repeats(2, 32, (TrackSpread(track, 0.4567),))
    conclusion = replace(made.conclusion, member_spread=1.234)
    return replace(made, sensitivity=FOUND, conclusion=conclusion, models=(replace(model, repeats=repeats),))


def record_of(analysis: Analysis) -> CaseRecord:
    return make_record((ExhibitEntry(make_exhibit(analysis.evidence), (make_entry(analysis),)),))


def test_small_changes_are_a_table_with_their_range_in_pdf_and_html(analysis: Analysis) -> None:
    record = record_of(analysis)
    for text in (Page(case_html(record)).text, text_of(typeset(record))):
        for part in (
            "Coded anew (H.264, CRF 28; a still: JPEG, quality 60)", "flips the conclusion", "flips nothing",
            "A still has no other frame.", "standard deviation of 0.46", "scatter by 1.23",
            "Scores range from 0.214 to 0.783", "no interval of confidence",
        ):  # fmt: skip
            assert squeezed(part) in squeezed(text)
        assert squeezed("no test of how the score moves") not in squeezed(text)


@pytest.mark.parametrize(
    ("language", "part"), [("en", "standard deviation of"), ("es", "desviación típica de"), ("ar", "انحراف معياري")]
)
def test_the_spreads_of_a_model_and_of_its_members_are_told_in_every_language(
    analysis: Analysis, language: str, part: str
) -> None:
    words = words_of(language)
    text = unmarked(repeats_text(analysis.models[0], words))
    assert part in text
    assert "0.46" in text
    assert "1.23" in unmarked(conclusion_data(analysis, words).extra[-1])


def test_a_model_that_could_not_be_repeated_says_why_and_one_that_was_not_asked_nothing(analysis: Analysis) -> None:
    words, model = words_of("en"), analysis.models[0]
    without = replace(model, repeats=Repeats(1, 32, (), "It scores no single face crops.", "It has no dropout."))
    assert unmarked(repeats_text(without, words)) == (
        "Mirror images are not scored. It scores no single face crops. No spread over passes with parts of the network "
        "off. It has no dropout."
    )
    assert repeats_text(replace(model, repeats=None), words) == ""
    assert sensitivity_data(replace(analysis, sensitivity=None), words).rows == []
