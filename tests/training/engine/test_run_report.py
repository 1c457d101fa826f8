"""The report says what the run's files say, and suggests only what figures support."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from detector.errors import SettingsError
from detector.training.engine.roadmap import next_steps
from detector.training.engine.run_report import write_report


def _run(folder: Path, **changes: Any) -> Path:
    """The files of a run of twelve epochs that overfits from epoch 6 on, with one group upside down."""
    epochs = np.arange(12)
    validation = 0.5 + 0.003 * (epochs - 6) ** 2
    auc = 0.85 - 0.003 * np.abs(epochs - 6)
    metrics = pd.DataFrame(
        {
            "epoch": epochs, "train_loss": 0.6 - 0.03 * epochs, "train_auc": 0.8 + 0.015 * epochs,
            "validation_loss": validation, "auc": auc, "accuracy": 0.8, "f1": 0.8, "precision": 0.8,
            "recall": 0.8, "learning_rate": 1e-3 * 0.8**epochs, "minutes": epochs + 1.0,
            "auc:swap": 0.9, "accuracy:swap": 0.8, "auc:lip|sync": 0.4, "accuracy:lip|sync": 0.5,
            "auc:lone": 1.0, "accuracy:lone": 1.0,
        }
    )  # fmt: skip
    for name, values in changes.get("metrics", {}).items():
        metrics[name] = values
    folder.mkdir(exist_ok=True)
    metrics.to_csv(folder / "metrics.csv", index=False)
    best = int(metrics["validation_loss"].argmin())
    size = {"genuine": 50, "manipulated": 50}
    facts = {
        "model_id": "m", "title": "M", "kind": "frame", "config_sha256": "ab" * 32, "status": "finished",
        "stopped_because": "5 epochs brought no lower validation loss", "epochs": 12, "minutes": 12.0,
        "best_epoch": best, "best_validation_loss": float(metrics["validation_loss"].min()),
        "counts": {"train": {**size, "batches": 9},
                   "validation": {**size, "groups": {"swap": size, "lip|sync": size, "lone": size}}},
        "confusion": {"true_genuine": 45, "false_manipulated": 5, "false_genuine": 15, "true_manipulated": 35},
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(facts))
    rng = np.random.default_rng(0)
    label = np.repeat([0, 1], 50)
    groups = [
        pd.DataFrame({"logit": rng.normal(0, 1, 100) + shift * label, "label": label, "group": name})
        for name, shift in (("swap", 1), ("lip|sync", -1))
    ]
    lone = pd.DataFrame({"logit": [9.0], "label": [1], "group": ["lone"]})
    samples = pd.concat([*groups, lone])
    samples.to_csv(folder / "validation.csv", index=False)
    if "leakage" in changes:
        (folder / "leakage.json").write_text(json.dumps(changes["leakage"]))
    return folder


def _findings(report: dict[str, Any]) -> list[str]:
    return [row["finding"] for row in report["roadmap"]]


def test_best_epoch_gap_and_groups_are_named(tmp_path: Path) -> None:
    report = write_report(_run(tmp_path / "run"))
    assert report["best_epoch"] == 6
    assert report["gap"]["loss"] == pytest.approx(0.5 - (0.6 - 0.18))
    assert report["gap"]["auc"] == pytest.approx(0.89 - 0.85)
    assert [row["name"] for row in report["groups"]] == ["lip|sync", "swap", "lone"]
    assert report["groups"][0]["inverted"]
    assert report["groups"][2]["auc"] is None  # of one sample
    assert report["groups"][2]["manipulated"] == 1
    text = (tmp_path / "run" / "report.md").read_text()
    assert "| lone | not measurable | 1.000 | 100 | 1 |" in text
    assert "Best validation loss 0.5000 in epoch 6" in text
    assert "lip\\|sync (worse than chance)" in text
    assert json.loads((tmp_path / "run" / "report.json").read_text()) == report


def test_plots_are_pictures_that_are_not_blank(tmp_path: Path) -> None:
    report = write_report(_run(tmp_path / "run"))
    assert set(report["plots"]) == {"loss", "metrics", "learning_rate", "confusion", "scores"}
    for file in report["plots"].values():
        assert np.asarray(Image.open(tmp_path / "run" / file)).std() > 5


def test_suggestions_follow_from_figures(tmp_path: Path) -> None:
    report = write_report(_run(tmp_path / "a"))
    assert {"an inverted group", "lopsided calls", "leakage not checked"} <= set(_findings(report))
    assert "overfitting" not in _findings(report)
    assert "still rising" not in _findings(report)
    leakage = {"clean": False, "warnings": ["bit_rate alone tells manipulated from genuine: AUC 0.91 (0.88 to 0.94)"]}
    rising = {"auc": 0.6 + 0.01 * np.arange(12), "train_auc": 0.99, "validation_loss": 0.7 - 0.01 * np.arange(12)}
    other = write_report(_run(tmp_path / "b", metrics=rising, leakage=leakage))
    assert _findings(other)[0] == "a plain property predicts the label"
    assert {"overfitting", "still rising"} <= set(_findings(other))
    assert "bit_rate" in (tmp_path / "b" / "report.md").read_text()


def test_an_unremarkable_run_gets_no_made_up_advice() -> None:
    report = {
        "leakage": {"clean": True, "warnings": []}, "groups": [], "best_epoch": 3,
        "at_best": {"auc": 0.9, "train_auc": 0.92}, "gap": {"auc": 0.02},
        "rise": {"still_rising": False, "auc_per_epoch": 0.0},
        "confusion": {"true_genuine": 9, "false_manipulated": 1, "false_genuine": 1, "true_manipulated": 9},
    }  # fmt: skip
    assert [row["finding"] for row in next_steps(report)] == ["nothing stands out"]


def test_a_folder_without_epochs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="train first"):
        write_report(tmp_path)
