"""K-fold training: everybody is left out once, nobody is on both sides, faces are cut once, what is said adds up."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from detector.cli import main
from detector.errors import SettingsError
from detector.training.engine.folds import fold_manifests, share_faces, train_folds
from detector.training.kinds import KINDS
from tests.training.banks import small_bank

SEEN: list[tuple[set[str], set[str]]] = []


def recipe(config_path: Path, data_root: Path, run_dir: Path, device: str) -> None:
    """Stands in for training: held-out people are scored by their number, a little wrongly."""
    table = pd.read_csv(data_root / "manifest.csv", dtype=str)
    assert all(Path(file).is_absolute() for file in table["file"])
    parts = {name: set(table.loc[table["split"] == name, "group"]) for name in ("train", "val")}
    SEEN.append((parts["train"], parts["val"]))
    held = table[table["split"] == "val"]
    run_dir.mkdir(parents=True)
    labels = (held["label"] == "fake").astype(int)
    pd.DataFrame({"logit": labels * 2 - 1 + np.linspace(-1.5, 1.5, len(held)), "label": labels}).to_csv(
        run_dir / "validation.csv", index=False
    )
    (run_dir / "run.json").write_text(json.dumps({"status": "finished", "minutes": 1.0}))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rows = [
        {
            "file": f"{number}.png",
            "label": "fake" if number % 2 else "real",
            "kind": "image",
            "use": "validation" if number in (8, 9) else "train",
            "group": str(number // 2),
            "source": "web" if number % 3 else "studio",
        }
        for number in range(80)
    ]
    (tmp_path / "data").mkdir()
    pd.DataFrame(rows).to_csv(tmp_path / "data" / "manifest.csv", index=False)
    (tmp_path / "config.yaml").write_text("kind: frame\n")
    return tmp_path


def test_everybody_is_left_out_once_and_the_report_adds_up(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(KINDS["frame"], "train", recipe)
    SEEN.clear()
    arguments = ["train", str(data / "config.yaml"), "--data", str(data / "data"), "--run", str(data / "run")]
    assert main([*arguments, "--folds", "4"]) == 0
    assert len(SEEN) == 4
    left_out = [group for _, held in SEEN for group in held]
    assert len(left_out) == len(set(left_out))
    assert all(not train & held for train, held in SEEN)
    assert all(train | held == set(left_out) for train, held in SEEN)
    assert "4" not in left_out, "what is marked for validation use takes part in no fold"
    report = json.loads((data / "run" / "folds.json").read_text())
    assert report["pooled"]["genuine"] + report["pooled"]["manipulated"] == 2 * len(left_out)
    aucs = [row["auc"] for row in report["per_fold"]]
    assert report["auc_mean"] == pytest.approx(np.mean(aucs), abs=1e-3)
    assert f"mean {report['auc_mean']}" in capsys.readouterr().out
    assert main([*arguments, "--folds", "1"]) == 2


def test_too_many_folds_and_kinds_with_folds_of_their_own_are_refused(data: Path) -> None:
    with pytest.raises(SettingsError, match="as many groups"):
        fold_manifests(data / "data", 400)
    (data / "config.yaml").write_text("kind: ensemble\n")
    with pytest.raises(SettingsError, match="measures itself by folds"):
        train_folds(data / "config.yaml", data / "data", data / "run", "cpu", 4)


def test_faces_and_readings_are_shared_and_only_the_split_differs(tmp_path: Path) -> None:
    first, other = tmp_path / "fold-1", tmp_path / "fold-2"
    bank = small_bank(first / "run" / "bank", faces=4)
    readings = first / "clips" / "readings"
    readings.mkdir(parents=True)
    (readings / "anna.0.npy").write_bytes(b"pixels")
    (readings / "anna.0.json").write_text(json.dumps({"group": "anna", "split": "train"}))
    splits = {group: "val" if group in "01" else "train" for group in bank.table["group"]} | {"anna": "val"}
    share_faces(first, other, splits)
    table = pd.read_parquet(other / "run" / "bank" / "table.parquet")
    assert table["split"].tolist() == [splits[group] for group in table["group"]]
    assert (pd.read_parquet(first / "run" / "bank" / "table.parquet")["split"] == "train").all()
    np.testing.assert_array_equal(np.load(other / "run" / "bank" / "images.npy"), bank.images)
    assert json.loads((other / "clips" / "readings" / "anna.0.json").read_text())["split"] == "val"
    assert (other / "clips" / "readings" / "anna.0.npy").read_bytes() == b"pixels"
