"""Fitting the network over pairs of frames: twins at one moment, a planted change found, a gain that is earned."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from detector.errors import SettingsError
from detector.faces.temporal import frame_pair, thumbnail
from detector.models import build_network
from detector.models.frame_pair import FramePairNet
from detector.training.data.clip_crops import CropShard, write_shard
from detector.training.engine.config import FitConfig
from detector.training.sequence.features import ClipFeatures
from detector.training.sequence.frame_pairs import (
    GAINS,
    TwinPairs,
    extract_pairs,
    fit_frame_pairs,
    fit_pair_gain,
    known_pairs,
    vary,
    with_pair_logits,
)

FEATURES = 6
FIT = FitConfig(max_epochs=3, min_epochs=3, batch_size=16, learning_rate=0.01, warmup_steps=0, ema_decay=0.5,
                focal_gamma=0.0, mixup_alpha=0.4)  # fmt: skip


def moving(rng: np.random.Generator, flicker: bool) -> np.ndarray:
    """A pair of one picture, whose middle is brighter in the later one where it flickers."""
    before = rng.integers(60, 160, (64, 64, 3), dtype=np.uint8)
    now = np.clip(before + rng.normal(0, 2, before.shape), 0, 255).astype(np.uint8)
    if flicker:
        now[16:48, 16:48] += 30
    return frame_pair(before, now)


def clips(people: int, frames: int = 8, seed: int = 0) -> list[ClipFeatures]:
    """Genuine clips and twins that flicker from the third frame on; the first frame has none before it."""
    rng = np.random.default_rng(seed)
    made = []
    for person in range(people):
        times = (np.arange(frames) * 0.2).astype(np.float32)
        for twin in range(2):
            inside = (times >= 0.4) & bool(twin)
            pairs = np.stack([moving(rng, bool(flicker)) for flicker in inside])
            features = rng.normal(0, 1, (frames, FEATURES)).astype(np.float32)
            pairs[0], features[0, -1] = 0, np.nan
            facts = {"name": f"{person}.0.{twin}", "label": twin, "group": str(person), "source": "s",
                     "kind": ("genuine", "swap+flicker+spliced")[twin], "intervals_s": [[0.4, 2.0]]}  # fmt: skip
            made.append(ClipFeatures(features, np.zeros(frames, np.float32), times, inside, facts, pairs))
    return made


def sequence_network(change: FramePairNet | None = None) -> Any:
    torch.manual_seed(0)
    table = {"kind": "transformer", "features": FEATURES, "width": 16, "layers": 1, "heads": 2, "change": {"width": 4}}
    network: Any = build_network(table).eval()
    if change is not None:
        network.change.load_state_dict(change.state_dict())
    return network


def test_a_batch_holds_twins_at_one_moment_that_has_a_pair() -> None:
    people = clips(3)
    batches = TwinPairs(people, batch_size=4, seed=3)
    assert len(batches) == 3 * 6 // 2  # frames three to eight of each
    found = set()
    for batch in batches:
        assert batch.labels.tolist() == [0.0, 1.0, 0.0, 1.0]
        assert batch.names == ["genuine", "spliced"] * 2
        for real, fake in zip(batch.pairs[::2].numpy(), batch.pairs[1::2].numpy(), strict=True):
            (place,) = [
                (number, row)
                for number, clip in enumerate(people[::2])
                for row in range(8)
                if (clip.pairs[row] == real).all()  # type: ignore[index]
            ]
            assert (people[2 * place[0] + 1].pairs[place[1]] == fake).all()  # type: ignore[index]
            found.add(place)
    assert found == {(number, row) for number in range(3) for row in range(2, 8)}
    first = next(iter(batches)).pairs
    assert torch.equal(first, next(iter(batches)).pairs)
    batches.set_epoch(1)
    assert not torch.equal(first, next(iter(batches)).pairs)
    with pytest.raises(SettingsError, match="just before"):
        TwinPairs([clip for clip in people if not clip.label], batch_size=4)


def test_twins_are_varied_alike() -> None:
    torch.manual_seed(0)
    twins = torch.randn(12, 9, 64, 64).repeat_interleave(2, 0)
    varied = vary(twins.clone())
    assert varied.shape == twins.shape
    assert torch.equal(varied[::2], varied[1::2])
    assert not torch.equal(varied, twins)
    assert len({round(float(one[:6].std()), 4) for one in varied[::2]}) == 12, "each two draw for themselves"


def test_it_learns_what_flickers_and_reloads_bit_equal(tmp_path: Path) -> None:
    train, held = clips(12), clips(4, seed=1)
    network = fit_frame_pairs({"width": 4}, FIT, train, held, tmp_path / "change")
    told = with_pair_logits(sequence_network(network), held)
    logit = np.concatenate([clip.features[:, -1] for clip in told])
    inside = np.concatenate([clip.manipulated for clip in held])
    known = np.concatenate([known_pairs(clip) for clip in held])
    np.testing.assert_array_equal(np.isnan(logit), ~known)
    assert logit[known & inside].min() > logit[known & ~inside].max()
    rows = [float(row.split(",")[2]) for row in (tmp_path / "change" / "metrics.csv").read_text().splitlines()[1:]]
    assert len(rows) == 3
    assert json.loads((tmp_path / "change" / "run.json").read_text())["kept_by"] == "auc"
    again = fit_frame_pairs({"width": 4}, FIT, train, held, tmp_path / "change")  # a finished run is only loaded
    assert all(torch.equal(value, again.state_dict()[key]) for key, value in network.state_dict().items())


def test_a_gain_is_given_for_what_tells_clips_apart_and_none_for_noise() -> None:
    held = clips(10)
    network = sequence_network()

    def told(values: Any) -> list[ClipFeatures]:
        return [replace(one, features=np.column_stack([one.features, values(one)]).astype(np.float32)) for one in held]

    gain = fit_pair_gain(network, told(lambda clip: 2.0 * clip.manipulated), 8)
    assert gain in GAINS[1:]
    assert float(network.change_gain) == pytest.approx(gain)
    assert fit_pair_gain(network, told(lambda clip: -2.0 * clip.manipulated), 8) == 0.0
    assert float(network.change_gain) == 0


def test_clips_without_pairs_are_refused_and_other_networks_leave_clips_alone() -> None:
    held = clips(2)
    assert with_pair_logits(torch.nn.Linear(1, 1), held) == held
    with pytest.raises(SettingsError, match="pairs"):
        with_pair_logits(sequence_network(), [replace(held[0], pairs=None)])


def test_pairs_are_made_of_each_crop_once(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 255, (3, 80, 80, 3), dtype=np.uint8)
    before = rng.integers(0, 255, (3, 64, 64, 3), dtype=np.uint8)
    there = np.array([True, False, True])
    rows = [{"name": "a.0.0", "label": 0}]
    shard = CropShard(crops, before, there, np.zeros(3, np.int64), np.arange(3) / 5, np.zeros(3, bool), rows)
    (tmp_path / "crops").mkdir()
    write_shard(tmp_path / "crops" / "a.0.npz", shard)
    folder = extract_pairs(tmp_path / "crops", tmp_path / "pairs")
    stored = np.load(folder / "a.0.npy")
    for number in (0, 2):
        np.testing.assert_array_equal(stored[number], frame_pair(before[number], thumbnail(crops[number])))
    assert not stored[1].any()
    written = (folder / "a.0.npy").stat().st_mtime_ns
    extract_pairs(tmp_path / "crops", tmp_path / "pairs")
    assert (folder / "a.0.npy").stat().st_mtime_ns == written
