"""The deletion test: a map that marks what moves the model passes, one that marks something else does not."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from detector.explain import Heatmap, HeatTest, hide_test
from detector.explain.faithfulness import drop_test, random_sets
from detector.registry.loaded import WindowScores

RNG = np.random.default_rng(3)
CROP = RNG.integers(0, 60, (80, 80, 3)).astype(np.uint8)
CROP[:32, :32] += 150


@dataclass
class Brightest:
    """A model whose score is how far its brightest cells stand out of a layer of 10 x 10."""

    cam_layer: nn.Module = field(default_factory=lambda: nn.AvgPool2d(8))
    batches: list[int] = field(default_factory=list)
    compiled: None = None

    def score(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        self.batches.append(len(crops))
        features = self.cam_layer(torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 10)
        return features.mean(1).flatten(1).topk(10, dim=1).values.mean(1).numpy()


def heatmap(rows: slice, columns: slice) -> Heatmap:
    raw = np.zeros((80, 80), np.float32)
    raw[rows, columns] = 1.0
    return Heatmap(raw, CROP, (0, 0, 80, 80), 0.0, 1.0, "corner", "layer")


def test_taking_away_what_a_true_map_marks_lowers_the_score_more_than_other_places() -> None:
    model = Brightest()
    found = hide_test(model, heatmap(slice(0, 36), slice(0, 36)))  # type: ignore[arg-type]
    assert model.batches == [21]
    assert len(found.drawn) == 19
    assert found.marked < -5
    assert found.marked < min(found.drawn) < 0  # random fifths take some of the corner away, never all of it
    assert found.faithful
    assert not found.no_more_than_chance


def test_a_map_of_another_corner_is_not_faithful() -> None:
    found = hide_test(Brightest(), heatmap(slice(44, 80), slice(44, 80)))  # type: ignore[arg-type]
    assert found.marked == pytest.approx(0, abs=0.5)
    assert found.mean_drawn < found.marked
    assert found.no_more_than_chance


def test_a_map_that_beats_most_random_ones_but_not_all_explains_no_more_than_chance() -> None:
    assert HeatTest(-1.0, (-0.5,) * 19).faithful
    assert HeatTest(-1.0, (-0.5,) * 18 + (-1.2,)).no_more_than_chance
    assert HeatTest(0.1, (0.5,) * 19).no_more_than_chance  # what it marks did not speak for "manipulated"


def test_an_empty_map_is_not_tested() -> None:
    model = Brightest()
    found = hide_test(model, heatmap(slice(0, 0), slice(0, 0)))  # type: ignore[arg-type]
    assert (found.marked, found.drawn) == (0.0, ())
    assert not found.faithful
    assert not found.no_more_than_chance


def test_what_a_small_map_leaves_cold_is_not_counted_as_marked() -> None:
    found = hide_test(Brightest(), heatmap(slice(72, 80), slice(72, 80)))  # type: ignore[arg-type]
    assert found.no_more_than_chance  # the bright corner comes first in reading order, and is not marked


def test_of_random_maps_one_in_twenty_passes() -> None:
    rng, passed = np.random.default_rng(0), 0
    worth = rng.standard_normal(25)
    for _ in range(1000):
        marked = rng.choice(25, 5, replace=False)
        drawn = [worth[places].sum() for places in random_sets(marked, 25, rng)]
        passed += worth[marked].sum() < min(drawn)
    assert 30 <= passed <= 70


def test_too_few_places_leave_a_map_untested_rather_than_failed() -> None:
    sets = random_sets(np.array([0]), 4, np.random.default_rng(0))
    assert sorted(places.tolist() for places in sets) == [[1], [2], [3]]
    test = HeatTest(-1.0, (-0.5,) * 3)
    assert not test.faithful
    assert not test.no_more_than_chance


def test_another_thread_that_scores_meanwhile_sees_the_network_as_it_is() -> None:
    model, scored = Brightest(), []
    before = model.score(CROP[None])

    class Shared(Brightest):
        def score(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
            with ThreadPoolExecutor(1) as pool:
                scored.append(pool.submit(super().score, CROP[None]).result())
            return super().score(crops)

    hide_test(Shared(), heatmap(slice(0, 36), slice(0, 36)))  # type: ignore[arg-type]
    np.testing.assert_array_equal(scored[0], before)


class Weighted:
    """A sequence model whose score is the mean of what its present frames say; the first feature says it."""

    def __init__(self) -> None:
        self.starts_s: list[float] = []

    def score_windows(
        self, features: NDArray[np.float32], times_s: NDArray[np.float32], present: NDArray[np.bool_]
    ) -> WindowScores:
        assert not features[~present].any()
        self.starts_s += [float(row[here].min()) for row, here in zip(times_s, present, strict=True)]
        logits = features[..., 0].sum(1) / present.sum(1)
        return WindowScores(logits, features[..., 0], features[..., 0])


def window(length: int) -> tuple[NDArray[np.float32], NDArray[np.float64], NDArray[np.float32]]:
    """Frames of which the first fifth says much, their seconds, and attention that knows it."""
    says = np.where(np.arange(length) < length // 5, 8.0, 0.1 * RNG.random(length)).astype(np.float32)
    return says[:, None], 3.0 + np.arange(length) / 5, says / says.sum()


def test_attention_to_the_frames_that_move_the_score_beats_random_frames() -> None:
    model, (features, pts_s, pooling) = Weighted(), window(20)
    found = drop_test(model, features, pts_s, pooling)  # type: ignore[arg-type]
    assert found.faithful
    assert found.marked == pytest.approx(-1.6, abs=0.1)
    assert found.mean_moved < 1.0
    assert found.pts_s == tuple(pts_s.tolist())
    assert set(model.starts_s) == {0.0}  # seconds count from the first frame that is left, as in an analysis


def test_attention_to_other_frames_explains_no_more_than_chance() -> None:
    features, pts_s, pooling = window(20)
    found = drop_test(Weighted(), features, pts_s, pooling[::-1].copy())  # type: ignore[arg-type]
    assert found.enough
    assert not found.faithful


def test_a_score_that_rises_without_the_attended_frames_rested_on_them_too() -> None:
    features, pts_s, pooling = window(20)
    found = drop_test(Weighted(), -features, pts_s, pooling)  # type: ignore[arg-type]
    assert found.marked > 1
    assert found.faithful


def test_a_window_of_few_frames_cannot_be_told_from_chance() -> None:
    features, pts_s, pooling = window(7)
    found = drop_test(Weighted(), features, pts_s, pooling)  # type: ignore[arg-type]
    assert len(found.drawn) == 6
    assert not found.enough
    assert not found.faithful


def test_equal_arguments_give_equal_numbers_and_the_model_is_left_as_it_was() -> None:
    marked, model = heatmap(slice(44, 80), slice(44, 80)), Brightest()
    before = model.score(CROP[None])
    one, two = (hide_test(model, marked) for _ in range(2))  # type: ignore[arg-type]
    assert one == two
    np.testing.assert_array_equal(model.score(CROP[None]), before)
