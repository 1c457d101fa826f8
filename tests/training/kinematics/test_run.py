"""From measured clips to a model: fitted, measured by folds, exported."""

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
from detector.faces.motion import FEATURES
from detector.registry import KinematicsModel, expect, load_model
from detector.training.evaluation.heldout import split_of
from detector.training.kinds import kind_of
from tests.training.kinematics.measured import TELLING, measured_clips

SHIPPED = Path(__file__).parents[3] / "assets" / "configs" / "kinematics-mesh.yaml"
SETTINGS = {
    "kind": "kinematics",
    "model_id": "motion",
    "title": "Motion",
    "ridge": 1.0,
    "folds": [{"names": ["maker of held"], "shares": {"camera": 0.5}}, {"names": ["maker of fitted"]}],
    "limits": ["toy"],
    "licence": "test",
}


def config_in(folder: Path, **changes: object) -> Path:
    path = folder / "motion.yaml"
    path.write_text(yaml.safe_dump({**SETTINGS, **changes}), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("kinematics")
    where = [str(config_in(root)), "--data", str(measured_clips(root)), "--run", str(root / "run")]
    assert main(["train", *where]) == 0
    assert main(["export", *where, "--out", str(root / "weights"), "--unmeasured"]) == 0
    return root


def test_a_run_measures_every_family_and_fits_only_those_it_is_told_to(trained: Path) -> None:
    facts = json.loads((trained / "run" / "run.json").read_text())
    assert (facts["kind"], facts["status"], facts["not_measured"]) == ("kinematics", "finished", {"too short": 1})
    used = pd.read_csv(trained / "run" / "clips.csv")
    assert set(used["family"]) == {"genuine", "animation", "whole"}
    assert len(used) == facts["clips"] == 15  # eleven genuine ones, one of which is not measured, and four deepfakes
    held = pd.read_csv(trained / "run" / "out_of_fold.csv", keep_default_na=False)
    assert list(held)[:8] == ["file", "crop_x0", "group", "label", "source", "family", "fold", "logit"]
    assert set(held["family"]) == {"genuine", "swap", "lipsync", "animation", "whole"}
    assert "g3.mp4" not in set(held["file"])
    told = held[held["family"].isin(["animation", "whole"])]
    assert told["logit"].min() > held.loc[held["label"] == 0, "logit"].max()
    assert told["logit"].mean() > 0 > held.loc[held["label"] == 0, "logit"].mean()


def test_each_clip_is_scored_by_the_fold_that_left_it_out(trained: Path) -> None:
    held = pd.read_csv(trained / "run" / "out_of_fold.csv", keep_default_na=False)
    assert set(held.loc[held["source"].str.contains("who/held"), "fold"]) == {1}
    assert set(held.loc[held["source"].str.contains("who/fitted"), "fold"]) == {2}


def test_the_shipped_model_says_of_a_clip_what_the_run_said(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(trained / "weights"))
    model = expect(load_model("motion"), KinematicsModel)
    assert model.card.inputs["features"] == list(FEATURES)
    best, shipped = (load_file(trained / name) for name in ("run/best.safetensors", "weights/motion.safetensors"))
    assert all(torch.equal(best[key], shipped[key]) for key in best)
    plain = np.tile(np.asarray(model.card.inputs["genuine_mean"]), (2, 1))
    plain[1, TELLING] += 4
    genuine, fake = model.motion(plain).logits
    assert genuine < 0 < fake
    assert int(np.argmax(model.motion(plain[1:]).shares)) in TELLING


def test_the_card_tells_what_the_nuisances_are_worth_alone(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(trained / "weights"))
    card = load_model("motion").card
    assert card.results["out_of_fold", "fitted_families"].value == 1.0
    assert card.results["out_of_fold", "fitted_families_balanced"].value == 1.0
    assert card.results["out_of_fold", "nuisances_alone"].value < 0.9
    assert card.results["out_of_fold", "nuisances_alone_balanced"].n_fake == 4
    assert {row.data[-1] for row in card.results.under("out_of_fold", "per_family").measurements} == {
        "swap", "lipsync", "animation", "whole"
    }  # fmt: skip
    groups = pd.DataFrame({"group": ["held-2", "c", "fitted-3"]})
    assert split_of(groups, "motion").tolist() == ["train", "test", "train"]


def test_what_is_ranked_by_chance_is_refused(tmp_path: Path) -> None:
    config = config_in(tmp_path)
    with pytest.raises(SettingsError, match="no better than by chance"):
        kind_of(config).train(config, measured_clips(tmp_path, held=-4.0), tmp_path / "run", "cpu")


def test_a_fold_that_leaves_nothing_out_is_refused(tmp_path: Path) -> None:
    config = config_in(tmp_path, folds=[{"names": ["nobody"]}])
    with pytest.raises(SettingsError, match=r"the 1\. leaves nothing out"):
        kind_of(config).train(config, measured_clips(tmp_path), tmp_path / "run", "cpu")


def test_the_shipped_config_is_read_and_leaves_out_what_the_patches_leave_out(tmp_path: Path) -> None:
    config = kind_of(SHIPPED).load_config(SHIPPED)
    patches = SHIPPED.with_name("residual-patches.yaml")
    assert config.folds == kind_of(patches).load_config(patches).folds
    wrong = config_in(tmp_path, folds=[], families=["magic"], ridge=-1, colour="red")
    with pytest.raises(SettingsError) as told:
        kind_of(wrong).load_config(wrong)
    for part in ("folds", "families", "ridge", "colour"):
        assert part in str(told.value)
