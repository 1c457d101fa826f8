"""What is said of a record agrees with its numbers and with its label: on the card, beside it, and in the report."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import pytest
import streamlit as st

from detector.analysis.aggregate import deciding_tracks
from detector.analysis.conclusion import Findings, conclude
from detector.analysis.cue_meaning import CUE_MEANINGS
from detector.analysis.results import worst
from detector.analysis.types import Analysis, FrameScore, Label, Member, ModelResult, SyncWindow, TrackScore, sigmoid
from detector.calibration.calibration import Calibration
from detector.evidence.types import Evidence, Integrity
from detector.faces.types import FaceTrack
from detector.registry import Thresholds
from detector.report.analysis_payload import AnalysisData
from detector.report.language import LANGUAGES, Language, unmarked, words_of
from detector.report.lead import lead_text
from detector.report.payload import build_payload
from detector.report.record import ExhibitEntry
from detector.report.typeset import typeset
from detector.report.wording import LABEL_WORDS
from detector.settings import AnalysisSettings
from pages.parts.examine import conclusion_card, models_table
from pages.parts.models import model_choice
from pages.parts.shared.wording import LABELS
from tests.plain_words import JARGON
from tests.report.conftest import TOOL, make_entry, make_evidence, make_exhibit, make_record, make_track
from tests.report.test_lead import CALIBRATION
from tests.report.test_typeset import squeezed
from tests.report.test_typeset import text_of as text_of_pdf

NAMES = {"frame-b0": "Faces", "frame-b1": "Faces, again", "av-b3": "Lips and voice", "all-b4": "All together",
         "cues-b2": "Traces"}  # fmt: skip
DECISION = Thresholds(1.0, -1.0, "set by hand", run_logit=3.0, peak_logit=2.5)
SETTINGS = AnalysisSettings()
EVERY_S = 0.2
QUALITY = 0.8  # the weight of every face, from 0 to 1
PRINTED: tuple[Language, ...] = ("en", "es")
IDS = re.compile(r"\b(?:frame|av|all|cues)-b\d\b|\b[a-z]+_[a-z_]+\b")
NO_SOUND = "The file has no sound that decodes, so nothing can be said about lips and voice."


@dataclass(frozen=True)
class Told:
    """An analysis, and all that card, members' table and report say of it."""

    analysis: Analysis
    card: str
    members: str
    report: AnalysisData

    @property
    def everything(self) -> str:
        found = self.report.conclusion
        parts = [found.lead, found.meaning, found.score, *found.extra, *(one.text for one in found.reasons)]
        return " ".join([self.card, self.members, self.report.examined, *parts])


def scored(track: FaceTrack, logits: list[float]) -> TrackScore:
    frames = tuple(
        FrameScore(face.frame_index, face.pts, face.pts_s, logit, QUALITY)
        for face, logit in zip(track.faces, logits, strict=True)
    )
    return TrackScore(track.track_id, sum(logits) / len(logits), frames)


def made(
    *rows: list[float],
    evidence: Evidence | None = None,
    label: Label,
    calibration: Calibration | None = None,
    finish: Callable[[ModelResult, tuple[FaceTrack, ...]], tuple[ModelResult, ...]] = lambda faces, _: (faces,),
) -> tuple[Analysis, Label]:
    """An analysis of one track a row of frame logits, concluded as the product does."""
    evidence = evidence or replace(make_evidence(), audio=None)
    still = evidence.kind == "still"
    tracks = tuple(
        make_track(number, [round(index * EVERY_S, 2) for index in range(len(row))])
        for number, row in enumerate(rows, 1)
    )
    deciding = deciding_tracks(tracks, SETTINGS, still=still)
    own = tuple(scored(track, row) for track, row in zip(tracks, rows, strict=True))
    reason = None if tracks else "No face was found, so nothing was scored."
    models = finish(ModelResult("frame-b0", "1f" * 32, worst(own, deciding), own, reason), deciding)
    models = tuple(replace(model, title=NAMES[model.model_id]) for model in models)
    known = tuple(calibration if model.model_id == "frame-b0" else None for model in models)
    examined = max((len(row) for row in rows), default=25)
    found = Findings(
        evidence,
        SETTINGS,
        tracks,
        deciding,
        models,
        (DECISION,) * len(models),
        examined,
        examined if rows else 0,
        known,
    )
    conclusion = conclude(found)
    analysis = Analysis("a1", TOOL, SETTINGS, evidence, tracks, models, conclusion, examined, calibration=calibration)
    return analysis, label


