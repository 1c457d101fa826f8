"""The deletion test: a map that marks what moves the model passes, one that marks something else does not."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from detector.explain import Heatmap, hide_test

RNG = np.random.default_rng(3)
CROP = RNG.integers(0, 60, (80, 80, 3)).astype(np.uint8)
CROP[:32, :32] += 150


class Brightest:
    """A model whose score is how far its brightest cells stand out of a layer of 10 x 10."""

    def __init__(self) -> None:
        self.cam_layer = nn.AvgPool2d(8)
        self.batches: list[int] = []

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
    assert model.batches == [18]
    assert found.hot < -5
    assert found.elsewhere == pytest.approx(0, abs=0.5)
    assert found.faithful


def test_a_map_of_another_corner_is_not_faithful() -> None:
    found = hide_test(Brightest(), heatmap(slice(44, 80), slice(44, 80)))  # type: ignore[arg-type]
    assert found.hot == pytest.approx(0, abs=0.5)
    assert found.elsewhere <= found.hot
    assert not found.faithful


def test_equal_arguments_give_equal_numbers_and_the_model_is_left_as_it_was() -> None:
    marked, model = heatmap(slice(44, 80), slice(44, 80)), Brightest()
    before = model.score(CROP[None])
    one, two = (hide_test(model, marked) for _ in range(2))  # type: ignore[arg-type]
    assert one == two
    np.testing.assert_array_equal(model.score(CROP[None]), before)
