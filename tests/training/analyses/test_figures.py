"""Figures of a cue, against values worked out by hand; what the clips do not allow is null with its reason."""

from __future__ import annotations

import math

import pytest

from detector.training.analyses.figures import contrasts, cue_figures
from detector.training.analyses.measures import Meaning
from tests.training.analyses.clips import labelled, lot


def test_accuracies_bias_and_confidence_are_those_of_the_scores() -> None:
    found = cue_figures("BG", lot("BG", [0.1, 0.2, 0.3, 0.9], [0.8, 0.4, 0.3, 0.2, 0.1]))
    shares = found.accuracy
    assert (shares.real.value, shares.fake.value) == (0.75, 0.2)
    assert shares.overall.value == pytest.approx(4 / 9, abs=1e-4)
    assert shares.balanced.value == pytest.approx(0.475)
    assert shares.auc.value == pytest.approx((3 + 3 + 2.5 + 1.5 + 0.5) / 20)
    assert found.bias_points.value == pytest.approx(55)
    assert found.mean_confidence.value == pytest.approx((3 * 0.9 + 3 * 0.8 + 2 * 0.7 + 0.6) / 9, abs=1e-4)
    assert [row.file for row in found.miscalled] == ["3.mp4", "8.mp4", "7.mp4", "6.mp4", "5.mp4"]
    low, high = shares.overall.interval
    assert low < 4 / 9 < high


def test_clips_without_a_score_are_counted_by_reason_and_enter_nothing() -> None:
    with_gaps = cue_figures("AV", lot("AV", [0.1, 0.2, 0.9, None], [0.8, 0.7, 0.6, None, None]))
    without = cue_figures("AV", lot("AV", [0.1, 0.2, 0.9], [0.8, 0.7, 0.6]))
    assert with_gaps.unscored == {"The cue does not apply.": 3}
    assert (with_gaps.scored, with_gaps.accuracy.overall.value) == (6, without.accuracy.overall.value)


def test_too_few_clips_of_a_label_give_no_figure_but_a_reason() -> None:
    found = cue_figures("BG", lot("BG", [0.1, 0.2, 0.3], [0.8, 0.9]))
    assert found.accuracy.real.value == 1
    for none in (found.accuracy.fake, found.accuracy.overall, found.accuracy.auc, found.bias_points):
        assert none.value is None
        assert "2 manipulated clips" in (none.reason or "")
    assert cue_figures("BG", []).mean_confidence.value is None


@pytest.mark.parametrize(("scores", "called"), [((0.1, 0.4), "real"), ((0.6, 0.9), "fake"), ((0.4, 0.6), None)])
def test_all_one_class_is_noticed(scores: tuple[float, float], called: str | None) -> None:
    assert cue_figures("BG", lot("BG", [*scores, 0.9 * scores[0]], [*scores, scores[0]])).called_all == called


def test_consistency_is_the_share_of_frames_that_are_called_as_the_clip_is() -> None:
    clips = [labelled(number, number % 2 == 0, {"BG": 0.7}, parts=(0.9, 0.8, 0.6, 0.2)) for number in range(3)]
    assert cue_figures("BG", clips).consistency.value == 0.75
    alone = [labelled(number, False, {"BG": 0.7}, parts=(0.7,)) for number in range(3)]
    assert "several scored frames" in (cue_figures("BG", alone).consistency.reason or "")


def test_measures_are_set_side_by_side_and_ranked_alone() -> None:
    clips = [labelled(n, n >= 4, {"CM": 0.5}, measures={"blockiness": float(n)}) for n in range(8)]
    row = next(row for row in cue_figures("CM", clips).measurements if row.name == "blockiness")
    assert (row.real_mean.value, row.fake_mean.value, row.auc.value) == (1.5, 5.5, 1.0)
    absent = next(row for row in cue_figures("CM", clips).measurements if row.name == "estimated_quality")
    assert absent.real_mean.value is None
    assert "0 genuine clips" in (absent.auc.reason or "")


def test_angles_are_averaged_round_the_circle_and_not_ranked() -> None:
    values = [170.0, -170.0, 180.0, 10.0, -10.0, 0.0]
    clips = [labelled(n, n >= 3, {}, traits={"angle": value}) for n, value in enumerate(values)]
    (row,) = contrasts({"angle": Meaning("an angle", "degrees")}, clips, lambda clip: clip.found.traits)
    assert abs(row.real_mean.value or 0) == pytest.approx(180)
    assert row.fake_mean.value == pytest.approx(0, abs=1e-6)
    assert row.auc.value is None
    assert not math.isnan(row.real_mean.value or 0)
