"""The parts behind a score in the report: members, cues, attention, lips and voice, and only where they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detector.evidence.forensics.types import ContainerFacts, FileForensics, Observation, Provenance, Validation
from detector.explain import HeatTest
from detector.report.language import unmarked, words_of
from detector.report.over_time import over_time_svg
from detector.report.record import CaseRecord, ExhibitEntry
from detector.report.strongest import strongest_frames
from detector.report.timeline import drawn_models
from detector.report.typeset import typeset
from tests.report.conftest import make_entry, make_every_kind, make_evidence, make_exhibit, make_record
from tests.report.test_typeset import squeezed, text_of


def record() -> CaseRecord:
    evidence = make_evidence()
    return make_record((ExhibitEntry(make_exhibit(evidence), (make_entry(make_every_kind(evidence)),)),))


def test_every_part_of_a_result_is_printed() -> None:
    text = squeezed(text_of(typeset(record())))
    for fact in (
        "Members of the ensemble", "55%", "Left out because", "The picture is too bright for noise to be read.",
        "Specialists", "Background and light", "0.846", "Lips and voice", "8.00 – 10.00", "-0.20",
        "Good synchrony is never evidence of authenticity", "Attention",
    ):  # fmt: skip
        assert squeezed(fact) in text, fact


def test_what_no_model_looked_at_is_said_to_be_unexamined(full_record: CaseRecord) -> None:
    text = squeezed(text_of(typeset(full_record)))
    assert "Membersoftheensemble" not in text
    assert squeezed("nothing is said about it: Specialists; Attention over time; Lips and voice; Sensitivity.") in text
    for reason in ("no file forensics is on record", "content credentials were not looked for"):
        assert squeezed(f"Not examined: {reason}") in text, reason


def with_forensics(name: str = "Two programs are named") -> CaseRecord:
    found = FileForensics(
        provenance=Provenance(
            "untrusted", "The manifest names a camera.", signer="CN=Someone", actions=("c2pa.created",),
            validation=(Validation("signingCredential.untrusted", "The signer is in no list."),),
        ),
        observations=(
            Observation("encoder", "container", name, "Lavf61 and x264", ("transcoding",), ("an altered face",)),
            Observation("gap", "timing", "A gap", "0.4 s", ("an edit",), ("who made it",), "attention"),
        ),
        container=ContainerFacts("isom", boxes_total=12, encoder="Lavf61", tools=("x264",)),
        limits=("The audio packets were not read.",),
    )  # fmt: skip
    evidence = make_evidence()
    analysis = replace(make_every_kind(evidence), forensics=found)
    return make_record((ExhibitEntry(make_exhibit(evidence), (make_entry(analysis, pictures=False),)),))


@pytest.mark.parametrize("language", ["en", "ar", "es"])
def test_file_forensics_and_provenance_are_printed_with_what_they_cannot_mean(language: str) -> None:
    words = words_of(language)
    text = squeezed(text_of(typeset(with_forensics(), language=language)))
    for fact in (
        "Two programs are named", "Lavf61 and x264", "transcoding", "an altered face", "A gap", "who made it",
        "The audio packets were not read.", "The manifest names a camera.", "CN=Someone", "c2pa.created",
        "signingCredential.untrusted",
    ):  # fmt: skip
        assert squeezed(fact) in text, fact
    if language != "ar":  # joined letters come out of a PDF in shapes of their own
        for key in ("provenance.untrusted", "forensics.cannot", "forensics.attention"):
            assert squeezed(words(key)) in text, key
        assert squeezed(words("forensics.none")) not in text
        assert text.index(squeezed("A gap")) < text.index(squeezed("Two programs"))  # what calls for attention is first


def test_hostile_words_of_a_file_stay_text() -> None:
    name = '#panic("x") *b* $x$ \u202e<label> @ref'
    assert squeezed('#panic("x")*b*$x$‹U+202E›<label>@ref') in squeezed(text_of(typeset(with_forensics(name))))


def test_the_figure_is_the_same_every_time_and_absent_where_there_is_nothing(full_record: CaseRecord) -> None:
    analysis = make_every_kind(make_evidence())
    first, second = (over_time_svg(analysis, {"tm-b1": "M4"}) for _ in range(2))
    assert first is not None
    assert first == second
    assert b"M4" in first
    assert over_time_svg(full_record.exhibits[0].analyses[0].analysis, {}) is None


def test_of_many_models_those_that_decide_are_drawn() -> None:
    analysis = make_every_kind(make_evidence())
    assert [model.model_id for model in drawn_models(analysis)] == ["frame-b0", "tm-b1", "cues-b2", "all-b4"]
    more = tuple(replace(analysis.models[2], model_id=f"more-b{number}") for number in range(5))
    crowded = replace(analysis, models=(*more, *analysis.models))
    assert [model.model_id for model in drawn_models(crowded)] == ["more-b0", "frame-b0", "tm-b1", "all-b4"]


def test_strong_frames_follow_what_decides_and_show_a_model_with_heatmaps() -> None:
    analysis = make_every_kind(make_evidence())
    frames = strongest_frames(analysis, count=3)
    scores = {frame.pts: frame.score for frame in analysis.models[4].tracks[0].frames}
    assert frames[0].score == max(scores.values())
    assert {frame.model_id for frame in frames} == {"frame-b0"}


@pytest.mark.parametrize("language", ["en", "es"])
def test_what_testing_a_heatmap_gave_is_printed_with_it(language: str) -> None:
    evidence = make_evidence()
    words = words_of(language)
    entry = make_entry(make_every_kind(evidence))
    record = make_record((ExhibitEntry(make_exhibit(evidence), (entry,)),))
    untested = squeezed(text_of(typeset(record, language=language)))
    assert squeezed(words("strong.untested")) in untested
    tests: list[HeatTest | None] = [HeatTest(-0.7, (0.2,) * 19), HeatTest(-0.4, (0.0,) * 18 + (-1.9,))]
    tests += [None] * (len(entry.strong_frames) - 2)
    frames = tuple(replace(frame, heat_test=test) for frame, test in zip(entry.strong_frames, tests, strict=True))
    tested = make_record((ExhibitEntry(make_exhibit(evidence), (replace(entry, strong_frames=frames),)),))
    text = squeezed(text_of(typeset(tested, language=language)))
    assert squeezed(unmarked(words("strong.hidden", hot="−0.700", random="+0.200"))) in text
    assert squeezed(unmarked(words("strong.unfaithful", hot="−0.400", random="−0.100"))) in text
    assert squeezed(words("strong.tested")) in text
    assert squeezed(words("strong.untested")) not in text
