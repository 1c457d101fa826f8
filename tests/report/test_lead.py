"""The sentence that a conclusion leads with: strength and error rate where they are known, and else why not."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from detector.analysis.types import Analysis, Conclusion, Label, Reason
from detector.calibration.calibration import Calibration, ErrorRow
from detector.calibration.likelihood import SUPPORT_CODES
from detector.report.html import case_html
from detector.report.language import LANGUAGES, unmarked, words_of
from detector.report.lead import lead_sentence, lead_text
from detector.report.record import ExhibitEntry
from tests.report.conftest import make_analysis, make_entry, make_evidence, make_exhibit, make_record
from tests.report.test_html import Page

# The faces are 100 px across, the codec is h264.
ERRORS = (
    ErrorRow(condition="all", value="all", n_real=160, n_fake=196, false_alarms=7, misses=27,
             false_alarm_interval=(0.01, 0.1), miss_interval=(0.09, 0.2)),
    ErrorRow(condition="face_px", value="80 to 160 px", n_real=50, n_fake=40, false_alarms=3, misses=4,
             false_alarm_interval=(0.02, 0.17), miss_interval=(0.03, 0.24)),
    ErrorRow(condition="face_px", value="below 80 px", n_real=90, n_fake=90, false_alarms=45, misses=45,
             false_alarm_interval=(0.4, 0.6), miss_interval=(0.4, 0.6)),
    ErrorRow(condition="codec", value="h264", n_real=9, n_fake=120, false_alarms=4, misses=24,
             false_alarm_interval=(0.2, 0.8), miss_interval=(0.13, 0.28)),
)  # fmt: skip
CALIBRATION = Calibration(
    model_id="frame-b0", made_by="d", set_name="a set", set_sha256="ab" * 32, n_real=160, n_fake=196, sources=5,
    generators=6, method="temperature", parameters=(1.0,), tried=(), cllr=0.6, cllr_min=0.55, ece=0.03,
    lowest=-1.2, highest=math.log(12.0), thresholds=(-0.5, 0.7), errors=ERRORS,
)  # fmt: skip


def concluded(label: Label, score: float, ratio: float, *codes: str) -> Analysis:
    """An analysis that a calibration backs."""
    reasons = tuple(Reason(code, "Told at length.") for code in (*codes, "deciding_track", "strength", "error_rates"))
    conclusion = Conclusion(label, score, reasons, True, ratio, (ratio / 2, ratio * 2))
    return replace(make_analysis(make_evidence(), faces_per_track=8), conclusion=conclusion, calibration=CALIBRATION)


def said(analysis: Analysis, language: str = "en") -> str:
    return unmarked(lead_sentence(analysis, words_of(language)))


def test_a_call_is_told_with_its_strength_and_how_often_genuine_clips_like_it_are_called_so() -> None:
    # Most of the genuine clips of 9 are too few to stand for others, and no face is below 80 px.
    assert said(concluded("likely_manipulated", 0.8, 3.84)) == (
        "Likely manipulated — a score like this is 3.8 times as much to be expected of a manipulated as of a genuine "
        "face (weak support); of 50 genuine clips like this one, 6 % (2–17 %) are called so."
    )
    assert "at least 12 times" in said(concluded("likely_manipulated", 0.99, 12.0))


def test_where_nothing_is_found_the_misses_count() -> None:
    assert said(concluded("no_manipulation_found", 0.2, 1 / 2.5)) == (
        "No manipulation found — a score like this is 2.5 times as much to be expected of a genuine as of a "
        "manipulated face (weak support); in 20 % (13–28 %) of 120 manipulated clips like this one, nothing is found."
    )


def test_without_clips_like_it_the_whole_set_stands_for_it() -> None:
    few = CALIBRATION.model_copy(update={"errors": ERRORS[:1]})
    analysis = replace(concluded("likely_manipulated", 0.8, 3.0), calibration=few)
    assert "of the 160 genuine clips of the set, 4 % (1–10 %) are called so" in said(analysis)


def test_a_call_by_a_run_is_not_given_the_errors_of_calls_by_score() -> None:
    by_run = said(concluded("likely_manipulated", 0.45, 0.8, "run"))
    assert by_run == (
        "Likely manipulated — for a segment of time, not for the score of the whole; a score like this is 1.2 times as "
        "much to be expected of a genuine as of a manipulated face (no support either way)."
    )
    assert "are called so" in said(concluded("likely_manipulated", 0.8, 3.0, "run"))


@pytest.mark.parametrize(
    ("analysis", "sentence"),
    [
        (
            concluded("inconclusive", 0.6, 1.1, "between_thresholds"),
            "Inconclusive — between the thresholds; a score like this is 1.1 times as much to be expected of a "
            "manipulated as of a genuine face (no support either way).",
        ),
        (
            concluded("inconclusive", 0.8, 3.84, "sensitivity"),
            "Inconclusive — a small change flips what the scores say; a score like this is 3.8 times as much to be "
            "expected of a manipulated as of a genuine face (weak support).",
        ),
        (
            concluded("inconclusive", 0.9, 8.0, "few_frames", "outside_conditions"),
            "Inconclusive — outside the calibrated conditions; how strong the evidence is, and how often the models "
            "err on such files, is not known.",
        ),
        (
            replace(
                make_analysis(make_evidence()),
                conclusion=Conclusion("inconclusive", 0.5, (Reason("small_faces", "x"), Reason("uncalibrated", "x"))),
            ),
            "Inconclusive — the deciding face is small; no calibration backs the score.",
        ),
        (
            make_analysis(make_evidence()),
            "Likely manipulated — no calibration backs the score; how strong the evidence is, and how often the models "
            "err on such files, is not known.",
        ),
        (
            replace(
                make_analysis(make_evidence()),
                conclusion=Conclusion("not_examined", None, (Reason("no_face", "No face was found."),)),
            ),
            "No face scored — no face was found; nothing can be said about manipulation.",
        ),
    ],
)
def test_what_is_not_known_is_said_to_be_so(analysis: Analysis, sentence: str) -> None:
    assert said(analysis) == sentence


def test_the_report_leads_with_it() -> None:
    analysis = concluded("likely_manipulated", 0.8, 3.84)
    record = make_record((ExhibitEntry(make_exhibit(analysis.evidence), (make_entry(analysis),)),))
    shown = " ".join(Page(case_html(record, language="ar")).text.split())
    assert said(analysis, "ar") in shown
    assert shown.count(unmarked(lead_text(analysis, words_of("ar")))) == 2  # on the first page, beside the exhibit


def test_every_step_of_the_verbal_scale_has_its_words_in_every_language() -> None:
    for language in LANGUAGES:
        phrases = words_of(language).phrases
        assert {f"support.{code}" for code in SUPPORT_CODES.values()} <= set(phrases)
    assert {words: words_of("en")(f"support.{code}") for words, code in SUPPORT_CODES.items()} == {
        words: words for words in SUPPORT_CODES
    }