def with_sound(faces: ModelResult, deciding: tuple[FaceTrack, ...]) -> tuple[ModelResult, ...]:
    """Lips that do not fit the voice decide by their share, on the second track; frames are scored by another."""
    heard = TrackScore(deciding[-1].track_id, 4.0, ())
    sound = ModelResult(
        "av-b3", "4f" * 32, 4.0, (heard,), kind="audiovisual", sync=(SyncWindow(0.0, 2.0, 4.0, 0.1, 0.2),)
    )
    tracks = tuple(replace(one, logit=1.5 if one.track_id == heard.track_id else one.logit) for one in faces.tracks)
    members = (Member("frame-b0", None, -0.4, 0.4), Member("av-b3", "AV", 4.0, 0.6))
    return faces, sound, ModelResult("all-b4", "5f" * 32, 1.5, tracks, kind="ensemble", members=members)


def silent(faces: ModelResult, _: tuple[FaceTrack, ...]) -> tuple[ModelResult, ...]:
    return faces, ModelResult("av-b3", "4f" * 32, None, (), NO_SOUND, kind="audiovisual")


def contradicted(faces: ModelResult, _: tuple[FaceTrack, ...]) -> tuple[ModelResult, ...]:
    turned = tuple(
        replace(one, logit=-one.logit, frames=tuple(replace(frame, logit=-frame.logit) for frame in one.frames))
        for one in faces.tracks
    )
    return faces, ModelResult("frame-b1", "2f" * 32, -(faces.logit or 0.0), turned)


CALM = [-2.0 + 0.01 * index for index in range(25)]
RECORDS: dict[str, tuple[Analysis, Label]] = {
    "manipulated": made([2.0, 2.2] * 12, evidence=make_evidence(), label="likely_manipulated"),
    "backed by a calibration": made([2.0, 2.2] * 12, label="likely_manipulated", calibration=CALIBRATION),
    "nothing found": made(CALM, label="no_manipulation_found"),
    "nothing found, backed": made(CALM, label="no_manipulation_found", calibration=CALIBRATION),
    "between the thresholds": made([0.1, -0.3] * 12, label="inconclusive"),
    "a run": made([*[-1.0] * 18, *[3.5] * 7], label="likely_manipulated"),
    "a peak": made([*CALM, 4.5], label="inconclusive"),
    "models disagree": made([2.0] * 12, label="inconclusive", finish=contradicted),
    "too few frames": made([3.0], label="inconclusive"),
    "sound decides": made(CALM, [-0.5, -0.3] * 9, evidence=make_evidence(), label="likely_manipulated",
                          finish=with_sound),
    "silent": made(CALM, label="no_manipulation_found", finish=silent),
    "no face": made(label="not_examined"),
    "a still": made([1.4], evidence=replace(make_evidence("a.png", "still"), integrity=Integrity(0, ())),
                    label="likely_manipulated"),
    "many tracks": made(*([0.1 * number - 2] * 25 for number in range(9)), label="no_manipulation_found"),
}  # fmt: skip


@pytest.fixture(scope="module", params=RECORDS)
def told(request: pytest.FixtureRequest) -> Told:
    analysis, _ = RECORDS[request.param]
    with pytest.MonkeyPatch.context() as patch:
        shown: list[str] = []
        patch.setattr(st, "html", lambda body, **_: shown.append(body))
        patch.setattr(st, "button", lambda label, **_: shown.append(label))
        patch.setattr(model_choice, "card_of", lambda _: None)
        conclusion_card.show(analysis)
        models_table.show_short(analysis, {})
        card, rest = text_of(shown), len(shown)
        models_table.show(analysis, {})
        members = text_of(shown[rest:])
    entry = make_entry(analysis, pictures=False, count=1)
    exhibit = ExhibitEntry(make_exhibit(analysis.evidence), (entry,))
    (reported,) = build_payload(make_record((exhibit,)), words_of("en")).data.exhibits
    return Told(analysis, card, members, reported.analyses[0])


