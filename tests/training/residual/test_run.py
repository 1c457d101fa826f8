"""From labelled clips to a model: trained seed by seed, resumed, measured on what was held out, exported."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file

from detector.cli import main
from detector.errors import SettingsError
from detector.registry import ResidualModel, expect, load_model
from detector.training.evaluation.heldout import split_of
from detector.training.kinds import kind_of
from detector.training.residual.recipe import owners_sum
from detector.training.residual.samples import PatchBatches
from tests.training.residual.banks import labelled_clips

SHIPPED = Path(__file__).parents[3] / "assets" / "configs" / "residual-patches.yaml"
SETTINGS = {
    "kind": "residual",
    "model_id": "patches",
    "title": "Patches",
    "seeds": [3, 4],
    "patch_px": 64,
    "widths": [8, 12],
    "steps": 16,
    "steps_per_epoch": 8,
    "held_moments": 1,
    "folds": [{"names": ["maker of held"], "shares": {"camera": 0.5}}],
    "spoil": {"tone": 0, "scale": 0, "noise": 0, "h264": 0, "h265": 0, "jpeg": 0.2},
    "fit": {"batch_size": 8, "learning_rate": 0.01, "warmup_steps": 0, "schedule": "cosine", "ema_decay": 0.5,
            "focal_gamma": 0.0, "budget_minutes": 10},
    "limits": ["toy"],
    "licence": "test",
}  # fmt: skip


def config_in(folder: Path, **changes: object) -> Path:
    path = folder / "patches.yaml"
    path.write_text(yaml.safe_dump({**SETTINGS, **changes}), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("residual")
    data = labelled_clips(root)
    where = [str(config_in(root)), "--data", str(data), "--run", str(root / "run")]
    assert main(["train", *where]) == 0
    assert main(["export", *where, "--out", str(root / "weights"), "--unmeasured"]) == 0
    return root


def test_a_run_learns_and_measures_what_was_held_out(trained: Path) -> None:
    facts = json.loads((trained / "run" / "run.json").read_text())
    assert (facts["kind"], facts["status"], facts["steps"]) == ("residual", "finished", 32)
    held = pd.read_csv(trained / "run" / "out_of_fold.csv", keep_default_na=False)
    assert (facts["clips"], len(held), set(held["fold"])) == (18, 8, {1})
    assert held.loc[held["label"] == 1, "logit"].min() > held.loc[held["label"] == 0, "logit"].max()
    files = set(pd.read_csv(trained / "data" / "extended" / "manifest.csv")["file"].map("extended/{}".format))
    assert set(held.loc[held["label"] == 1, "file"]) <= files
    assert set(held["crop_x0"].astype(str)) == {""}
    assert json.loads((trained / "run" / "report.json").read_text())["counts"]["validation"]["manipulated"] == 3


def test_the_shipped_network_is_the_mean_of_those_of_the_seeds(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(trained / "weights"))
    model = expect(load_model("patches"), ResidualModel)
    assert model.card.crop.shape == (192, 64, 3)
    assert model.card.architecture["members"] == 2
    shipped = load_file(trained / "weights" / model.card.weights_file)
    for number, seed in enumerate((3, 4)):
        own = load_file(trained / "run" / f"seed-{seed}" / "best.safetensors")
        key = "trunk.0.0.weight"
        assert torch.equal(shipped[f"members.{number}.{key}"], own[f"members.0.{key}"].half())
    crops = np.random.default_rng(0).integers(1, 256, (2, 192, 64, 3), np.uint8)
    assert np.isfinite(model.patches(crops)).all()


def test_the_card_says_what_was_measured_and_which_groups_were_never_seen(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(trained / "weights"))
    card = load_model("patches").card
    assert card.results["out_of_fold", "all"].value == 1.0
    assert card.results["out_of_fold", "per_generator", "maker of held | who/held"].n_fake == 3
    assert card.training["clips"] == 18
    groups = pd.DataFrame({"group": ["held-0", "c", "fitted-0", "nobody's"]})
    assert split_of(groups, "patches").tolist() == ["train", "test", "train", "train"]


def test_a_run_that_was_killed_ends_where_an_unbroken_one_does(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, draw = labelled_clips(tmp_path), PatchBatches.batch

    def dies(self: PatchBatches, step: int) -> object:
        if step == 11:
            raise RuntimeError("the machine went off")
        return draw(self, step)

    config = config_in(tmp_path)
    monkeypatch.setattr(PatchBatches, "batch", dies)
    with pytest.raises(RuntimeError, match="went off"):
        kind_of(config).train(config, data, tmp_path / "run", "cpu")
    assert json.loads((tmp_path / "run" / "fold-1" / "run.json").read_text())["epochs"] == 1
    monkeypatch.setattr(PatchBatches, "batch", draw)
    kind_of(config).train(config, data, tmp_path / "run", "cpu")
    whole, again = (load_file(folder / "run" / "best.safetensors") for folder in (trained, tmp_path))
    for key, value in whole.items():
        torch.testing.assert_close(again[key], value, atol=1e-4, rtol=1e-3)


def test_a_fold_that_leaves_nothing_out_is_refused(trained: Path, tmp_path: Path) -> None:
    config = config_in(tmp_path, folds=[{"names": ["nobody"]}])
    with pytest.raises(SettingsError, match=r"the 1\. leaves nothing out"):
        kind_of(config).train(config, trained / "data", trained / "other", "cpu")
    with pytest.raises(SettingsError, match="expected what to leave out"):
        kind_of(config).load_config(config_in(tmp_path, folds=[]))


def test_the_shipped_config_is_read_and_a_wrong_one_is_told_all_at_once(tmp_path: Path) -> None:
    config = kind_of(SHIPPED).load_config(SHIPPED)
    assert config.fit.max_epochs * config.steps_per_epoch >= config.steps
    assert config.architecture["members"] == 3
    wrong = config_in(tmp_path, patch_px=65, seeds=[1, 1], spoil={"h264": 0.9, "jpeg": 0.9}, colour="red")
    with pytest.raises(SettingsError) as told:
        kind_of(wrong).load_config(wrong)
    for part in ("patch_px", "seeds", "jpeg", "colour"):
        assert part in str(told.value)


def test_owners_sum_what_is_theirs() -> None:
    sums = owners_sum(torch.tensor([1.0, 2.0, 4.0]), torch.tensor([1, 0, 1]), 3)
    assert sums.tolist() == [2.0, 5.0, 0.0]
