"""The pointing game: a map that points at the changed region wins, one that points elsewhere loses."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from detector.faces import CropSpec
from detector.training.data.pool import MASK_STRIDE, STORED_SLACK_PX, Shard
from detector.training.evaluation import pointing

SIZE_PX = 64
STORED_PX = SIZE_PX + STORED_SLACK_PX


class Maker:
    """Pairs whose manipulated twin has a bright square, and one whose whole picture is manipulated."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def shard(self, number: int, *, pairs: int, labelled: int) -> Shard:
        rng = np.random.default_rng(number)
        images = np.zeros((2 * pairs, STORED_PX, STORED_PX, 3), np.uint8)
        masks = np.zeros((2 * pairs, STORED_PX // MASK_STRIDE, STORED_PX // MASK_STRIDE), np.uint8)
        for row in range(1, 2 * pairs, 2):
            top, left = 16 * rng.integers(2, 4, 2)
            images[row, top : top + 24, left : left + 24] = 255
            mask = np.zeros((STORED_PX, STORED_PX), np.uint8)
            mask[top : top + 24, left : left + 24] = 255
            masks[row] = mask[::MASK_STRIDE, ::MASK_STRIDE]
        masks[1] = 255
        labels = np.tile(np.array([0, 1], np.uint8), pairs)
        return Shard(images, labels, masks, np.ones(2 * pairs, bool), 2 * pairs)


def model(sign: int) -> SimpleNamespace:
    def blend_map(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        cells = crops[..., 0].reshape(len(crops), SIZE_PX // 8, 8, SIZE_PX // 8, 8).mean((2, 4))
        return (sign * cells / 255).astype(np.float32)

    return SimpleNamespace(card=SimpleNamespace(crop=CropSpec(SIZE_PX, 0.1), model_id="m"), blend_map=blend_map)


def test_hits_are_told_from_misses_and_from_luck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pointing, "SampleMaker", Maker)
    oracle = pointing.pointing_game(model(1), None, pairs=20)  # type: ignore[arg-type]
    assert oracle["hit_share"] == 1.0
    assert oracle["fakes"] == 19  # the one that cannot be missed is left out
    assert 0.1 < oracle["chance"] < 0.6
    assert pointing.pointing_game(model(-1), None, pairs=20)["hit_share"] < 0.2  # type: ignore[arg-type]
