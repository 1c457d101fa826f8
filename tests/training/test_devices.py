"""The device of a command: "auto" is the one that is there, one that is not there is a usage error, not a traceback."""

from pathlib import Path

import pandas as pd
import pytest
import torch

from detector.cli import COMMANDS, main
from detector.errors import SettingsError
from detector.training.engine.device import training_device
from detector.training.evaluation.baselines import compare_baselines
from tests.training.banks import small_bank

COLUMNS = ["file", "label", "kind", "use", "group", "source"]
CONFIG = Path(__file__).parents[2] / "assets" / "configs" / "frame-lite0.yaml"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    pd.DataFrame(columns=COLUMNS).to_csv(tmp_path / "manifest.csv", index=False)
    return tmp_path


@pytest.mark.parametrize("command", ["train", "export", "evaluate", "baselines", "peers"])
@pytest.mark.parametrize("device", ["cuda", "cuda:3", "tpu"])
def test_a_device_that_is_not_there_is_a_usage_error(
    command: str, device: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {
        "train": [str(CONFIG), "--run", str(data / "run")],
        "export": [str(CONFIG), "--run", str(data / "run"), "--out", str(data / "out")],
        "evaluate": [],
    }.get(command, ["--bank", str(data / "bank")])
    assert main([command, *places, "--data", str(data), "--device", device]) == 2
    said = capsys.readouterr().err
    assert "--device" in said
    assert device in said
    assert not (data / "run").exists()


def test_auto_is_the_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert training_device("auto") == training_device("cpu") == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [training_device(name) for name in ("auto", "cuda", "cuda:1")] == ["cuda", "cuda", "cuda:1"]
    with pytest.raises(SettingsError, match="finds 2 CUDA devices"):
        training_device("cuda:2")


@pytest.mark.parametrize("command", ["baselines", "peers"])
def test_baselines_without_a_face_are_a_usage_error(
    command: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, "frame-lite0", "--data", str(data), "--bank", str(data / "bank")]) == 2
    assert "no face" in capsys.readouterr().err


def test_baselines_need_labelled_pictures_of_both_labels_to_be_fitted_to(tmp_path: Path) -> None:
    bank = small_bank(tmp_path / "bank", faces=4)
    bank.table["kind"] = "video"
    with pytest.raises(SettingsError, match="labelled pictures"):
        compare_baselines([], bank)


def test_the_former_name_of_baselines_still_runs_and_is_not_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert "peers" not in COMMANDS
    with pytest.raises(SystemExit) as left:
        main(["peers", "--help"])
    assert left.value.code == 0
    assert "detector baselines" in capsys.readouterr().out
