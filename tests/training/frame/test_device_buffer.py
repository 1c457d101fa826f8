"""Shards held on the device: pairs stay twins however they are varied, masks follow pictures, the newest stay."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from detector.training.data.pool import Shard, write_shard
from detector.training.frame.config import FrameConfig, check_config
from detector.training.frame.device_buffer import DeviceBuffer, varied
from detector.training.frame.samples import Batch

SIDE, STORED = 64, 80


def _config(**changes: object) -> FrameConfig:
    values = {
        "model_id": "tiny",
        "title": "Tiny",
        "architecture": {"kind": "frame", "trunk": "test_resnet"},
        "input_px": SIDE,
        "batch_size": 8,
        "labelled_share": 0.25,
        "steps_per_epoch": 6,
        "shard_pairs": 4,
        "shard_labelled": 3,
        "keep_shards": 2,
    }
    return check_config({**values, **changes})


def _shard(level: int = 100) -> Shard:
    """Four pairs whose fakes have a bright square where their mask is, and three labelled crops."""
    images = np.full((11, STORED, STORED, 3), level, np.uint8)
    masks = np.zeros((11, STORED // 4, STORED // 4), np.uint8)
    for row in range(1, 8, 2):
        masks[row, 6:12, 4:9] = 255
        images[row, 24:48, 16:36] = 255
    labels = np.array([0, 1] * 4 + [0, 1, 1], np.uint8)
    return Shard(images, labels, masks, np.array([True] * 9 + [False] * 2), 8)


@pytest.fixture
def pool(tmp_path: Path) -> Path:
    write_shard(tmp_path, 0, _shard())
    return tmp_path


def _many(held: DeviceBuffer, epochs: int = 4) -> Iterator[Batch]:
    for epoch in range(epochs):
        held.set_epoch(epoch)
        yield from held


def test_batches_are_shaped_and_labelled_as_those_of_a_pool_on_disk(pool: Path) -> None:
    for batch in _many(DeviceBuffer(pool, _config(), "cpu")):
        assert batch.images.shape == (8, 3, SIDE, SIDE)
        assert batch.masks.shape == (8, SIDE // 8, SIDE // 8)
        assert batch.labels[:6].tolist() == [0, 1] * 3
        assert batch.groups == ["pairs"] * 6 + ["labelled"] * 2
        assert batch.has_mask[:6].tolist() == [1] * 6
        assert all(known == (not fake) for fake, known in zip(batch.labels[6:], batch.has_mask[6:], strict=True))


def test_twins_are_varied_alike_and_the_mask_lies_on_what_was_changed(pool: Path) -> None:
    seen = set()
    for batch in _many(DeviceBuffer(pool, _config(), "cpu")):
        up = torch.nn.functional.interpolate(batch.masks[1:6:2, None], SIDE, mode="nearest")[:, 0]
        difference = (batch.images[1:6:2] - batch.images[0:6:2]).mean(1)
        for changed, mask in zip(difference, up, strict=True):
            assert changed[mask > 0.99].min() > changed[mask == 0].abs().mean() + 0.3
            assert changed[mask == 0].abs().median() < 0.06  # grain only
            seen.add(int(mask.sum(0).argmax()))
    assert len(seen) > 2  # mirrored and at other places


def test_an_epoch_draws_by_its_number(pool: Path) -> None:
    held = DeviceBuffer(pool, _config(), "cpu")
    one, again, other = ([], [], [])
    for epoch, into in ((0, one), (0, again), (1, other)):
        held.set_epoch(epoch)
        into += [batch.images for batch in islice(held, 2)]
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert not torch.equal(one[0], other[0])


def test_new_shards_come_in_while_training_and_push_out_the_oldest(pool: Path) -> None:
    config = _config(steps_per_epoch=400)
    held = DeviceBuffer(pool, config, "cpu")
    batches = iter(held)
    next(batches)
    for number, level in ((1, 20), (2, 20)):
        write_shard(pool, number, _shard(level))
    for batch in batches:
        dark = batch.images[0:6:2].mean() < -1.0
        if dark:
            break
    else:
        pytest.fail("the new shards never arrived")
    held.set_epoch(1)
    last = [batch.images[0:6:2].mean((1, 2, 3)).max() for batch in held][-100:]
    assert max(last) < -1.0  # nothing of the first shard is left


def test_of_more_shards_than_are_held_the_oldest_are_never_read(pool: Path) -> None:
    for number in range(1, 5):
        write_shard(pool, number, _shard(20))
    held = DeviceBuffer(pool, _config(steps_per_epoch=200), "cpu")
    brightest = max(float(batch.images[0:6:2].mean((1, 2, 3)).max()) for batch in held)
    assert brightest < -1.0  # the first shard, the only bright one, is not among the newest two


def test_an_empty_pool_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="No training shards"):
        next(iter(DeviceBuffer(tmp_path, _config(), "cpu")))


def test_varied_windows_are_of_several_sizes_half_of_them_not_resampled() -> None:
    """A checkerboard of pixels keeps its two grey levels where the window is read as it is; resampling smears them."""
    board = torch.zeros(2, 1, 176, 176, 3, dtype=torch.uint8)
    board[:, :, ::2, ::2] = 200
    board[:, :, 1::2, 1::2] = 200
    draw = torch.Generator().manual_seed(0)
    crisp = 0
    for _ in range(40):
        pixels, masks = varied(board, torch.zeros(2, 1, 44, 44, dtype=torch.uint8), 160, draw)
        assert pixels.shape == (2, 3, 160, 160)
        assert masks.shape == (2, 20, 20)
        steps = (pixels[..., 1:] - pixels[..., :-1]).abs()
        crisp += int(steps.amin((1, 2, 3)).min() > 0.3)
    assert 15 <= crisp <= 33
