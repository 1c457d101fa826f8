"""Calibrations from the command line: of an evaluation, fitted, and in force."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.calibration.calibration import Calibration
from detector.calibration.sets import CalibrationSet
from detector.cli import main
from detector.registry import SHIPPED_SETS, find_calibration, find_card, load_set

SET = SHIPPED_SETS / "public-2026.parquet"


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FRAMEWITNESS_WEIGHTS", raising=False)


@pytest.mark.usefixtures("shipped")
def test_the_shipped_calibration_is_what_the_shipped_set_gives(tmp_path: Path) -> None:
    assert main(["calibration", "fit", str(SET), "residual-patches", "--out", str(tmp_path)]) == 0
    made = Calibration.read(tmp_path / "residual-patches.calibration.json")
    assert made == find_calibration("residual-patches")


@pytest.mark.usefixtures("shipped")
def test_what_the_laboratory_fitted_goes_before_what_is_shipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = find_calibration("frame-lite0")
    assert own is not None
    changed = own.model_copy(update={"set_name": "of the laboratory"})
    (tmp_path / "frame-lite0.calibration.json").write_text(changed.model_dump_json(), encoding="utf-8")
    monkeypatch.setenv("FRAMEWITNESS_CALIBRATIONS", str(tmp_path))
    assert main(["calibration", "show", "frame-lite0"]) == 0
    assert "of the laboratory" in capsys.readouterr().out
    assert load_set(["frame-lite0"])[0].calibration == changed


@pytest.mark.usefixtures("shipped")
def test_scores_of_other_weights_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    of = CalibrationSet.read(SET)
    CalibrationSet("old", "old", {**of.made_by, "frame-lite0": "0" * 16}, of.table).write(tmp_path / "old.parquet")
    assert main(["calibration", "fit", str(tmp_path / "old.parquet"), "frame-lite0", "--out", str(tmp_path)]) == 2
    assert "other weights" in capsys.readouterr().err
    assert not (tmp_path / "frame-lite0.calibration.json").exists()


def test_the_calibration_of_another_model_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shipped: None, capsys: pytest.CaptureFixture[str]
) -> None:
    found = find_calibration("frame-lite0")
    assert found is not None
    (tmp_path / "blend-lite0.calibration.json").write_text(found.model_dump_json(), encoding="utf-8")
    monkeypatch.setenv("FRAMEWITNESS_CALIBRATIONS", str(tmp_path))
    assert main(["calibration", "show", "blend-lite0"]) == 2
    assert "is the calibration of frame-lite0" in capsys.readouterr().err


def test_the_shipped_set_names_no_person_and_holds_no_picture() -> None:
    table = CalibrationSet.read(SET).table
    assert table["group"].str.fullmatch(r"g\d{3}").all()
    assert table["sha256"].str.fullmatch(r"[0-9a-f]{64}").all()
    assert find_card("ensemble-default").model_id in set(table["model"])
