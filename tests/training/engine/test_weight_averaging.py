"""Averaging runs: the mean of their weights, where it came from, and refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from detector.__main__ import main
from detector.errors import SettingsError
from detector.faces import CropSpec
from detector.measurement.results import Results
from detector.models import build_network
from detector.registry import ModelCard, Thresholds, load_weights, save_weights
from detector.training.engine.run_log import read_run
from detector.training.engine.weight_averaging import average_runs

ARCHITECTURE = {"kind": "frame", "trunk": "test_resnet", "width": 4}


def _run(folder: Path, seed: int, width: int = 4) -> Path:
    torch.manual_seed(seed)
    folder.mkdir()
    save_file(build_network({**ARCHITECTURE, "width": width}).state_dict(), folder / "best.safetensors")
    facts = {"status": "running", "config_sha256": "ab" * 32, "steps": 10 * seed, "minutes": 1.5, "epochs": 3}
    (folder / "run.json").write_text(json.dumps(facts))
    return folder


def test_the_mean_of_runs_is_a_run_that_says_where_it_came_from(tmp_path: Path) -> None:
    runs = [_run(tmp_path / name, seed) for name, seed in (("one", 1), ("two", 2))]
    assert main(["average", *map(str, runs), "--run", str(tmp_path / "mean")]) == 0
    mean = read_run(tmp_path / "mean")
    one, two = (load_file(run / "best.safetensors") for run in runs)
    for key, value in mean.weights.items():
        expected = (one[key] + two[key]) / 2 if value.is_floating_point() else one[key]
        torch.testing.assert_close(value, expected)
    assert (mean.steps, mean.minutes, mean.config_sha256) == (30, 3.0, "ab" * 32)
    facts = json.loads((tmp_path / "mean" / "run.json").read_text())
    assert facts["averaged"] == ["one " + "ab" * 6, "two " + "ab" * 6]
    assert facts["status"] == "finished"


def test_a_shipped_model_may_be_one_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(3)
    path = tmp_path / "tiny.safetensors"
    digest = save_weights(build_network(ARCHITECTURE), path)
    crop, thresholds = CropSpec(32, 0.0), Thresholds(1.0, -1.0, "none")
    facts = ({}, Results(), (), "")
    card = ModelCard("tiny", "Tiny", "frame", ARCHITECTURE, crop, path.name, digest, 1, thresholds, *facts)
    card.write(tmp_path / "tiny.card.json")
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(tmp_path))
    run = _run(tmp_path / "one", 1)
    average_runs(["model:tiny", str(run)], tmp_path / "mean")
    key = "label_head.1.weight"
    expected = (load_weights("tiny")[key] + load_file(run / "best.safetensors")[key]) / 2
    torch.testing.assert_close(read_run(tmp_path / "mean").weights[key], expected)


def test_what_cannot_be_averaged_is_refused(tmp_path: Path) -> None:
    run, wide = _run(tmp_path / "one", 1), _run(tmp_path / "wide", 2, width=8)
    with pytest.raises(SettingsError, match="at least two"):
        average_runs([str(run)], tmp_path / "mean")
    with pytest.raises(SettingsError, match="another architecture"):
        average_runs([str(run), str(wide)], tmp_path / "mean")
    assert not (tmp_path / "mean").exists()
