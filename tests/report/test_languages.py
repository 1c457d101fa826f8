"""Every phrase is there in every language, values keep their direction, and no English is left where it was fixed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from detector.analysis import Reason
from detector.analysis.types import AnalysisIdentity, ModelIdentity
from detector.errors import SettingsError
from detector.report.html import case_html
from detector.report.language import END_MARK, LANGUAGES, LTR_MARK, RTL_MARK, isolated, unmarked, words_of
from detector.report.printable import printable
from detector.report.record import ExhibitEntry
from detector.report.sentences import names_in, recorded, runtime_text, told
from detector.report.typeset import typeset
from tests.report.conftest import (
    make_analysis,
    make_entry,
    make_every_kind,
    make_evidence,
    make_exhibit,
    make_full_record,
    make_record,
)
from tests.report.test_typeset import squeezed, text_of
from tests.test_consistency import RECORDS

ROOT = Path(__file__).resolve().parents[2]
VALUES = re.compile(r"\{\w+\}")
ENGLISH = words_of("en").phrases
# Names of standards, units and measures that are the same everywhere.
SAME_EVERYWHERE = {
    "overview.sha256", "strong.pts", "strength.auc", "exhibit.frame_size_value", "alternatives.cue", "analysis.logit",
    "unit.bytes", "no", "custody.hash", "exhibit.rate_variable", "truth.unknown",
    "lead.join", "detail.text", "cover.review", "recorded.part.in_class",
}  # fmt: skip


def used_keys() -> set[str]:
    """Every phrase that a module or a template names outright."""
    python = "".join(path.read_text() for path in (ROOT / "detector" / "report").glob("*.py"))
    typst = "".join(path.read_text() for path in (ROOT / "assets" / "report").glob("*.typ"))
    found = set(re.findall(r'words(?:\.plain)?\(\s*"([a-z_0-9A-Z.]+)"', python))
    return found | set(re.findall(r'\bw\("([a-z_0-9A-Z.]+)"\)', typst))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_the_same_phrases_with_the_same_values(language: str) -> None:
    phrases = words_of(language).phrases
    assert set(phrases) == set(ENGLISH)
    for key, phrase in phrases.items():
        assert phrase.strip() == phrase
        assert phrase
        assert sorted(VALUES.findall(phrase)) == sorted(VALUES.findall(ENGLISH[key])), key


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_nothing_is_left_in_english(language: str) -> None:
    same = {key for key, phrase in words_of(language).phrases.items() if phrase == ENGLISH[key]}
    assert same <= SAME_EVERYWHERE | {"language.direction"}


def test_every_phrase_that_is_used_exists() -> None:
    assert len(used_keys()) > 200
    assert used_keys() <= set(ENGLISH)


def test_an_unknown_language_or_form_is_refused() -> None:
    record = make_full_record()
    with pytest.raises(SettingsError, match="en, ar, es"):
        typeset(record, language="fr")
    with pytest.raises(SettingsError, match="full and short"):
        typeset(record, form="long")


def test_a_value_in_a_phrase_is_marked_with_its_own_direction() -> None:
    arabic = words_of("ar")
    assert f"{LTR_MARK}interview.mp4{END_MARK}" in arabic("analysis.title", when="interview.mp4")
    assert f"{RTL_MARK}صورة.mp4{END_MARK}" in arabic("analysis.title", when="صورة.mp4")
    assert arabic.plain("figure.track", number=3) == "المسار 3"
    once = arabic("notes.track", track=1)
    assert isolated(once) == once
    assert unmarked(isolated("x")) == "x"
    # What comes from outside can hold none of the marks.
    assert not {LTR_MARK, RTL_MARK, END_MARK} & set(printable(f"a{LTR_MARK}b{END_MARK}c{RTL_MARK}"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_run_and_the_levels_it_was_found_by_are_named_in_every_language(language: str) -> None:
    evidence = make_evidence()
    made = make_analysis(evidence)
    reasons = (Reason("run", "Manipulation is indicated."), Reason("peaks", "Look at 3.00 s."))
    analysis = replace(made, conclusion=replace(made.conclusion, reasons=reasons))
    record = make_record((ExhibitEntry(make_exhibit(evidence), (make_entry(analysis, pictures=False),)),))
    without = case_html(record, language=language).decode()
    models = tuple(
        replace(entry, card=replace(entry.card, thresholds=replace(entry.card.thresholds, run_logit=2.25)))
        for entry in record.models
        if entry.card is not None
    )
    shown = case_html(replace(record, models=models), language=language).decode()
    words = words_of(language)
    assert "+2.250" in shown
    assert words("model.within") in shown
    assert words("model.within") not in without
    heads = [words("reason.run"), words("reason.peaks")]
    assert [head in shown for head in heads] == [language != "en"] * 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_model_that_is_not_the_one_shipped_is_called_so_in_every_language(language: str) -> None:
    evidence = make_evidence()
    record = make_record(
        (ExhibitEntry(make_exhibit(evidence), (make_entry(make_analysis(evidence), pictures=False),)),)
    )
    changed = replace(record, models=tuple(replace(entry, standing="changed") for entry in record.models))
    said = words_of(language)("model.standing_changed")
    assert said in case_html(changed, language=language).decode()
    assert said not in case_html(record, language=language).decode()


def latin_left(text: str, names: Sequence[str]) -> list[str]:
    """Latin words in an Arabic text that are no names, units or abbreviations."""
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, "")
    return [word for word in re.findall(r"[A-Za-z]{2,}", text) if word not in {"CRF", "vp"}]


def every_recorded_text() -> list[tuple[str, tuple[str, ...]]]:
    """Each reason of conclusions as they are made and each fixed one of a model, with the names that they hold."""
    from detector.analysis import results
    from detector.analysis.kinds import ensemble, sequence
    from detector.analysis.kinds.audiovisual import sync
    from detector.analysis.kinds.kinematics import WHY_NONE

    fixed = [*sync.REASONS.values(), *WHY_NONE.values(), results.NO_FACE, results.NOT_FINITE, results.AT_THE_EDGE]
    fixed += [results.NO_TIME, ensemble.NO_MEMBER, sequence.TOO_SHORT]
    told = [(text, ()) for text in fixed]
    for analysis, _ in RECORDS.values():
        told += [(reason.text, names_in(analysis)) for reason in analysis.conclusion.reasons]
    names = ("Default ensemble", "Temporal transformer", "Set A")
    rare = Path(__file__).with_name("rare_reasons.txt").read_text(encoding="utf-8").splitlines()
    return told + [(text, names) for text in rare]


@pytest.mark.parametrize("language", ["ar", "es"])
def test_every_reason_is_told_in_the_language_of_the_report(language: str) -> None:
    words = words_of(language)
    for text, names in every_recorded_text():
        found = recorded(text, words, names)
        assert found is not None, text
        assert "{" not in found
        if language == "ar":
            assert not latin_left(unmarked(found), names), (text, found)
        else:
            bare = found
            for name in names:
                bare = bare.replace(name, "")
            left = {" the ", " of ", " and ", " to ", " is ", " was ", "score", "frame"}
            assert not [word for word in left if word in bare], (text, found)
        assert all(name in found for name in names if name in text), (text, found)


def test_words_of_no_known_form_are_not_passed_on_in_english() -> None:
    assert recorded("A new kind of reason.", words_of("es")) is None
    assert told("A new kind of reason.", words_of("es")) == words_of("es")("recorded.unknown")
    assert told("A new kind of reason.", words_of("en")) == "A new kind of reason."


def test_braces_in_a_value_are_text() -> None:
    assert unmarked(words_of("en")("notes.exhibit", number="{track} {0.__class__}")) == "exhibit {track} {0.__class__}"


@pytest.mark.parametrize("form", ["full", "short"])
def test_the_arabic_report_is_written_in_arabic_from_right_to_left(form: str) -> None:
    evidence = make_evidence()
    record = make_record((ExhibitEntry(make_exhibit(evidence), (make_entry(make_every_kind(evidence)),)),))
    pdf = typeset(record, form=form, language="ar")
    text = text_of(pdf)
    arabic = len(re.findall(r"[\u0600-\u06FF\uFB50-\uFEFC]", text))
    assert arabic > 1_500
    for left_over in ("Findings", "Custody", "not examined", "Not examined", "Limits", "Score of", "seconds from"):
        assert left_over not in text
    for mark in (LTR_MARK, RTL_MARK, END_MARK, "\u202d", "\u202e"):
        assert mark not in text
    # Numbers, times and hashes are read from left to right.
    for value in ("ab" * 32, "2030-05-06 07:17:09 UTC", "FW-2030-0042", f"{3:064x}"):
        assert squeezed(value) in squeezed(text), value


def test_the_spanish_report_is_written_in_spanish() -> None:
    text = text_of(typeset(make_full_record(), language="es"))
    for phrase in ("Opinión del perito", "Custodia", "Fuerza de la prueba", "Límites", "Probablemente manipulado"):
        assert phrase in text
    for left_over in ("Findings", "Strength", "Track 1 (", "seconds from", "shot change"):
        assert left_over not in text


@pytest.mark.parametrize("language", ["ar", "en", "es"])
def test_what_ran_the_networks_is_told_with_the_reason_why_it_was_torch(language: str) -> None:
    runtime, words = "onnxruntime 1.32.0", words_of(language)
    instead = f"was run by torch and not by {runtime}"
    differs = f"a {instead}: its BG/logits on a fixed input lie 3.1e-04 from torch's, 1e-04 at most."
    cannot = f"b {instead}: it could not be converted."
    models = (
        ModelIdentity("a", "f" * 64, {}, "torch", differs),
        ModelIdentity("b", "f" * 64, {}, "torch", cannot),
        ModelIdentity("c", "f" * 64, {}, runtime),
    )
    analysis = next(iter(RECORDS.values()))[0]
    identity = AnalysisIdentity("1.6", "c", "s", ("cpu",), {"torch": "2.12.1"}, models)
    found = runtime_text(replace(analysis, identity=identity), words)
    assert found.startswith(f"{runtime}, torch 2.12.1. ")
    assert "3.1e-04" in found
    assert words("recorded.unknown") not in found
    assert (differs in found and cannot in found) == (language == "en")
    assert runtime_text(replace(analysis, identity=None), words) == "torch"
