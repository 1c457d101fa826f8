"""Two pages are two pages whatever the record holds; the long form stays small and quick; what is missing is said."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from pypdf import PdfReader

from detector.analysis.types import Analysis, Reason
from detector.cases.statements import GroundTruth, Opinion, Role, Signature, SignOff
from detector.measurement.results import Measurement, Results
from detector.report.language import LANGUAGES, words_of
from detector.report.record import CaseRecord, ExhibitEntry
from detector.report.timeline import thinned
from detector.report.typeset import typeset
from detector.settings import AnalysisSettings
from tests.report.conftest import (
    START,
    make_analysis,
    make_card,
    make_entry,
    make_every_kind,
    make_evidence,
    make_exhibit,
    make_full_record,
    make_record,
    make_scores,
    make_unscored,
)
from tests.report.test_typeset import squeezed, text_of


def pages(pdf: bytes) -> int:
    return len(PdfReader(io.BytesIO(pdf)).pages)


def many_exhibits(count: int) -> CaseRecord:
    evidence = make_evidence("a rather long name of a file that someone exported from a phone on 6 May 2030.mp4")
    return make_record(
        tuple(
            ExhibitEntry(
                make_exhibit(evidence, number),
                (make_entry(make_every_kind(evidence), number=number, pictures=False),),
            )
            for number in range(1, count + 1)
        )
    )


def wordy(record: CaseRecord) -> CaseRecord:
    """The record with more reasons, opinions and exhibits' worth of words than two pages hold."""
    (entry,) = record.exhibits
    (one,) = entry.analyses
    conclusion = replace(one.analysis.conclusion, reasons=(Reason("few_frames", "word " * 400),) * 12)
    changed = replace(one, analysis=replace(one.analysis, conclusion=conclusion))
    names = tuple(f"Reader {number}" for number in range(40))
    opinions = tuple(
        Opinion(
            f"p{number:09d}", "c000000001", "x000000001", "undetermined", "because " * 90, "A" * 200, 1, names, START
        )
        for number in range(20)
    )
    return replace(record, exhibits=(replace(entry, analyses=(changed,)),), opinions=opinions)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_short_form_has_two_pages_whatever_the_record_holds(
    language: str, named_record: Callable[[str], CaseRecord], full_record: CaseRecord
) -> None:
    records = [wordy(full_record), many_exhibits(40), named_record("W" * 10_000)]
    if language == "en":  # the scripts are the same in every language
        others = [named_record("漢字 " * 3_000), named_record("עברית " * 2_000)]
        records += [make_record(()), full_record, many_exhibits(2), *others]
    for record in records:
        assert pages(typeset(record, form="short", language=language)) == 2


def test_the_short_form_says_what_it_leaves_out_and_what_limits_it(full_record: CaseRecord) -> None:
    text = squeezed(text_of(typeset(full_record, form="short")))
    for fact in (
        "Likely manipulated", "0.848", "ab" * 32, f"{3:064x}", "No calibration set backs the scores",
        "This short form leaves out", "does not show that a recording is authentic", "Proposition 2", "1f" * 16,
        "No opinion recorded yet", "Draft, not signed",
    ):  # fmt: skip
        assert squeezed(fact) in text, fact


def test_a_case_of_several_exhibits_has_an_overview_and_a_section_each() -> None:
    video, still = make_evidence("first.mp4"), make_evidence("second.png", kind="still")
    record = make_record(
        (
            ExhibitEntry(make_exhibit(video, 1), (make_entry(make_analysis(video), number=1),)),
            ExhibitEntry(
                make_exhibit(still, 2), (make_entry(make_analysis(still, faces_per_track=1, tracks=1), number=2),)
            ),
            ExhibitEntry(make_exhibit(make_evidence("third.mov"), 3)),
            ExhibitEntry(make_exhibit(video, 4), (make_entry(make_unscored(video), number=4),)),
        )
    )
    reader = PdfReader(io.BytesIO(typeset(record)))
    first = reader.pages[0].extract_text()
    for fact in ("first.mp4", "second.png", "third.mov", "Likely manipulated", "No face scored"):
        assert fact in first, fact
    titles = [str(entry.title) for entry in reader.outline if not isinstance(entry, list)]
    names = ("first.mp4", "second.png", "third.mov", "first.mp4")
    expected = [squeezed(f"Exhibit {number} {name}") for number, name in enumerate(names, 1)]
    assert [squeezed(title) for title in titles if title.startswith("Exhibit")] == expected