@pytest.fixture(scope="module")
def printed() -> dict[Language, dict[str, str]]:
    """Every record's part of one PDF of all of them, by language; that of an exhibit whose scores are withheld too."""
    entries = []
    for number, (analysis, _) in enumerate(RECORDS.values(), 1):
        exhibit = make_exhibit(analysis.evidence, number)
        entry = make_entry(analysis, number=number, pictures=False, count=1)
        entry = replace(entry, saved=replace(entry.saved, exhibit_id=exhibit.exhibit_id))
        entries.append(ExhibitEntry(exhibit, (entry,)))
    entries.append(ExhibitEntry(make_exhibit(make_evidence("withheld.mp4"), len(entries) + 1), withheld=True))
    record = make_record(tuple(entries))
    models = []
    for one in record.models:
        assert one.card is not None
        models.append(replace(one, card=replace(one.card, name=NAMES[one.model_id], thresholds=DECISION)))
    record = replace(record, models=tuple(models))
    found: dict[Language, dict[str, str]] = {}
    for language in PRINTED:
        words = words_of(language)
        body = text_of_pdf(typeset(record, language=language))
        exhibits = re.split(rf"\n\d+ {re.escape(words('statements.title'))}\n", body)[0]
        title = words.plain("exhibit.title", number="[0-9]+")
        _, *parts = re.split(rf"\n(?:\d+ {title}|{title} [^\n]+\.\w+)\n", exhibits)
        found[language] = {**dict(zip([*RECORDS, "withheld"], parts, strict=True)), "whole": body}
    return found


def text_of(shown: list[str]) -> str:
    words = re.sub(r'<span class="fw-icon".*?</span>', " ", " ".join(shown))  # an icon is drawn, its name is not read
    bare = re.sub(r"<[^>]*>", " ", words)
    return " ".join(html.unescape(bare).split())


def holds(values: Iterable[float], said: str) -> bool:
    """Whether some value is written so at that many places."""
    places = len(said.partition(".")[2])
    return any(f"{value:.{places}f}" == said for value in values)


def scores_of(analysis: Analysis) -> list[float]:
    """Every score and threshold of a record, 0 to 1."""
    models, reasons = analysis.models, analysis.conclusion.reasons
    tracks = [track for model in models for track in model.tracks]
    logits = [one.logit for model in models for one in (*model.members, *model.specialists)]
    logits += [moment.logit for reason in reasons for moment in reason.moments]
    logits += [DECISION.likely_manipulated_logit, DECISION.no_manipulation_logit]
    found = [analysis.conclusion.score, *(model.score for model in models), *(track.score for track in tracks)]
    found += [frame.score for track in tracks for frame in track.frames]
    return [one for one in found if one is not None] + [sigmoid(logit) for logit in logits if logit is not None]


def times_of(analysis: Analysis) -> list[float]:
    """Every time of a face or a moment of a record, in seconds."""
    moments = [moment for reason in analysis.conclusion.reasons for moment in reason.moments]
    faces = [face.pts_s for track in analysis.tracks for face in track.faces]
    return faces + [at for one in moments for at in (one.start_s, one.end_s, one.pts_s)]


def figures_of(analysis: Analysis) -> list[float]:
    """Every other number that a sentence on a record may hold: counts, settings, shares and ratios in per cent."""
    counts: list[float] = [analysis.frames_examined, analysis.evidence.video.frame_count, len(analysis.tracks), 0, 1]
    counts += [analysis.evidence.integrity.decode_errors, SETTINGS.frames_per_second, SETTINGS.max_frames]
    counts += [SETTINGS.min_frames, SETTINGS.min_face_px, sum(len(track.faces) for track in analysis.tracks)]
    counts += [one for track in analysis.tracks for one in (track.track_id, len(track.faces))]
    counts += [100 * (one.weight or 0.0) for model in analysis.models for one in model.members]
    counts += [analysis.conclusion.member_spread or 0.0]
    windows = [window for model in analysis.models for window in model.sync]
    counts += [one for window in windows for one in (window.correlation, window.lag_s) if one is not None]
    if analysis.calibration is None or analysis.conclusion.likelihood_ratio is None:
        return counts
    ratios = [analysis.conclusion.likelihood_ratio, *map(math.exp, (CALIBRATION.lowest, CALIBRATION.highest))]
    counts += [float(f"{one:.2g}") for ratio in ratios for one in (ratio, 1 / ratio)]
    for row in CALIBRATION.errors:
        counts += [row.n_real, row.n_fake, row.false_alarms, row.misses]
        counts += [100 * one for interval in (row.false_alarm_interval, row.miss_interval) for one in interval or ()]
        counts += [100 * row.false_alarms / max(1, row.n_real), 100 * row.misses / max(1, row.n_fake)]
    # The interval's level, the year and the steps of ENFSI's scale, the range of face sizes that errors are counted in.
    return [*counts, 95, 2015, 6, 80, 160]


def numbers_in(text: str) -> list[str]:
    """The numbers of a text; those that are part of a name are none."""
    return [said.replace(",", "") for said in re.findall(r"(?<![\w.])\d(?:[\d,]*\d)?(?:\.\d+)?(?![\d\w])", text)]


