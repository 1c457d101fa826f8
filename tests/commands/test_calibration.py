"""Calibrations from the command line: of an evaluation, fitted, and in force."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from detector.calibration import fitting
from detector.calibration.calibration import Calibration, Policy
from detector.calibration.fitting import policy_thresholds
from detector.calibration.sets import CalibrationSet
from detector.cli import main
from detector.registry import SHIPPED_SET, SHIPPED_SETS, find_calibration, find_card, load_set
from detector.registry.catalogue import SHIPPED
from detector.replay.rerun import _calibrated_as_recorded

SET = SHIPPED_SETS / "public-2026.parquet"


@pytest.fixture
def shipped_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FRAMEWITNESS_WEIGHTS", raising=False)


@pytest.mark.usefixtures("shipped_models")
def test_the_shipped_calibration_is_what_the_shipped_set_gives(tmp_path: Path) -> None:
    assert main(["calibration", "fit", str(SET), "residual-patches", "--out", str(tmp_path)]) == 0
    made = Calibration.read(tmp_path / "residual-patches.calibration.json")
    shipped = find_calibration("residual-patches")
    assert shipped is not None
    assert (made.set_sha256, made.made_by, made.method) == (shipped.set_sha256, shipped.made_by, shipped.method)
    assert made.errors == shipped.errors
    assert (made.thresholds, made.threshold_intervals) == (shipped.thresholds, shipped.threshold_intervals)
    figures = ("parameters", "cllr", "cllr_min", "ece", "lowest", "highest")
    assert [getattr(made, name) for name in figures] == [
        pytest.approx(getattr(shipped, name), abs=2e-3) for name in figures
    ]


@pytest.mark.usefixtures("shipped_models")
def test_what_the_laboratory_fitted_goes_before_what_is_shipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = find_calibration("frame-lite0")
    assert own is not None
    changed = own.model_copy(update={"set_name": "of the laboratory"})
    (tmp_path / "frame-lite0.calibration.json").write_text(changed.model_dump_json(), encoding="utf-8")
    loaded = load_set(["frame-lite0"])
    monkeypatch.setenv("FRAMEWITNESS_CALIBRATIONS", str(tmp_path))
    assert main(["calibration", "show", "frame-lite0"]) == 0
    assert "of the laboratory" in capsys.readouterr().out
    (again,) = load_set(["frame-lite0"], loaded=loaded)
    assert again.calibration == changed
    assert again.network is loaded[0].network


@pytest.mark.usefixtures("shipped_models")
def test_scores_of_other_weights_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    of = CalibrationSet.read(SET)
    CalibrationSet("old", "old", {**of.made_by, "frame-lite0": "0" * 16}, of.table).write(tmp_path / "old.parquet")
    assert main(["calibration", "fit", str(tmp_path / "old.parquet"), "frame-lite0", "--out", str(tmp_path)]) == 2
    assert "other weights" in capsys.readouterr().err
    assert not (tmp_path / "frame-lite0.calibration.json").exists()


def test_the_calibration_of_another_model_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shipped_models: None, capsys: pytest.CaptureFixture[str]
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


@pytest.mark.usefixtures("shipped_models")
def test_the_page_on_models_says_what_the_shipped_calibrations_say() -> None:
    text = (SHIPPED_SETS.parents[1] / "docs" / "models.md").read_text(encoding="utf-8")
    for path in sorted(SHIPPED.glob("*.calibration.json")):
        found = Calibration.read(path)
        ratios = f"{math.exp(found.lowest):.2g} to {math.exp(found.highest):.2g}"
        row = f"| `{found.model_id}` | {found.n_real} / {found.n_fake} | {found.method.replace('_', '-')} | "
        assert f"{row}{found.cllr:.3f} | {found.cllr_min:.3f} | {found.ece:.3f} | {ratios} |" in text
    found, rows = Calibration.read(SHIPPED / "ensemble-default.calibration.json"), CalibrationSet.read(SET)
    low, high = found.thresholds
    assert f"logits of {high} and {low}, by limits of 5 %" in text
    whole = found.errors[0]
    assert f"{whole.false_alarms} of {whole.n_real} genuine clips and find nothing in {whole.misses} of" in text
    of = rows.of("ensemble-default")
    low, high = policy_thresholds(of["logit"].to_numpy(float), (of["label"] == "fake").to_numpy(), Policy())
    assert f"comes to {high} and {low};" in text
    assert found.threshold_intervals is not None
    (low, up), (least, most) = found.threshold_intervals
    assert f"lie in {least} to {most} and in\n{low} to {up}:" in text


@pytest.mark.usefixtures("shipped_models")
def test_a_replay_uses_the_calibration_that_the_record_rests_on() -> None:
    (model,) = load_set(["frame-lite0"])
    in_force = model.calibration
    assert in_force is not None
    then = in_force.model_copy(update={"set_name": "of then"})
    recorded = {
        "identity": {"models": [{"model_id": "frame-lite0", "card": {"calibration": then.sha256}}]},
        "calibration": then.model_dump(mode="json"),
    }
    assert _calibrated_as_recorded(model, recorded).calibration == then
    assert _calibrated_as_recorded(model, {"identity": None}).calibration is None
    assert _calibrated_as_recorded(model, {**recorded, "calibration": None}).calibration == in_force


@pytest.mark.usefixtures("shipped_models")
def test_a_set_is_put_in_force_shown_and_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(fitting, "METHODS", ("temperature",))  # to try them all takes seconds
    shipped = CalibrationSet.read(SHIPPED_SET)
    rows = shipped.table[shipped.table["model"] == "frame-lite0"].reset_index(drop=True)
    made_by = {"frame-lite0": shipped.made_by["frame-lite0"], "blend-lite0": "0" * 16}
    path, home = tmp_path / "ours.parquet", ["--home", str(tmp_path / "home")]
    CalibrationSet("ours", "for a test", made_by, rows).write(path)
    assert main(["calibration", "show", "frame-lite0", *home]) == 0
    assert "In force: shipped" in capsys.readouterr().out
    assert main(["calibration", "use", str(path), "--false-alarms", "0.02", "--author", "Ada", *home]) == 0
    said = capsys.readouterr()
    assert "left out: blend-lite0" in said.err
    assert main(["calibration", "show", "frame-lite0", *home]) == 0
    told = capsys.readouterr().out
    for line in (said.out, told):
        assert "In force: ours" in line
        assert "at most 2 % of the genuine clips" in line
        assert "chosen by Ada" in line
        assert "Thresholds by policy" in line
    assert main(["calibration", "use", str(path), "--misses", "1.5", *home]) == 2
    assert "above 0 and below 1" in capsys.readouterr().err
    assert main(["calibration", "use", "shipped", "--author", "Bea", *home]) == 0
    assert main(["calibration", "show", "frame-lite0", *home]) == 0
    told = capsys.readouterr().out
    assert "In force: shipped" in told
    assert "chosen by Bea" in told
    assert "frame-lite0: " in told
    assert "on public-2026" in told
    assert main(["cases", "verify", "--all", *home]) == 0


def test_a_set_of_cases_needs_cases_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "ours.parquet"
    named = ["--name", "ours", "--provenance", "closed cases", "--out", str(out), "--home", str(tmp_path / "home")]
    assert main(["calibration", "set", *named]) == 2
    assert main(["calibration", "set", str(tmp_path), "--from-cases", *named]) == 2
    assert "--from-cases, not both" in capsys.readouterr().err
    assert main(["calibration", "set", "--from-cases", *named]) == 2
    assert "No closed case has a scored video" in capsys.readouterr().err
    assert not out.exists()