def an_hour(frames_per_s: float, faces: int) -> Analysis:
    """Sixty minutes with one face in every examined frame, two models."""
    evidence = make_evidence("hour.mp4", duration_s=3_600.0)
    settings = AnalysisSettings(frames_per_second=frames_per_s, max_frames=100_000)
    analysis = make_analysis(evidence, tracks=1, models=2, settings=settings)
    from tests.report.conftest import make_track

    track = make_track(1, [round(index * 3_600.0 / faces, 4) for index in range(faces)])
    models = tuple(
        replace(model, tracks=(make_scores(track, 0.4 + index),)) for index, model in enumerate(analysis.models)
    )
    return replace(analysis, tracks=(track,), models=models, frames_examined=faces)


@pytest.mark.parametrize(("frames_per_s", "faces"), [(5.0, 900), (5.0, 18_000)])
def test_an_hour_of_video_stays_small_and_quick(frames_per_s: float, faces: int) -> None:
    """900 frames are what the default settings examine of an hour; 18,000 are five a second without their bound."""
    analysis = an_hour(frames_per_s, faces)
    record = make_record((ExhibitEntry(make_exhibit(analysis.evidence), (make_entry(analysis),)),))
    started = time.process_time()  # not the wall: other work on the machine is not the report's
    pdf = typeset(record)
    assert time.process_time() - started < 5
    assert len(pdf) < 10_000_000
    reader = PdfReader(io.BytesIO(pdf))
    assert len(reader.pages) < 12
    assert len(reader.attachments["frame-scores.csv"][0].splitlines()) > 2 * faces  # a row a model; pages hold none


def test_thinning_keeps_every_peak() -> None:
    frames = an_hour(5.0, 6_000).models[0].tracks[0].frames
    spiked = (*frames[:4_321], replace(frames[4_321], logit=9.0), *frames[4_322:])
    kept = thinned(spiked)
    assert len(kept) <= 1_200
    assert {kept[0], kept[-1], spiked[4_321]} <= set(kept)
    assert [face.pts for face in kept] == sorted(face.pts for face in kept)
    assert thinned(frames[:100]) == frames[:100]


def test_sets_that_the_model_ranks_the_wrong_way_are_named_before_the_exhibits(full_record: CaseRecord) -> None:
    results = {
        "held_out": {"auc": 0.93, "auc_95": [0.9, 0.95], "genuine": 700, "manipulated": 640, "inverted": False},
        "videos": {"all": {
            "auc": 0.41, "auc_95": [0.28, 0.55], "genuine": 89, "manipulated": 22, "inverted": True,
        }, "per_generator": {"Portrait animation": {
            "auc": 0.09, "auc_95": [0.01, 0.21], "genuine": 39, "manipulated": 8, "inverted": True,
        }}},
    }  # fmt: skip
    (model,) = full_record.models
    record = replace(full_record, models=(replace(model, card=replace(make_card(), results=Results.read(results))),))
    reader = PdfReader(io.BytesIO(typeset(record)))
    first = squeezed(reader.pages[1].extract_text())
    assert squeezed("BELOW genuine footage") in first
    assert squeezed("Among them: videos, per generator, Portrait animation") in first
    everything = squeezed(text_of(typeset(record)))
    assert (
        squeezed(f"On whole videos (genuine: 89, manipulated: 22) the AUC of {make_card().name} is 0.410 (0.28 – 0.55)")
        in first
    )
    assert squeezed("On 1 of the sets listed") in first  # chance may explain the other
    for fact in ("0.410", "not told from chance", "0.930", "0.90 – 0.95", "640", "0.090", "ranked below genuine"):
        assert squeezed(fact) in everything, fact
    assert "BELOW" in text_of(typeset(record, form="short"))