def test_the_label_is_the_one_that_is_said_and_no_other(told: Told, request: pytest.FixtureRequest) -> None:
    label = told.analysis.conclusion.label
    assert label == RECORDS[request.node.callspec.params["told"]][1]
    assert told.card.split("—")[0].endswith(f"{LABELS[label].word} ")
    assert told.report.conclusion.word == LABELS[label].word == LABEL_WORDS[label]
    sentences = f"{told.card} {told.report.conclusion.lead} {told.report.conclusion.meaning}"
    for other, words in LABELS.items():
        if other != label and other != "no_manipulation_found":
            assert f"{words.word} —" not in sentences
            assert f"{LABEL_WORDS[other]} —" not in sentences


def test_every_number_that_is_told_is_one_of_the_record(told: Told) -> None:
    analysis, text = told.analysis, unmarked(told.everything)
    scores, others = scores_of(analysis), [*times_of(analysis), *figures_of(analysis)]
    for said in numbers_in(text):
        assert (re.fullmatch(r"0\.\d{2,}", said) and holds(scores, said)) or holds(others, said), said


def test_every_score_that_is_told_is_one_of_the_record(told: Told) -> None:
    analysis, text = told.analysis, unmarked(told.everything)
    names = "|".join(map(re.escape, NAMES.values()))
    for said in re.findall(rf"(?:[Ss]core(?: of(?: up to)?)?|{names}|up to|as a whole|and of) (0\.\d+)", text):
        assert holds(scores_of(analysis), said), said
    own = re.search(r"Score (\S+) 0 to 1", told.card)
    assert (own is None) == (analysis.conclusion.score is None)
    assert own is None or holds([analysis.conclusion.score or 0.0], own[1])
    if analysis.conclusion.score is None:
        assert not re.search(r"\d\.\d\d", text), "no face was scored"


def test_every_time_that_is_told_is_one_of_the_record(told: Told) -> None:
    times = times_of(told.analysis)
    found = re.findall(r"(\d+\.\d+)(?: s\b|\u00a0s\b)", unmarked(told.everything))
    for said in found:
        assert holds(times, said), said
    assert bool(found) == (told.analysis.evidence.kind == "video" and bool(told.analysis.tracks))


def test_every_count_that_is_told_is_one_of_the_record(told: Told) -> None:
    analysis, text = told.analysis, unmarked(told.everything)
    counts = {
        "frame": {analysis.frames_examined, analysis.evidence.video.frame_count}
        | {len(track.faces) for track in analysis.tracks},
        "track": {len(analysis.tracks)},
        "face": {len(analysis.tracks), sum(len(track.faces) for track in analysis.tracks)},
    }
    rows = analysis.calibration.errors if analysis.calibration else []
    counts["clip"] = {count for row in rows for count in (row.n_real, row.n_fake)}
    for said, what in re.findall(
        r"(?<![\d.])(\d+) (?:examined |genuine |manipulated )*(frame|track|face|clip)s?\b(?!-)", text
    ):
        assert int(said) in counts[what], (said, what)
    shares = [100 * (one.weight or 0.0) for model in analysis.models for one in model.members]
    for said in re.findall(r"(\d+) ?% of the score", text):
        assert holds(shares, said), said
    ratio = analysis.conclusion.likelihood_ratio
    for said in re.findall(r"([\d.]+) times as much", text):
        assert ratio is not None
        assert said in (f"{ratio:.2g}", f"{1 / ratio:.2g}")


def test_one_is_never_written_as_several(told: Told) -> None:
    assert not re.search(
        r"(?<![\d.,])1 (?:examined )?(?:frames|tracks|faces|files|clips|models|records|events)\b", told.everything
    )


def test_a_score_above_every_frame_says_why(told: Told) -> None:
    for text in (reason.text for reason in told.analysis.conclusion.reasons if reason.code == "deciding_track"):
        said = re.search(r"with a score of (0\.\d\d) over .* highest frame is at [\d.]+ s \((0\.\d\d)\)", text)
        if said is not None:
            assert ("above every frame" in text) == (float(said[1]) > float(said[2]))


def test_what_is_said_of_the_sound_is_what_was_done_with_it(told: Told) -> None:
    compared = any(model.sync for model in told.analysis.models)
    present = told.analysis.evidence.audio is not None
    assert ("only its fit to the lips was examined" in told.card) == compared
    assert ("The sound was not examined." in told.card) == (present and not compared)
    assert "voice, background" not in told.card


