"""Frame logits become segments of time: spikes do not, borders lie between frames, whole clips stay whole."""

import itertools

import numpy as np
import pytest

from detector.analysis.kinds.sequence.intervals import intervals_of, overlap


def test_a_spliced_stretch_is_found_between_its_neighbours() -> None:
    times = np.arange(20) * 0.2
    logits = np.where((times > 1.1) & (times < 2.5), 2.0, -2.0)
    (found,) = intervals_of(logits, times)
    assert (found.start_s, found.end_s) == pytest.approx((1.1, 2.5))
    assert found.logit == pytest.approx(2.0)


def test_one_loud_frame_makes_no_stretch_and_one_gap_does_not_break_one() -> None:
    times = np.arange(20) * 0.2
    quiet = np.full(20, -1.5)
    quiet[7] = 50
    assert intervals_of(quiet, times) == ()
    loud = np.where((times > 1.1) & (times < 2.9), 2.5, -2.0)
    loud[9] = -2.0
    (found,) = intervals_of(loud, times)
    assert (found.start_s, found.end_s) == pytest.approx((1.1, 2.9))


def test_a_face_that_scores_alike_all_along_has_no_stretch_however_high() -> None:
    times = np.arange(20) * 0.2
    wobble = np.random.default_rng(0).normal(0, 0.3, 20)
    for level in (-5.0, 0.0, 5.0):
        assert intervals_of(level + wobble, times) == ()


def test_seconds_come_from_the_times_and_not_from_the_index() -> None:
    logits = [-3.0] * 3 + [3.0] * 3 + [-3.0] * 3
    (found,) = intervals_of(logits, [-1.0, 0.0, 1.0, 5.0, 5.5, 6.0, 20.0, 21.0, 22.0])
    assert (found.start_s, found.end_s) == pytest.approx((3.0, 13.0))


def test_the_path_is_the_best_of_all_paths() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        logits = rng.normal(0, 2, 9)

        def worth(path: tuple[bool, ...], logits: np.ndarray = logits) -> float:
            switches = sum(a != b for a, b in itertools.pairwise(path))
            contrast = logits - np.quantile(logits, 0.25) - 1.0
            return float(np.clip(contrast, -4, 4) @ np.array(path, float)) - 2.0 * switches

        found = intervals_of(logits, np.arange(9.0))
        inside = [any(one.start_s <= t <= one.end_s for one in found) for t in np.arange(9.0)]
        assert worth(tuple(inside)) == pytest.approx(max(map(worth, itertools.product([False, True], repeat=9))))


def test_the_margin_decides_how_much_is_enough_and_nothing_is_found_in_nothing() -> None:
    times = np.arange(12.0)
    logits = np.where((times > 2) & (times < 8), 1.6, 0.0)
    assert intervals_of(logits, times, margin_logit=1.5) == ()
    assert len(intervals_of(logits, times, margin_logit=0.5)) == 1
    assert intervals_of([], []) == ()


@pytest.mark.parametrize(
    ("logits", "times"), [([1.0], [0.0, 1.0]), ([np.nan, 1.0], [0.0, 1.0]), ([1.0, 1.0], [1.0, 1.0])]
)
def test_what_cannot_be_placed_in_time_is_refused(logits: list[float], times: list[float]) -> None:
    with pytest.raises(ValueError, match="expected"):
        intervals_of(logits, times)


def test_overlap_of_stretches() -> None:
    assert overlap((0, 2), (1, 3)) == pytest.approx(1 / 3)
    assert overlap((0, 1), (2, 3)) == 0
    assert overlap((1, 2), (1, 2)) == 1
