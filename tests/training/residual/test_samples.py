"""Drawing and spoiling: balanced, repeatable, alike for both labels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from detector.training.data.left_out import FoldConfig
from detector.training.data.manifest import read_manifest
from detector.training.data.overlap import overlap_weights
from detector.training.engine.config import FitConfig
from detector.training.residual.bank import Bank, Planes
from detector.training.residual.clips import Clip, load_clips
from detector.training.residual.config import ResidualConfig, SpoilConfig
from detector.training.residual.samples import ClipBatches, PatchBatches
from detector.training.residual.spoil import encoded, spoiled
from detector.training.residual.statistics import patch_statistics
from tests.training.residual.banks import labelled_clips, planes

SPOIL = SpoilConfig(0.5, 0.5, 0.5, 0.3, 0.2, 0.3)
CONFIG = ResidualConfig("t", "T", (FoldConfig(),), FitConfig(batch_size=8), patch_px=64, spoil=SPOIL)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Clip]:
    data = labelled_clips(tmp_path_factory.mktemp("samples"))
    return load_clips(Bank(data.parent / "clips" / "regions"), read_manifest(data, extended=True))


def drawn(clips: list[Clip], config: ResidualConfig = CONFIG) -> PatchBatches:
    return PatchBatches(clips, np.ones(len(clips)), config, seed=3)


def test_a_step_always_draws_the_same_balanced_batch(clips: list[Clip]) -> None:
    batch, again, other = drawn(clips).batch(5), drawn(clips).batch(5), drawn(clips).batch(6)
    assert batch.images.shape == (8, 3, 64, 64)
    assert batch.labels.tolist() == [0, 1] * 4
    assert torch.equal(batch.images, again.images)
    assert not torch.equal(batch.images, other.images)
    assert [group == "genuine" for group in batch.groups] == [True, False] * 4


def test_epochs_go_on_from_one_another(clips: list[Clip]) -> None:
    batches = drawn(clips)
    batches.set_epoch(2)
    assert torch.equal(next(iter(batches)).images, batches.batch(2 * CONFIG.steps_per_epoch).images)


def test_clips_are_judged_whole(clips: list[Clip]) -> None:
    batches = list(ClipBatches(clips[:5], 64, 1))
    assert [len(batch.labels) for batch in batches] == [4, 1]
    for batch in batches:
        assert len(batch.images) == len(batch.owner) == len(batch.weight)
        total = torch.zeros(len(batch.labels)).index_add(0, batch.owner, batch.weight)
        torch.testing.assert_close(total, torch.ones(len(batch.labels)))


def test_spoiling_keeps_the_size_whatever_is_drawn() -> None:
    rng = np.random.default_rng(0)
    frames = [planes(90, 90, rng) for _ in range(3)]
    for seed in range(40):
        out = spoiled(frames, 64, SPOIL, np.random.default_rng(seed))
        assert {(one.y.shape, one.uv.shape) for one in out} == {((64, 64), (2, 32, 32))}


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_codec_returns_every_frame_in_order(codec: str) -> None:
    flat = [Planes(np.full((64, 80), 40 * n, np.uint8), np.full((2, 32, 40), 128, np.uint8)) for n in range(1, 4)]
    out = encoded(flat, codec, 20, "ultrafast")
    assert [round(float(one.y.mean()) / 40) for one in out] == [1, 2, 3]


def test_overlap_weights_even_out_what_tells_the_labels_apart(clips: list[Clip]) -> None:
    many = clips * 4
    rng = np.random.default_rng(0)
    label = np.array([clip.label for clip in many])
    told = pd.DataFrame({"sharp": label + rng.normal(0, 1, len(many))})
    weights = overlap_weights(label, [clip.source for clip in many], told, power=0.5, strength=100.0)
    means = [np.average(told["sharp"][label == value], weights=weights[label == value]) for value in (0, 1)]
    assert abs(means[0] - means[1]) < 0.05
    assert [weights[label == value].sum() for value in (0, 1)] == pytest.approx([1, 1])


def test_statistics_tell_smooth_noise_and_a_still_from_others() -> None:
    rng = np.random.default_rng(0)
    rough, smooth = ([planes(64, 64, rng, smooth=flag) for _ in range(2)] for flag in (False, True))
    assert patch_statistics(smooth)["across_1"] > patch_statistics(rough)["across_1"] + 0.2
    assert patch_statistics([rough[0], rough[0]])["skipped"] == 1
    assert patch_statistics(rough)["skipped"] < 0.1