def test_the_sample_of_records_holds_what_can_contradict_itself() -> None:
    (above,) = [
        reason.text for reason in RECORDS["sound decides"][0].conclusion.reasons if reason.code == "deciding_track"
    ]
    assert "for it also counts Lips and voice, which scores the track and no single frame" in above
    assert "60% of the score of All together rests on Lips and voice." in above
    assert {label for _, label in RECORDS.values()} == set(LABELS)


def test_members_of_an_ensemble_name_the_track_that_their_scores_are_of(told: Told) -> None:
    several = len(told.analysis.tracks) > 1 and any(model.members for model in told.analysis.models)
    assert ("All together 0.818 2 decides" in told.members) == several


def test_two_scores_of_one_model_are_told_apart(told: Told) -> None:
    own = {model.model_id: model.score for model in told.analysis.models}
    members = [one for model in told.analysis.models for one in model.members if one.logit is not None]
    apart = [one for one in members if f"{sigmoid(one.logit or 0.0):.3f}" != f"{own[one.model_id] or 0.0:.3f}"]
    assert ("can be other than the member's own highest" in told.members) == bool(apart)


def test_nothing_is_said_of_every_face_or_frame_where_one_of_them_stands_out(told: Told) -> None:
    assert not re.search(r"every (?:scored )?(?:face|frame)\b(?!'s)", told.everything)
    highest = max((f.score for model in told.analysis.models for t in model.tracks for f in t.frames), default=0.0)
    if told.analysis.conclusion.label == "no_manipulation_found":
        assert highest < sigmoid(DECISION.peak_logit or 0.0), "such a frame is to be looked at"
        assert "Single frames can score higher" in told.report.conclusion.meaning


def test_examined_frames_are_not_called_unexamined(told: Told) -> None:
    assert told.analysis.frames_examined
    assert "Not examined" not in told.everything
    assert f"Frames examined: {told.analysis.frames_examined}" in unmarked(told.report.examined)


def test_no_score_is_called_a_probability(told: Told) -> None:
    assert not re.search(r"P\(|(?<!not a )probability", told.everything)


def test_words_are_those_of_examiners(told: Told) -> None:
    assert not [*JARGON.findall(told.everything), *IDS.findall(told.everything)]


@pytest.mark.parametrize("name", RECORDS)
def test_the_printed_report_says_the_same(printed: dict[Language, dict[str, str]], name: str) -> None:
    analysis, label = RECORDS[name]
    scores = [*scores_of(analysis), *times_of(analysis), *figures_of(analysis), QUALITY]
    for language, parts in printed.items():
        words, part = words_of(language), parts[name]
        assert words(f"label.{label}") in part
        assert squeezed(unmarked(lead_text(analysis, words))) in squeezed(part)
        for said in re.findall(r"(?<![\w.])0\.\d{2,3}(?![\d\w])", part):
            assert holds(scores, said), said
        for reason in analysis.conclusion.reasons:
            assert (squeezed(reason.text) in squeezed(part)) == (language == "en"), reason.code
        assert not [*JARGON.findall(part), *IDS.findall(part)]


def test_the_printed_report_tells_no_score_that_is_withheld(printed: dict[Language, dict[str, str]]) -> None:
    for language, parts in printed.items():
        assert squeezed(words_of(language)("brief.withheld")) in squeezed(parts["withheld"])
        assert not re.search(r"(?<![\d.])0\.\d\d", parts["withheld"])


def test_what_backs_a_score_is_said_of_the_exhibits_of_which_it_holds(
    printed: dict[Language, dict[str, str]],
) -> None:
    for language, parts in printed.items():
        words = words_of(language)
        of: dict[str, list[str]] = {}
        for number, (analysis, _) in enumerate(RECORDS.values(), start=1):
            said = "no_score" if analysis.conclusion.score is None else "uncalibrated"
            said = "calibrated" if analysis.conclusion.likelihood_ratio is not None else said
            of.setdefault(said, []).append(words("exhibit.title", number=number))
        assert len(of) == 3
        for said, titles in of.items():
            told = unmarked(", ".join(titles) + words(f"strength.{said}"))
            assert squeezed(told) in squeezed(parts["whole"])


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_a_specialist_looks_for_is_no_finding(language: str) -> None:
    words = words_of(language)
    begin = {"en": "Looks for ", "es": "Busca ", "ar": "يبحث عن "}[language]
    for cue, meaning in CUE_MEANINGS.items():
        assert words(f"cue.{cue}.meaning").startswith(begin)
        assert language != "en" or words(f"cue.{cue}.meaning") == meaning.meaning