def test_specialists_that_were_worse_than_chance_on_real_videos_are_named(full_record: CaseRecord) -> None:
    def row(cue: str, interval: tuple[float, float]) -> Measurement:
        data = ("cues_on_whole_manipulations", cue, "videos")
        return Measurement(data, 0.35, interval=interval, n_real=39, n_fake=22)

    evidence = make_evidence()
    analysis = make_every_kind(evidence)
    cues = next(model for model in analysis.models if model.kind == "specialists")
    one, other = (cue.cue for cue in cues.specialists[:2])
    results = Results((row(one, (0.22, 0.49)), row(other, (0.3, 0.6))))
    card = replace(make_card(), model_id=cues.model_id, weights_sha256=cues.weights_sha256, results=results)
    models = tuple(
        replace(
            full_record.models[0],
            model_id=model.model_id,
            weights_sha256=model.weights_sha256,
            card=card if model is cues else None,
        )
        for model in analysis.models
    )
    record = make_record((ExhibitEntry(make_exhibit(evidence), (make_entry(analysis),)),))
    text = squeezed(text_of(typeset(replace(record, models=models))))
    title = words_of("en")(f"cue.{one}")
    said = f"On real deepfake videos these specialists were worse than chance: {title} (0.350 (0.22 – 0.49))."
    assert squeezed(said) in text


def test_a_likelihood_ratio_is_printed_only_with_a_calibration_set_behind_it(full_record: CaseRecord) -> None:
    assert "No calibration set backs the scores" in " ".join(text_of(typeset(full_record)).split())
    (entry,) = full_record.exhibits
    (one,) = entry.analyses
    backed = replace(one.analysis.conclusion, calibrated=True, likelihood_ratio=7.6, interval=(4.1, 9.2))
    changed = replace(one, analysis=replace(one.analysis, conclusion=backed))
    text = " ".join(text_of(typeset(replace(full_record, exhibits=(replace(entry, analyses=(changed,)),)))).split())
    assert "A calibration set backs the score" in text
    assert "Likelihood ratio 7.6" in text
    assert "4.1 – 9.2" in text
    assert "No calibration set backs the scores" not in text
    bare = replace(backed, calibrated=False)
    changed = replace(one, analysis=replace(one.analysis, conclusion=bare))
    text = " ".join(text_of(typeset(replace(full_record, exhibits=(replace(entry, analyses=(changed,)),)))).split())
    assert "not stated: it needs a calibration set" in text
    assert "Likelihood ratio 7.6" not in text


def test_statements_are_printed_with_how_they_came_about(full_record: CaseRecord) -> None:
    opinions = (
        Opinion("p000000001", "c000000001", "x000000001", "genuine", "No seam.", "B. Blind", 1, (), START),
        Opinion("p000000002", "c000000001", "x000000001", "manipulated", "*Seam*", "C. Seen", 1, ("C. Seen",), START),
    )
    truth = GroundTruth(
        "t000000001", "c000000001", "x000000001", "manipulated", "confession", "face swap", "D. Later", START
    )
    signature = Signature(
        "s000000001", "c000000001", "examiner", "I stand for it.", "A. Examiner", 3, f"{3:064x}",
        START + timedelta(minutes=4),
    )  # fmt: skip
    record = replace(
        full_record,
        opinions=opinions,
        truths=(truth,),
        signatures=(signature,),
        sign_off=SignOff(signature, None, ("note_added",)),
    )
    text = squeezed(text_of(typeset(record)))
    for fact in (
        "B. Blind", "blind, before scores were seen", "after scores were shown to C. Seen", "*Seam*", "confession",
        "face swap", "I stand for it.", "changed after signing: note added", "Draft: the case was changed after",
    ):  # fmt: skip
        assert squeezed(fact) in text, fact
    assert "Declaration" not in text
    assert "Placeanddate" not in text


def test_who_signed_declares_and_is_reviewed(full_record: CaseRecord) -> None:
    def signed(number: int, role: Role, said: str, author: str) -> Signature:
        return Signature(f"s00000000{number}", "c000000001", role, said, author, 3, f"{3:064x}", START)

    first, second = (
        signed(1, "examiner", "I stand for it.", "A. Examiner"),
        signed(2, "second_examiner", "Yes.", "B. O."),
    )
    record = replace(full_record, signatures=(first, second), sign_off=SignOff(first, second, ()))
    full = typeset(record)
    page = squeezed(PdfReader(io.BytesIO(full)).pages[0].extract_text())
    assert squeezed("B. O., 2030-05-06 07:08:09 UTC: Yes.") in page
    assert "Draft" not in page
    assert "Declaration" in text_of(full)
    for pdf in (full, typeset(record, form="short")):
        assert "Placeanddate" in squeezed(text_of(pdf))


