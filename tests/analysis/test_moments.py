"""A face that is manipulated for a part of the time is not called genuine, and the times are on record."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detector.analysis import analysis_from_dict, analysis_to_dict, analyze
from detector.analysis.aggregate import deciding_tracks
from detector.analysis.conclusion import Findings, conclude
from detector.analysis.types import Conclusion, FrameScore, Interval, ModelResult, Moment, Reason, TrackScore
from detector.evidence.types import Evidence
from detector.faces.types import FaceTrack
from detector.registry import Thresholds
from detector.settings import AnalysisSettings
from tests.analysis.fakes import FakeCard, FakeModel, FakeReader, fake_components, make_evidence, make_track

SETTINGS = AnalysisSettings()
LEVELS = Thresholds(1.0, -0.5, "set by hand", run_logit=2.0, peak_logit=1.5)
PASTED = [-2.0] * 30 + [3.0] * 12 + [-2.0] * 18  # a frame each tenth of a second
TORN = [-2.0] * 10 + [1.8, 1.9] + [-2.0] * 10 + [3.0] + [-2.0] * 20


def scored(track: FaceTrack, logits: list[float], *intervals: Interval) -> TrackScore:
    frames = tuple(
        FrameScore(face.frame_index, face.pts, face.pts_s, logit, face.face.quality.weight)
        for face, logit in zip(track.faces, logits, strict=True)
    )
    return TrackScore(track.track_id, float(np.mean(logits)), frames, intervals=intervals)


def result(*scores: TrackScore, model_id: str = "face", kind: str = "frame") -> ModelResult:
    return ModelResult(model_id, "00" * 32, max(score.logit for score in scores), scores, None, kind)


def draw(
    tracks: tuple[FaceTrack, ...],
    *results: ModelResult,
    levels: Thresholds | tuple[Thresholds, ...] = LEVELS,
    evidence: Evidence | None = None,
) -> Conclusion:
    evidence = evidence or make_evidence()
    deciding = deciding_tracks(tracks, SETTINGS, still=evidence.kind == "still")
    decisions = levels if isinstance(levels, tuple) else (levels,) * len(results)
    return conclude(Findings(evidence, SETTINGS, tracks, deciding, results, decisions, 60, 60))


def only(conclusion: Conclusion, code: str) -> Reason:
    (found,) = [reason for reason in conclusion.reasons if reason.code == code]
    return found


def codes(conclusion: Conclusion) -> set[str]:
    return {reason.code for reason in conclusion.reasons}


def test_a_run_that_the_mean_hides_is_called_for_what_it_is_and_the_score_stays() -> None:
    track = make_track(1, len(PASTED))
    conclusion = draw((track,), result(scored(track, PASTED)))
    assert conclusion.label == "likely_manipulated"
    assert conclusion.score == pytest.approx(1 / (1 + np.exp(-np.mean(PASTED))))
    assert conclusion.score < 0.4
    assert "between_thresholds" not in codes(conclusion)
    reason = conclusion.reasons[0]
    assert reason.text == (
        "Manipulation is indicated from 2.95 s to 4.15 s: face gives face track 1 a score of 0.95 there and of 0.27 as "
        "a whole. The label follows that time, the score is that of the whole track."
    )
    assert reason.moments == (Moment(1, pytest.approx(2.95), pytest.approx(4.15), 30, 3.0, pytest.approx(3.0), "face"),)


def test_without_levels_on_the_card_nothing_changes() -> None:
    track = make_track(1, len(PASTED))
    for logits in (PASTED, TORN):
        conclusion = draw((track,), result(scored(track, (logits + [-2.0] * 60)[:60])), levels=Thresholds(1, -0.5, ""))
        assert conclusion.label == "no_manipulation_found"
        assert not any(reason.moments for reason in conclusion.reasons)


@pytest.mark.parametrize(
    ("track", "code"),
    [
        (make_track(1, len(PASTED), size_px=30.0), "small_faces"),
        (make_track(1, len(PASTED), source="centre_crop"), "fallback_only"),
    ],
)
def test_a_limit_keeps_a_run_inconclusive(track: FaceTrack, code: str) -> None:
    conclusion = draw((track,), result(scored(track, PASTED)))
    assert conclusion.label == "inconclusive"
    assert conclusion.reasons[0].code == code
    assert "The label follows" not in only(conclusion, "run").text


def test_damage_keeps_a_run_inconclusive() -> None:
    track = make_track(1, len(PASTED))
    damaged = make_evidence(frames=1000, decode_errors=100)
    assert draw((track,), result(scored(track, PASTED)), evidence=damaged).label == "inconclusive"


def test_peaks_forbid_to_say_that_nothing_was_found_and_name_their_times() -> None:
    track = make_track(1, len(TORN))
    conclusion = draw((track,), result(scored(track, TORN)))
    assert conclusion.label == conclusion.called == "inconclusive"
    reason = conclusion.reasons[0]
    assert reason.code == "peaks"
    assert reason.text.startswith("Look at 1.10 s and 2.20 s: face gives face track 1 a score of up to 0.95 there")
    assert reason.text.endswith("Too little to speak of manipulation, too much to say that none was found.")
    assert [(moment.pts, moment.logit) for moment in reason.moments] == [(11, 1.9), (22, 3.0)]
    calm = [-2.0] * len(TORN)
    assert draw((track,), result(scored(track, calm))).label == "no_manipulation_found"


def test_of_many_peaks_the_five_highest_are_named_in_order_of_time() -> None:
    logits = [value for peak in (2.6, 3.0, 2.7, 2.9, 2.5, 2.8, 3.1) for value in (-2.0, -2.0, -2.0, peak)]
    track = make_track(1, len(logits))
    reason = only(draw((track,), result(scored(track, logits))), "peaks")
    assert reason.text.startswith("Look at 0.70 s, 1.10 s, 1.50 s, 2.30 s, 2.70 s and 2 more:")
    assert [moment.pts_s for moment in reason.moments] == [0.7, 1.1, 1.5, 2.3, 2.7]


def test_peaks_change_no_other_label() -> None:
    track = make_track(1, len(TORN))
    middling = [logit + 1.8 if logit < 0 else logit for logit in TORN]
    between = draw((track,), result(scored(track, middling)))
    assert between.label == "inconclusive"
    assert {"between_thresholds", "peaks"} <= codes(between)
    assert "too much to say" not in only(between, "peaks").text
    high = draw((track,), result(scored(track, [3.0] * len(TORN))))
    assert high.label == "likely_manipulated"
    assert "peaks" not in codes(high)


def test_a_segment_of_a_model_over_time_forbids_to_say_that_nothing_was_found() -> None:
    track = make_track(1, 40)
    calm = [-2.0] * 40
    segment = Interval(1.0, 2.0, 2.5)
    rising = [-2.0] * 10 + [1.0 + 0.05 * index for index in range(10)] + [-2.0] * 20
    face, over_time = scored(track, calm), scored(track, rising, segment)
    together = result(face, model_id="together", kind="ensemble")
    conclusion = draw((track,), together, result(over_time, model_id="time", kind="sequence"))
    assert conclusion.label == "inconclusive"
    assert conclusion.reasons[0].code == "stretch"
    assert conclusion.reasons[0].moments == (Moment(1, 1.0, 2.0, 19, 1.9, 2.5, "time"),)
    without = replace(over_time, intervals=())
    unmarked = draw((track,), together, result(without, model_id="time", kind="sequence"))
    assert unmarked.label == "no_manipulation_found"


def test_a_run_and_the_segment_over_it_are_told_as_one() -> None:
    track = make_track(1, len(PASTED))
    segments = (Interval(2.5, 4.0, 3.0), Interval(5.0, 5.5, 3.0))
    together = result(scored(track, PASTED), model_id="together", kind="ensemble")
    over_time = result(scored(track, PASTED, *segments), model_id="time", kind="sequence")
    conclusion = draw((track,), together, over_time)
    assert conclusion.label == "likely_manipulated"
    reason = only(conclusion, "run")
    assert reason.text.startswith("Manipulation is indicated from 2.50 s to 4.15 s: together gives")
    assert "; time singles out the same time." in reason.text
    assert "time singles out 5.00 s to 5.50 s as unlike the rest of the track." in only(conclusion, "stretch").text


def test_a_model_without_a_vote_has_peaks_and_no_runs() -> None:
    track = make_track(1, len(PASTED))
    together = result(scored(track, [-2.0] * len(PASTED)), model_id="together", kind="ensemble")
    member = result(scored(track, PASTED), model_id="face")
    conclusion = draw((track,), together, member)
    assert conclusion.label == "inconclusive"
    assert only(conclusion, "peaks").moments[0].model_id == "face"
    assert "run" not in codes(conclusion)


def test_every_face_that_may_decide_is_looked_at() -> None:
    tracks = (make_track(1, len(PASTED), left=1.0), make_track(2, len(PASTED), left=40.0))
    steady = [-0.6] * len(PASTED)
    conclusion = draw(tracks, result(scored(tracks[0], steady), scored(tracks[1], PASTED)))
    assert conclusion.label == "likely_manipulated"
    assert conclusion.score == pytest.approx(1 / (1 + np.exp(0.6)))
    assert only(conclusion, "run").moments[0].track_id == 2
    small = make_track(2, len(PASTED), left=40.0, size_px=30.0)
    capped = draw((tracks[0], small), result(scored(tracks[0], steady), scored(small, PASTED)))
    assert capped.label == "inconclusive"
    assert capped.reasons[0].code == "small_faces"


def test_a_run_of_one_model_contradicts_another_that_finds_nothing() -> None:
    track = make_track(1, len(PASTED))
    calm = result(scored(track, [-2.0] * len(PASTED)), model_id="other")
    split = draw((track,), result(scored(track, PASTED)), calm)
    assert split.label == "inconclusive"
    assert "models_disagree" in codes(split)
    agreeing = draw((track,), result(scored(track, PASTED)), result(scored(track, PASTED), model_id="other"))
    assert agreeing.label == "likely_manipulated"


def test_a_still_has_no_moments() -> None:
    track, still = make_track(1, 1), make_evidence(kind="still")
    conclusion = draw((track,), result(TrackScore(1, -2.0, scored(track, [9.0]).frames)), evidence=still)
    assert conclusion.label == "no_manipulation_found"
    assert not any(reason.moments for reason in conclusion.reasons)


def test_the_times_are_in_the_record_and_records_without_them_are_read() -> None:
    model = FakeModel(card=FakeCard(thresholds=Thresholds(20.0, 10.0, "set by hand", run_logit=4.0, peak_logit=5.0)))
    made = analyze(make_evidence(frames=400), [model], SETTINGS, components=fake_components(FakeReader(20)))
    assert made.conclusion.label == "likely_manipulated"
    data = analysis_to_dict(made)
    stored = data["conclusion"]["reasons"][0]["moments"][0]
    assert set(stored) == {"track_id", "start_s", "end_s", "pts", "pts_s", "logit", "model_id"}
    assert analysis_from_dict(data, stored_path=made.evidence.file.path) == made
    for reason in data["conclusion"]["reasons"]:
        del reason["moments"]
    older = analysis_from_dict(data, stored_path=Path("/gone"))
    assert [reason.text for reason in older.conclusion.reasons] == [reason.text for reason in made.conclusion.reasons]
    assert not any(reason.moments for reason in older.conclusion.reasons)
