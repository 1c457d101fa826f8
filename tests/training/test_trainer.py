"""A run on a tiny set: the loss falls, a killed run resumes exactly, the exported card loads and scores."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from detector.errors import SettingsError
from detector.registry import load_model
from detector.training.config import TrainConfig, check_config
from detector.training.export import export_run
from detector.training.frame import FrameTrainer, batches
from detector.training.pool import SampleMaker, Shard, write_shard
from tests.training.banks import small_bank


def _config(**changes: object) -> TrainConfig:
    return check_config(
        {
            "model_id": "tiny",
            "title": "Tiny",
            "architecture": {"kind": "frame", "trunk": "resnet10t", "width": 16, "dropout": 0.0},
            "input_px": 96,
            "steps": 16,
            "steps_per_epoch": 8,
            "batch_size": 8,
            "labelled_share": 0.25,
            "warmup_steps": 2,
            "learning_rate": 2e-3,
            "bf16": False,
            **changes,
        }
    )


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Shard:
    bank = small_bank(tmp_path_factory.mktemp("trainer") / "bank")
    return SampleMaker(bank, "train", 0.0, 96).shard(0, pairs=12, labelled=14, coarse=True)


@pytest.fixture
def pool(tmp_path: Path, shard: Shard) -> Path:
    write_shard(tmp_path / "pool", 0, shard)
    return tmp_path / "pool"


def test_two_epochs_lower_the_loss_and_log_each(tmp_path: Path, pool: Path, shard: Shard) -> None:
    trainer = FrameTrainer(_config(steps=40, steps_per_epoch=20), tmp_path / "run")
    trainer.run(pool, shard)
    with (tmp_path / "run" / "log.csv").open() as log:
        rows = list(csv.DictReader(log))
    assert [int(row["step"]) for row in rows] == [20, 40]
    assert float(rows[1]["loss"]) < float(rows[0]["loss"])
    assert {"pairs_auc", "labelled_auc", "labelled_f1", "learning_rate"} <= set(rows[0])


def test_a_resumed_run_continues_as_if_never_stopped(tmp_path: Path, pool: Path, shard: Shard) -> None:
    whole = FrameTrainer(_config(), tmp_path / "whole")
    whole.run(pool, shard)
    half = FrameTrainer(_config(), tmp_path / "half")
    for batch in half._epoch(pool):
        half.train_batch(batch)
    half.save()
    resumed = FrameTrainer(_config(), tmp_path / "half")
    assert resumed.step == 8
    resumed.elapsed_s = 0.0
    resumed.run(pool, shard)
    assert resumed.step == whole.step == 16
    for name, value in whole.ema.network.state_dict().items():
        torch.testing.assert_close(resumed.ema.network.state_dict()[name], value, msg=name, atol=1e-4, rtol=1e-3)


def test_batches_keep_pairs_together_and_align_masks_with_pictures(shard: Shard) -> None:
    config = _config()
    batch = next(batches(shard, config, None))
    assert batch.images.shape == (8, 3, 96, 96)
    assert batch.masks.shape == (8, 12, 12)
    assert batch.labels[:6].tolist() == [0, 0, 0, 1, 1, 1]  # three pairs, then two labelled crops
    assert batch.masks[:3].max() == 0
    assert batch.masks[3:6].max() > 0.5
    top = (160 - 96) // 2
    expected = (shard.images[0, top : top + 96, top : top + 96].astype(np.float32) / 255 - 0.5) / 0.25
    np.testing.assert_allclose(batch.images[0].permute(1, 2, 0).numpy(), expected, atol=1e-5)


def test_an_exported_run_loads_strictly_and_scores_as_its_average(
    tmp_path: Path, pool: Path, shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = _config(steps=4, steps_per_epoch=4, limits=["tiny"], licence="test")
    trainer = FrameTrainer(config, tmp_path / "run")
    trainer.run(pool, shard)
    bank = small_bank(tmp_path / "bank")
    card = export_run(config, tmp_path / "run", bank.table, tmp_path / "weights")
    assert card.training["config_sha256"] == config.sha256
    assert card.training["genuine_faces_by_source"] == {"photos": 12, "labelled": 6}
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(tmp_path / "weights"))
    model = load_model("tiny")
    crops = np.ascontiguousarray(shard.images[:4, :96, :96])
    with torch.inference_mode():
        expected = trainer.ema.network(model.prepare(crops)).numpy()
    np.testing.assert_allclose(model.score(crops), expected, atol=0.02)
    with pytest.raises(SettingsError, match="another config"):
        export_run(_config(seed=1), tmp_path / "run", bank.table, tmp_path / "weights")