def test_the_first_page_leads_with_the_newest_opinion_in_the_words_of_the_examiner(full_record: CaseRecord) -> None:
    told = ("c000000001", "x000000001")
    opinions = (
        Opinion("p000000001", *told, "genuine", "No seam.", "A. Examiner", 0, (), START),
        Opinion("p000000002", *told, "manipulated", "The lips tear at 3 s.", "A. Examiner", 1, ("A. Examiner",), START),
    )
    case = replace(full_record.case, laboratory="Laboratory 4", client="Court of X", question="Was the face altered?")
    (entry,) = full_record.exhibits
    exhibit = replace(entry.exhibit, received_from="Sgt. Doe", received_how="sealed bag", received_when="9 May")
    record = replace(full_record, case=case, opinions=opinions, exhibits=(replace(entry, exhibit=exhibit),))
    for form in ("full", "short"):
        text = squeezed(PdfReader(io.BytesIO(typeset(record, form=form))).pages[0].extract_text())
        for fact in (
            "Laboratory 4", "Court of X", "Was the face altered?", "from Sgt. Doe; by sealed bag; on 9 May",
            "Manipulated", "The lips tear at 3 s.", "earlier opinions on record: 1", "Likely manipulated",
        ):  # fmt: skip
            assert squeezed(fact) in text, fact
        assert text.index(squeezed("The lips tear")) < text.index(squeezed("Likely manipulated"))
        assert "Noseam" not in text
    bare = squeezed(PdfReader(io.BytesIO(typeset(full_record))).pages[0].extract_text())
    assert squeezed("No opinion recorded yet") in bare
    assert squeezed("No question of the client is recorded") in bare


def test_an_exhibit_takes_at_most_four_pages_and_one_without_faces_half_a_page(full_record: CaseRecord) -> None:
    (entry,) = wordy(full_record).exhibits
    street = make_evidence("street.mp4")
    faceless = tuple(
        ExhibitEntry(make_exhibit(street, number), (make_entry(make_unscored(street), number=number),))
        for number in (2, 3)
    )
    reader = PdfReader(io.BytesIO(typeset(make_record((entry, *faceless)))))
    first, second, third, end = (
        reader.get_destination_page_number(one)
        for one in reader.outline
        if not isinstance(one, list) and ("Exhibit" in str(one.title) or "statements" in str(one.title))
    )
    assert second - first <= 4
    assert second == third == end - 1


def test_withheld_scores_are_nowhere_in_the_report(full_record: CaseRecord) -> None:
    (entry,) = full_record.exhibits
    waiting = replace(entry, analyses=(), withheld=True)
    event = replace(full_record.log.events[2], details={"label": "likely_manipulated", "score": 0.848})
    log = replace(full_record.log, events=(*full_record.log.events[:2], event))
    record = replace(full_record, exhibits=(waiting,), models=(), log=log)
    for form in ("full", "short"):
        pdf = typeset(record, form=form)
        text = text_of(pdf)
        assert "Scores are withheld" in " ".join(text.split())
        assert "0.848" not in text
        assert set(PdfReader(io.BytesIO(pdf)).attachments) == {"record.json"}
        assert "likely_manipulated" not in PdfReader(io.BytesIO(pdf)).attachments["record.json"][0].decode()


def test_no_heading_stands_alone_at_the_foot_of_a_page() -> None:
    """The last line of a page's text block is never one of the headings."""
    evidence = make_evidence()
    record = make_record((ExhibitEntry(make_exhibit(evidence), (make_entry(make_every_kind(evidence)),)),))
    reader = PdfReader(io.BytesIO(typeset(record)))

    def titles(outline: list[object]) -> set[str]:
        found: set[str] = set()
        for entry in outline:
            found |= titles(entry) if isinstance(entry, list) else {squeezed(str(entry.title))}  # type: ignore[attr-defined]
        return found

    headings = titles(reader.outline)
    assert len(headings) > 15
    for page in reader.pages:
        lines = [squeezed(line) for line in page.extract_text().splitlines() if line.strip()]
        body = [line for line in lines if "Recordasof2030" not in line and not line.startswith("Page")]
        assert body[-1] not in headings


def test_equal_records_give_equal_bytes_in_every_form(full_record: CaseRecord) -> None:
    for form, language in (("full", "ar"), ("full", "es"), ("short", "en"), ("short", "ar")):
        again = typeset(make_full_record(), form=form, language=language)
        assert typeset(full_record, form=form, language=language) == again
