"""A frame model on a tiny set: the loss falls whatever is switched on, runs resume, the exported card scores alike."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from detector.errors import SettingsError
from detector.models import build_network
from detector.registry import load_model
from detector.training.data.pool import SampleMaker, Shard, write_shard
from detector.training.frame.config import FrameConfig, check_config
from detector.training.frame.export import export_run
from detector.training.frame.hard_negatives import HardSamples
from detector.training.frame.module import FrameModule, second_view
from detector.training.frame.recipe import check_mix, train_on_pool
from detector.training.frame.samples import PoolBatches, Row, ShardBatches, batches
from tests.training.banks import small_bank

TINY = {"kind": "frame", "trunk": "test_resnet", "width": 16, "dropout": 0.0}


def _config(**changes: object) -> FrameConfig:
    return check_config(
        {
            "model_id": "tiny",
            "title": "Tiny",
            "architecture": TINY,
            "input_px": 64,
            "steps": 6,
            "steps_per_epoch": 3,
            "batch_size": 8,
            "labelled_share": 0.25,
            "warmup_steps": 2,
            "learning_rate": 2e-3,
            "ema_decay": 0.5,
            "bf16": False,
            **changes,
        }
    )


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Shard:
    bank = small_bank(tmp_path_factory.mktemp("trainer") / "bank")
    return SampleMaker(bank, "train", 0.0, 64).shard(0, pairs=12, labelled=14, coarse=True)


@pytest.fixture
def pool(tmp_path: Path, shard: Shard) -> Path:
    write_shard(tmp_path / "pool", 0, shard)
    return tmp_path / "pool"


def _losses(run_dir: Path) -> list[float]:
    with (run_dir / "metrics.csv").open() as file:
        return [float(row["train_loss"]) for row in csv.DictReader(file)]


OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "two-way head, attention, spectrum": {
        "architecture": {**TINY, "head": "mlp", "attention": True, "frequency": "fft"},
    },
    "no blend map, block frequencies, focal": {
        "architecture": {**TINY, "blend_map": False, "strides": [32], "frequency": "dct"},
        "focal_gamma": 2.0,
    },
    "mixing": {"mixup_alpha": 0.3, "cutmix_alpha": 1.0},
    "consistency, contrast, hard samples, half precision": {
        "consistency_weight": 1.0, "contrastive_weight": 0.2, "hard_share": 0.25, "bf16": True,
        "schedule": "cosine_restarts",
    },
}  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS.keys())
def test_two_epochs_lower_the_loss_and_the_best_reloads_bit_equal(
    tmp_path: Path, pool: Path, shard: Shard, options: dict[str, Any]
) -> None:
    config = _config(steps=20, steps_per_epoch=10, **options)
    train_on_pool(config, pool, shard, tmp_path / "run", "cpu")
    first, second = _losses(tmp_path / "run")
    assert second < first
    networks = [build_network(config.architecture).eval() for _ in range(2)]
    for network in networks:
        network.load_state_dict(load_file(tmp_path / "run" / "best.safetensors"), strict=True)
    crops = torch.randn(2, 3, 64, 64)
    assert torch.equal(networks[0](crops), networks[1](crops))
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert {row["name"] for row in report["groups"]} == {"pairs", "labelled"}
    assert (tmp_path / "run" / "hard_negatives.csv").is_file() == bool(config.hard_share)


def test_a_resumed_run_continues_as_if_never_stopped(
    tmp_path: Path, pool: Path, shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_on_pool(_config(), pool, shard, tmp_path / "whole", "cpu")
    step = FrameModule.step

    def stopped(self: FrameModule, batch: Any) -> Any:
        if self.current_epoch == 1:
            raise ConnectionError("pulled the plug")
        return step(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(FrameModule, "step", stopped)
        with pytest.raises(ConnectionError):
            train_on_pool(_config(), pool, shard, tmp_path / "half", "cpu")
    train_on_pool(_config(), pool, shard, tmp_path / "half", "cpu")
    assert _losses(tmp_path / "half") == _losses(tmp_path / "whole")
    one, other = (load_file(tmp_path / name / "best.safetensors") for name in ("whole", "half"))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_batches_keep_pairs_together_and_align_masks_with_pictures(shard: Shard) -> None:
    config = _config()
    batch = next(batches(shard, config, None))
    assert batch.images.shape == (8, 3, 64, 64)
    assert batch.masks.shape == (8, 8, 8)
    assert batch.labels[:6].tolist() == [0, 0, 0, 1, 1, 1]  # three pairs, then two labelled crops
    assert batch.groups == ["pairs"] * 6 + ["labelled"] * 2
    assert batch.masks[:3].max() == 0
    assert batch.masks[3:6].max() > 0.5
    top = (shard.images.shape[1] - 64) // 2
    expected = (shard.images[0, top : top + 64, top : top + 64].astype(np.float32) / 255 - 0.5) / 0.25
    np.testing.assert_allclose(batch.images[0].permute(1, 2, 0).numpy(), expected, atol=1e-5)


def test_hard_samples_come_back_in_the_place_of_others_of_their_label(pool: Path) -> None:
    hard: HardSamples[Row] = HardSamples(4)
    config = _config(hard_share=0.25)
    row = Row(torch.full((3, 64, 64), 7.0).half(), torch.zeros(8, 8), 0.0, "pairs")
    hard.note(["old:1", "old:2"], [3.0, 3.0], [0, 1], [row, row])
    batch = next(iter(PoolBatches(pool, config, hard)))
    assert {"old:1", "old:2"} <= set(batch.names)
    for name, label in (("old:1", 0), ("old:2", 1)):
        place = batch.names.index(name)
        assert batch.labels[place] == label
        assert batch.images[place].min() == 7
        assert batch.has_mask[place] == 0


def test_what_was_wrong_is_noted_by_name(pool: Path, shard: Shard) -> None:
    hard: HardSamples[Row] = HardSamples(3)
    module = FrameModule(_config(hard_share=0.25), hard)
    module.train()
    module.step(next(iter(PoolBatches(pool, _config()))))
    drawn = hard.draw(6, np.random.default_rng(0))
    assert {label for _, label, _ in drawn} == {0, 1}
    for name, label, row in drawn:
        file, number = name.split(":")
        assert file == "shard_000000"
        assert shard.labels[int(number)] == label
        assert row.image.shape == (3, 64, 64)


@pytest.mark.parametrize("mixing", [{"mixup_alpha": 1.0}, {"cutmix_alpha": 1.0}])
def test_hard_samples_and_contrast_are_learnt_from_beside_mixing(
    pool: Path, mixing: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the batches are mixed; of the others losses are noted by name and features contrasted by true labels."""
    contrasted: list[torch.Tensor] = []

    def contrast(features: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        contrasted.append(label)
        return features.sum() * 0

    monkeypatch.setattr("detector.training.frame.module.supervised_contrastive_loss", contrast)
    hard: HardSamples[Row] = HardSamples(9)
    module = FrameModule(_config(hard_share=0.25, contrastive_weight=0.1, **mixing), hard).train()
    batch = next(iter(PoolBatches(pool, _config())))
    labels = [module.step(batch).label for _ in range(16)]
    plain = [label for label in labels if torch.equal(label, batch.labels)]
    assert 2 <= len(plain) <= 14
    assert len(contrasted) == len(plain)
    assert {name for name, _, _ in hard.draw(9, np.random.default_rng(0))} <= set(batch.names)
    assert len(hard.draw(9, np.random.default_rng(0))) == 8


def test_validation_is_neither_mixed_nor_shown_twice(shard: Shard) -> None:
    config = _config(mixup_alpha=1.0, consistency_weight=1.0)
    module = FrameModule(config).eval()
    seen: list[int] = []
    network = module.network
    module.network = torch.nn.Identity()
    module.network.forward_all = lambda x: (seen.append(len(x)), network.forward_all(x))[1]  # type: ignore[assignment]
    batch = next(iter(ShardBatches(shard, config)))
    output = module.step(batch)
    assert seen == [len(batch.labels)]
    assert torch.equal(output.label, batch.labels)


def test_a_second_view_is_the_same_face_mirrored() -> None:
    torch.manual_seed(0)
    picture = torch.randn(4, 3, 32, 32)
    mirrored = second_view(picture).flip(3).flatten(1)
    for one, other in zip(picture.flatten(1), mirrored, strict=True):
        assert torch.corrcoef(torch.stack([one, other]))[0, 1] > 0.99


def test_a_mix_whose_fakes_are_darker_is_reported(shard: Shard) -> None:
    clean = check_mix([shard])
    assert "brightness" not in [item.name for item in clean.properties if item.warns]
    images = shard.images.copy()
    images[shard.labels == 1] //= 2
    leaky = check_mix([Shard(images, shard.labels, shard.masks, shard.has_mask, shard.pair_rows)])
    assert any(warning.startswith("brightness alone") for warning in leaky.warnings)


def test_an_exported_run_loads_strictly_and_scores_as_its_average(
    tmp_path: Path, pool: Path, shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _config(steps=4, steps_per_epoch=4, limits=["tiny"], licence="test")
    train_on_pool(config, pool, shard, tmp_path / "run", "cpu")
    table = small_bank(tmp_path / "bank").table
    (tmp_path / "weights").mkdir()
    card = export_run(config, tmp_path / "run", table, tmp_path / "weights")
    assert card.training["config_sha256"] == config.sha256
    assert card.training["steps"] == 4
    assert card.training["genuine_faces_by_source"] == {"photos": 12, "labelled": 6}
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(tmp_path / "weights"))
    model = load_model("tiny")
    crops = np.ascontiguousarray(shard.images[:4, :64, :64])
    network = build_network(config.architecture).eval()
    network.load_state_dict(load_file(tmp_path / "run" / "best.safetensors"))
    with torch.inference_mode():
        expected = network(model.prepare(crops)).numpy()
    np.testing.assert_allclose(model.score(crops), expected, atol=0.02)
    with pytest.raises(SettingsError, match="another config"):
        export_run(_config(seed=1), tmp_path / "run", table, tmp_path / "weights")
