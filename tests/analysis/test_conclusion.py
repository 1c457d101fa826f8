"""Which track decides, and what each limit does to a conclusion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from detector.analysis.aggregate import FaceKey, deciding_tracks, track_score
from detector.analysis.conclusion import Findings, conclude
from detector.analysis.results import worst
from detector.analysis.strength import thresholds_in_force
from detector.analysis.types import Conclusion, Interval, Member, ModelResult
from detector.calibration.calibration import Calibration, ErrorRow, Policy
from detector.calibration.familiar import FamiliarAppearance
from detector.evidence.types import Evidence
from detector.faces.types import FaceTrack
from detector.measurement.conditions import size_class
from detector.registry import Thresholds
from detector.settings import AnalysisSettings
from tests.analysis.fakes import make_evidence, make_track

SETTINGS = AnalysisSettings()


def logits_of(tracks: tuple[FaceTrack, ...], values: tuple[float, ...]) -> dict[FaceKey, float]:
    """Every face of the n-th track gets the n-th value."""
    return {
        FaceKey(tracked.frame_index, tracked.face.bbox_xyxy_px): value
        for track, value in zip(tracks, values, strict=True)
        for tracked in track.faces
    }


def draw(
    tracks: tuple[FaceTrack, ...],
    *values: tuple[float, ...],
    evidence: Evidence | None = None,
    frames_with_face: int = 20,
    kinds: list[str] | None = None,
    calibrations: tuple[Calibration | None, ...] = (),
    decision: Thresholds | None = None,
    settings: AnalysisSettings | None = None,
    appearance: tuple[float, ...] | None = None,
) -> Conclusion:
    """The conclusion where the n-th model gives `values[n]`, one value a track; thresholds are +1 and -1."""
    evidence = evidence or make_evidence()
    deciding = deciding_tracks(tracks, SETTINGS, still=evidence.kind == "still")
    results = tuple(
        result_of(f"model{number}", kind, tracks, deciding, row)
        for number, (row, kind) in enumerate(zip(values, kinds or ["frame"] * len(values), strict=True))
    )
    decisions = tuple(decision or Thresholds(1.0, -1.0, "") for _ in values)
    return conclude(
        Findings(
            evidence,
            settings or SETTINGS,
            tracks,
            deciding,
            results,
            decisions,
            20,
            frames_with_face,
            calibrations,
            appearance,
        )
    )


def result_of(
    model_id: str, kind: str, tracks: tuple[FaceTrack, ...], deciding: tuple[FaceTrack, ...], row: tuple[float, ...]
) -> ModelResult:
    logits = logits_of(tracks, row)
    scores = tuple(score for track in tracks if (score := track_score(track, logits)) is not None)
    logit = worst(scores, deciding)
    return ModelResult(model_id, "00" * 32, logit, scores, None if logit is not None else "No value.", kind)


def codes(conclusion: Conclusion) -> list[str]:
    return [reason.code for reason in conclusion.reasons]


@pytest.mark.parametrize(
    ("logit", "label"),
    [
        (1.0, "likely_manipulated"),
        (5.0, "likely_manipulated"),
        (0.99, "inconclusive"),
        (0.0, "inconclusive"),
        (-1.0, "no_manipulation_found"),
        (-4.0, "no_manipulation_found"),
    ],
)
def test_the_thresholds_of_the_card_decide(logit: float, label: str) -> None:
    conclusion = draw((make_track(1, 20),), (logit,))
    assert conclusion.label == label
    assert conclusion.score == pytest.approx(1 / (1 + np.exp(-logit)))
    assert ("between_thresholds" in codes(conclusion)) == (label == "inconclusive")


def test_nothing_is_calibrated_yet_and_every_score_says_so() -> None:
    conclusion = draw((make_track(1, 20),), (3.0,))
    assert "uncalibrated" in codes(conclusion)
    assert (conclusion.calibrated, conclusion.likelihood_ratio, conclusion.interval) == (False, None, None)


@pytest.mark.parametrize(
    ("track", "code"),
    [
        (make_track(1, 4), "few_frames"),
        (make_track(1, 20, size_px=30.0), "small_faces"),
        (make_track(1, 20, weight=0.05), "low_quality"),
        (make_track(1, 20, source="centre_crop"), "fallback_only"),
    ],
)
@pytest.mark.parametrize("logit", [6.0, -6.0])
def test_a_limit_allows_nothing_stronger_than_inconclusive(track: FaceTrack, code: str, logit: float) -> None:
    conclusion = draw((track,), (logit,))
    assert conclusion.label == "inconclusive"
    assert codes(conclusion)[0] == code
    assert conclusion.score == pytest.approx(1 / (1 + np.exp(-logit)))


def test_damage_caps_and_a_few_complaints_are_only_told() -> None:
    badly = draw((make_track(1, 20),), (6.0,), evidence=make_evidence(frames=1000, decode_errors=11))
    assert (badly.label, codes(badly).count("decode_errors")) == ("inconclusive", 1)
    slightly = draw((make_track(1, 20),), (6.0,), evidence=make_evidence(frames=1000, decode_errors=10))
    assert (slightly.label, codes(slightly).count("decode_errors")) == ("likely_manipulated", 1)


def test_what_the_scores_call_for_is_kept_where_a_limit_weakens_the_label() -> None:
    few, small = make_track(0, 3), make_track(0, 20, size_px=30)
    for track in (few, small):
        found = draw((track,), (3.0,))
        assert (found.label, found.called) == ("inconclusive", "likely_manipulated")
    assert draw((make_track(0, 20),), (-3.0,)).called == "no_manipulation_found"
    assert draw((make_track(0, 20),), (0.0,)).called == "inconclusive"
    assert draw((make_track(0, 20),), (3.0,), (-3.0,)).called == "inconclusive"  # they contradict each other
    assert draw((make_track(0, 20),)).called is None


def test_models_that_contradict_each_other_are_inconclusive() -> None:
    track = (make_track(1, 20),)
    split = draw(track, (6.0,), (-2.0,))
    assert split.label == "inconclusive"
    assert "models_disagree" in codes(split)
    assert split.score == pytest.approx(1 / (1 + np.exp(-2.0)))
    agreeing = draw(track, (6.0,), (0.5,))
    assert agreeing.label == "likely_manipulated"
    assert "models_disagree" not in codes(agreeing)


def test_the_worst_track_decides_and_is_named_with_its_time() -> None:
    tracks = (make_track(1, 20, left=1.0), make_track(2, 10, left=40.0))
    conclusion = draw(tracks, (-3.0, 4.0))
    assert conclusion.label == "likely_manipulated"
    deciding = next(reason for reason in conclusion.reasons if reason.code == "deciding_track")
    assert "track 2 (0.00 s to 0.90 s)" in deciding.text


@pytest.mark.parametrize("flicker", [make_track(2, 3, left=40.0), make_track(2, 12, left=40.0, weight=0.02)])
def test_a_short_or_worthless_track_does_not_outvote_a_good_one(flicker: FaceTrack) -> None:
    conclusion = draw((make_track(1, 20, left=1.0), flicker), (-3.0, 9.0))
    assert conclusion.label == "no_manipulation_found"
    assert conclusion.score is not None
    assert conclusion.score < 0.1


def test_a_short_track_decides_where_there_is_no_longer_one() -> None:
    conclusion = draw((make_track(1, 2, left=1.0), make_track(2, 3, left=40.0)), (-3.0, 4.0))
    assert codes(conclusion)[0] == "few_frames"
    assert conclusion.score is not None
    assert conclusion.score > 0.9


def test_a_track_score_is_the_mean_weighted_by_quality() -> None:
    good, bad = make_track(1, 1, weight=0.9), make_track(1, 2, weight=0.1)
    track = FaceTrack(1, 0, (good.faces[0], bad.faces[1]))
    logits = {FaceKey(0, good.faces[0].face.bbox_xyxy_px): 2.0, FaceKey(1, bad.faces[1].face.bbox_xyxy_px): -8.0}
    score = track_score(track, logits)
    assert score is not None
    assert score.logit == pytest.approx(0.9 * 2.0 + 0.1 * -8.0)
    assert [frame.weight for frame in score.frames] == [0.9, 0.1]


def test_worthless_faces_still_have_a_finite_score() -> None:
    track = make_track(1, 3, weight=0.0)
    score = track_score(track, logits_of((track,), (1.5,)))
    assert score is not None
    assert score.logit == pytest.approx(1.5)


def test_sparse_sampling_and_rare_faces_are_told() -> None:
    evidence = make_evidence(frames=500)
    seldom = draw((make_track(1, 8),), (3.0,), evidence=evidence, frames_with_face=8)
    assert {"sampled", "face_coverage"} <= set(codes(seldom))
    often = draw((make_track(1, 20),), (3.0,))
    assert not {"sampled", "face_coverage"} & set(codes(often))


def test_every_reason_is_a_plain_sentence() -> None:
    evidence = make_evidence(frames=500, decode_errors=200)
    conclusion = draw((make_track(1, 3, size_px=20.0, weight=0.1),), (0.2,), (5.0,), evidence=evidence)
    assert len(conclusion.reasons) >= 7
    for reason in conclusion.reasons:
        assert reason.text.endswith(".")
        assert "None" not in reason.text
        assert "nan" not in reason.text


def test_an_ensemble_decides_alone() -> None:
    track = (make_track(1, 20),)
    conclusion = draw(track, (-5.0,), (6.0,), (1.5,), kinds=["frame", "specialists", "ensemble"])
    assert conclusion.label == "likely_manipulated"
    assert conclusion.score == pytest.approx(1 / (1 + np.exp(-1.5)))
    assert "models_disagree" not in codes(conclusion)  # weighing its members is the ensemble's own work


def test_an_ensemble_without_a_score_leaves_the_others_to_decide() -> None:
    conclusion = draw((make_track(1, 20),), (2.0,), (float("nan"),), kinds=["frame", "ensemble"])
    assert conclusion.label == "likely_manipulated"
    assert "model_failed" in codes(conclusion)


def test_good_lip_synchrony_never_lowers_a_score() -> None:
    track = (make_track(1, 20),)
    alone = draw(track, (2.0,))
    with_good_sync = draw(track, (2.0,), (-9.0,), kinds=["frame", "audiovisual"])
    assert with_good_sync.score == alone.score
    assert with_good_sync.label == alone.label
    assert draw(track, (-4.0,), (-2.0,), kinds=["frame", "audiovisual"]).score == draw(track, (-4.0,)).score
    raised = draw(track, (0.0,), (8.0,), kinds=["frame", "audiovisual"])
    assert raised.score == pytest.approx(1 / (1 + np.exp(-4.0)))


def test_good_lip_synchrony_alone_finds_nothing_at_all() -> None:
    conclusion = draw((make_track(1, 20),), (-9.0,), kinds=["audiovisual"])
    assert conclusion.label == "inconclusive"
    assert "between_thresholds" in codes(conclusion)
    assert draw((make_track(1, 20),), (9.0,), kinds=["audiovisual"]).label == "likely_manipulated"


def test_the_member_that_an_ensembles_score_mostly_rests_on_is_named() -> None:
    tracks = (make_track(1, 20),)
    together = result_of("together", "ensemble", tracks, tracks, (2.0,))
    silent = Member("sound", "AV", None, None, "No sound.")
    for share, named in ((0.8, True), (0.4, False)):
        members = (Member("faces", None, 3.0, share), Member("rest", None, 0.0, 0.5 - share / 2), silent)
        results, decisions = (replace(together, members=members),), (Thresholds(1.0, -1.0, ""),)
        conclusion = conclude(Findings(make_evidence(), SETTINGS, tracks, tracks, results, decisions, 20, 20))
        text = next(reason.text for reason in conclusion.reasons if reason.code == "deciding_track")
        assert ("80% of the score of together rests on faces." in text) is named


def test_stretches_that_a_model_over_time_singles_out_are_named() -> None:
    tracks = (make_track(1, 20), make_track(2, 20))
    face = result_of("face", "frame", tracks, tracks, (0.0, -2.0))
    labels = {}
    for count, words in ((0, ""), (1, "1.00 s to 1.50 s"), (2, "1.00 s to 1.50 s and 2.00 s to 2.50 s"),
                         (5, "1.00 s to 1.50 s, 2.00 s to 2.50 s, 3.00 s to 3.50 s and 2 more")):  # fmt: skip
        over_time = result_of("time", "sequence", tracks, tracks, (0.0, -2.0))
        segments = tuple(Interval(start, start + 0.5, 2.0) for start in np.arange(1.0, count + 1).tolist())
        scores = tuple(
            replace(score, intervals=segments if score.track_id == tracks[0].track_id else ())
            for score in over_time.tracks
        )
        results = (face, replace(over_time, tracks=scores))
        decisions = (Thresholds(1.0, -1.0, ""),) * 2
        conclusion = conclude(Findings(make_evidence(), SETTINGS, tracks, tracks, results, decisions, 20, 20))
        texts = [reason.text for reason in conclusion.reasons if reason.code == "stretch"]
        assert [text.startswith(f"time singles out {words} as unlike the rest of face track 1.") for text in texts] == [
            True
        ] * bool(count)
        labels[count] = conclusion.label
    assert labels == {0: "no_manipulation_found", 1: "inconclusive", 2: "inconclusive", 5: "inconclusive"}


def calibration(
    *errors: ErrorRow,
    highest: float = 2.0,
    thresholds: tuple[float, float] = (-1.0, 1.0),
    policy: Policy | None = None,
) -> Calibration:
    """A calibration that halves logits, on a set of 40 and 60 clips."""
    whole = ErrorRow(condition="all", value="all", n_real=40, n_fake=60, false_alarms=2, misses=6,
                     false_alarm_interval=(0.01, 0.17), miss_interval=(0.04, 0.2))  # fmt: skip
    return Calibration(
        model_id="model0", made_by="d", set_name="a set", set_sha256="ab" * 32, n_real=40, n_fake=60, sources=5,
        generators=6, method="temperature", parameters=(2.0,), draws=((1.8,), (2.2,)), tried=(), cllr=0.6,
        cllr_min=0.55, ece=0.03, lowest=-1.0, highest=highest, thresholds=thresholds, errors=(whole, *errors),
        policy=policy,
    )  # fmt: skip


def test_a_calibrated_score_has_a_ratio_with_its_interval_its_cap_and_the_errors_of_the_set() -> None:
    conclusion = draw((make_track(0, 20),), (3.0,), calibrations=(calibration(),))
    assert conclusion.label == "likely_manipulated"
    assert conclusion.calibrated
    assert conclusion.likelihood_ratio == pytest.approx(np.exp(1.5))
    assert conclusion.interval == pytest.approx((np.exp(3 / 2.2), np.exp(3 / 1.8)))
    assert "uncalibrated" not in codes(conclusion)
    said = {reason.code: reason.text for reason in conclusion.reasons}
    assert "4.5 times as much to be expected if the face was manipulated" in said["strength"]
    assert "60 manipulated and 40 genuine clips cannot support a ratio above 7.4" in said["strength"]
    assert "2 of 40 genuine clips (1% to 17%)" in said["error_rates"]
    capped = draw((make_track(0, 20),), (30.0,), calibrations=(calibration(),))
    assert capped.likelihood_ratio == pytest.approx(np.exp(2.0))
    assert "at least 7.4 times" in next(reason.text for reason in capped.reasons if reason.code == "strength")


def test_scores_with_mirrored_crops_have_no_ratio_of_a_set_of_plain_ones() -> None:
    mirrored = replace(SETTINGS, test_time_augmentation=True)
    conclusion = draw((make_track(0, 20),), (3.0,), calibrations=(calibration(),), settings=mirrored)
    assert (conclusion.calibrated, conclusion.likelihood_ratio) == (False, None)
    assert "without test-time augmentation" in next(
        one.text for one in conclusion.reasons if one.code == "uncalibrated"
    )


def test_a_low_score_is_evidence_for_the_other_proposition() -> None:
    conclusion = draw((make_track(0, 20),), (-1.5,), calibrations=(calibration(),))
    assert conclusion.label == "no_manipulation_found"
    assert conclusion.likelihood_ratio == pytest.approx(np.exp(-0.75))
    assert "2.1 times as much to be expected if the face is genuine" in next(
        reason.text for reason in conclusion.reasons if reason.code == "strength"
    )


@pytest.mark.parametrize("value", [3.0, -3.0])
def test_a_file_that_the_set_does_not_cover_is_inconclusive_at_the_most(value: float) -> None:
    size = make_track(0, 20).faces[0].face.quality.size_px
    empty = ErrorRow(condition="face_px", value=size_class(size), n_real=0, n_fake=9, false_alarms=0, misses=1)
    conclusion = draw((make_track(0, 20),), (value,), calibrations=(calibration(empty),))
    assert conclusion.label == "inconclusive"
    assert codes(conclusion)[0] == "outside_conditions"
    assert "0 genuine, 9 manipulated" in conclusion.reasons[0].text
    covered = empty.model_copy(update={"n_real": 3})
    assert draw((make_track(0, 20),), (value,), calibrations=(calibration(covered),)).label != "inconclusive"


@pytest.mark.parametrize("value", [3.0, -3.0])
def test_faces_that_look_unlike_the_set_are_inconclusive_at_the_most(value: float) -> None:
    known = FamiliarAppearance(mean=(0.0, 0.0), std=(1.0, 1.0), farthest=2.0, files=60)
    backed = (calibration().model_copy(update={"appearance": known}),)

    def seen(*appearance: float) -> Conclusion:
        return draw((make_track(0, 20),), (value,), calibrations=backed, appearance=appearance or None)

    assert seen(9.0, 9.0).label == "inconclusive"
    assert codes(seen(9.0, 9.0))[0] == "outside_appearance"
    assert "at a distance of 9.00, where 97.5% of its 60 files lie within 2.00" in seen(9.0, 9.0).reasons[0].text
    assert seen(2.0, 2.0).label == seen().label != "inconclusive"


def test_two_models_that_decide_together_and_a_still_have_no_ratio_and_say_why() -> None:
    both = draw((make_track(0, 20),), (3.0,), (3.0,), calibrations=(calibration(), None))
    assert both.likelihood_ratio is None
    assert "several models decide" in both.reasons[-1].text
    still = make_evidence(kind="still")
    single = draw((make_track(0, 20),), (3.0,), evidence=still, calibrations=(calibration(),))
    assert single.interval is None
    assert any("holds no stills" in reason.text for reason in single.reasons)


@pytest.mark.parametrize(
    ("logit", "label"),
    [(2.4, "inconclusive"), (2.5, "likely_manipulated"), (-1.4, "inconclusive"), (-1.5, "no_manipulation_found")],
)
def test_the_thresholds_of_a_laboratory_s_policy_decide_in_place_of_the_card_s(logit: float, label: str) -> None:
    found = calibration(thresholds=(-1.5, 2.5), policy=Policy(false_alarms=0.02, misses=0.03))
    conclusion = draw((make_track(0, 20),), (logit,), calibrations=(found,))
    assert conclusion.label == label
    said = {reason.code: reason.text for reason in conclusion.reasons}
    assert "by the laboratory's policy (at most 2 % of the genuine clips" in said["error_rates"]
    # Without a policy the card's thresholds decide, whatever the calibration's errors were counted at.
    apart = calibration(thresholds=(-1.5, 2.5))
    assert draw((make_track(0, 20),), (logit,), calibrations=(apart,)).label != "inconclusive"


def test_a_policy_of_a_model_that_does_not_decide_alone_or_of_a_still_changes_nothing() -> None:
    found = calibration(thresholds=(-9.0, 9.0), policy=Policy())
    both = draw((make_track(0, 20),), (3.0,), (3.0,), calibrations=(found, None))
    still = draw((make_track(0, 20),), (3.0,), evidence=make_evidence(kind="still"), calibrations=(found,))
    assert (both.label, still.label) == ("likely_manipulated", "likely_manipulated")


def test_a_run_within_a_track_needs_no_less_than_the_policy_asks_of_a_whole_one() -> None:
    card = Thresholds(1.0, -1.0, "", run_logit=1.5, peak_logit=0.5)
    strict = calibration(thresholds=(-1.5, 2.5), policy=Policy())
    lenient = calibration(thresholds=(-1.5, 0.7), policy=Policy())
    found = thresholds_in_force("model0", card, strict)
    assert (found.run_logit, found.peak_logit, found.likely_manipulated_logit) == (2.5, 0.5, 2.5)
    assert thresholds_in_force("model0", card, lenient).run_logit == 1.5
    assert thresholds_in_force("model1", card, strict) == card
    run = draw((make_track(0, 20),), (2.0,), calibrations=(strict,), decision=card)
    assert (run.label, "run" in codes(run)) == ("inconclusive", False)
