"""Runs and peaks among the frames of one face."""

from __future__ import annotations

import numpy as np
import pytest

from detector.analysis.frame_series import LEAST_RUN_FRAMES, SINGLE_FRAME_MARGIN, FrameSeries


def series(logits: list[float], *, step_s: float = 0.2, weights: list[float] | None = None) -> FrameSeries:
    return FrameSeries.of([step_s * index for index in range(len(logits))], logits, weights or [1.0] * len(logits))


def highest_of_all_windows(one: FrameSeries) -> float | None:
    """Every window, long ones too, by the definition."""
    step_s = float(np.median(np.diff(one.pts_s)))
    means = [
        float(np.average(one.logit[start:stop], weights=one.weight[start:stop]))
        for start in range(len(one.logit))
        for stop in range(start + LEAST_RUN_FRAMES, len(one.logit) + 1)
        if one.pts_s[stop - 1] - one.pts_s[start] + step_s >= 1.0 - 1e-3
    ]
    return max(means, default=None)


@pytest.mark.parametrize("seed", range(20))
def test_the_highest_run_is_that_of_all_windows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(5, 40))
    times = np.cumsum(rng.choice([0.04, 0.2, 0.2, 0.5], count))
    one = FrameSeries.of(times.tolist(), rng.normal(0, 2, count).tolist(), rng.uniform(0.1, 1, count).tolist())
    expected = highest_of_all_windows(one)
    assert one.highest_run == (None if expected is None else pytest.approx(expected))


def test_a_second_is_a_run_and_less_is_none() -> None:
    assert series([-2.0] * 5 + [4.0] * 5 + [-2.0] * 5).highest_run == pytest.approx(4.0)
    assert series([-2.0] * 5 + [4.0] * 4 + [-2.0] * 5).highest_run == pytest.approx(2.8)
    assert series([4.0] * 4).highest_run is None
    assert series([4.0] * 15, step_s=0.04).highest_run is None  # 0.6 s
    assert series([4.0] * 25, step_s=0.04).highest_run == pytest.approx(4.0)


def test_a_run_reaches_from_its_first_to_its_last_high_frame() -> None:
    one = series([-2.0] * 8 + [3.0] * 4 + [1.0] + [3.0] * 9 + [-2.0] * 4)
    (found,) = one.runs(2.0)
    assert (found.start, found.stop) == (8, 22)  # the one low frame within does not end it
    assert one.span_s(found) == (pytest.approx(1.5), pytest.approx(4.3))
    assert one.mean(found) == pytest.approx((13 * 3 + 1) / 14)
    assert one.runs(3.5) == ()


def test_runs_apart_are_told_apart_and_end_with_the_frames() -> None:
    one = series([3.0] * 6 + [-3.0] * 8 + [3.0] * 6)
    assert [(part.start, part.stop) for part in one.runs(2.5)] == [(0, 6), (14, 20)]
    assert one.span_s(one.runs(2.5)[0])[0] == 0.0
    assert one.span_s(one.runs(2.5)[1])[1] == pytest.approx(3.8)


def test_two_frames_in_a_row_are_a_peak_and_one_only_where_it_is_far_above() -> None:
    one = series([-2.0, 1.2, 1.4, -2.0, 1.3, -2.0, 1.0 + SINGLE_FRAME_MARGIN, -2.0])
    assert [(part.start, part.stop) for part in one.peaks(1.0)] == [(1, 3), (6, 7)]
    assert one.highest_peak == pytest.approx(1.2)
    assert len(one.peaks(1.2)) == 1
    assert one.peaks(1.2 + 1e-6) == ()
    assert series([3.0]).highest_peak == pytest.approx(3.0 - SINGLE_FRAME_MARGIN)
    assert series([]).highest_peak is None


def test_worthless_frames_make_neither_a_run_nor_a_peak() -> None:
    logits = [-2.0] * 6 + [6.0] * 6 + [-2.0] * 6
    worthless = series(logits, weights=[1.0] * 6 + [0.1] * 6 + [1.0] * 6)
    assert worthless.highest_peak == pytest.approx(-2.0)
    assert worthless.highest_run == pytest.approx(-2.0)
    poor = series(logits, weights=[1.0] * 6 + [0.25] * 6 + [1.0] * 6)
    assert len(poor.runs(5.0)) == 1


def test_quality_weighs_within_a_run() -> None:
    one = series([4.0, 4.0, 0.0, 0.0, 0.0], weights=[1.0, 1.0, 0.2, 0.2, 0.2])
    assert one.highest_run == pytest.approx(8 / 2.6)


@pytest.mark.parametrize(
    ("times", "logits"), [([0.0, 0.2], [1.0]), ([0.2, 0.0], [1.0, 1.0]), ([0.0, 0.2], [1.0, float("nan")])]
)
def test_what_is_no_series_is_refused(times: list[float], logits: list[float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        FrameSeries.of(times, logits, [1.0] * len(logits))
