"""Real generators: what a model was not fitted to is measured by family and kept in its card; what it saw is not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from detector.cli import main
from detector.errors import SettingsError
from detector.registry import ModelCard, find_card
from detector.training.evaluation.evaluate import evaluate_models
from detector.training.evaluation.heldout import held_out_path, split_of

PARTS = ("calibration_videos", "extended_train_videos")


def measured(lab: Path, *, use: str = "all", ids: tuple[str, ...] = ("one", "later")):
    return evaluate_models(ids, lab / "data", use=use, store=lab / "predictions.jsonl")


def test_a_model_is_measured_on_what_it_was_not_fitted_to(pooled: Path) -> None:
    found = measured(pooled)
    assert json.loads(held_out_path(pooled / "weights", "later").read_text())["pools"] == ["", "extended"]
    assert json.loads(held_out_path(pooled / "weights", "one").read_text())["pools"] == [""]
    assert set(found["one"].pools) == set(PARTS)
    assert set(found["later"].pools) == {"calibration_videos"}
    results = found["one"].results(find_card("one").thresholds)
    for part in PARTS:
        whole = results[part, "all"]
        assert (whole.n_real, whole.n_fake) == (20, 20)
        assert results[part, "per_family", "swap"].value > 0.95
        assert results[part, "per_generator", "whole maker"].worse_than_chance
        assert results.table(part, "called").cell("called_fake", "likely_manipulated") == 10
        assert {name for name, _ in results.table(part, "genuine_per_source").rows} == {"calm", "loud"}
    assert results["videos", "all"].n_real + results["videos", "all"].n_fake == 60  # the folder's own, as before


def test_seen_and_unseen_rows_of_the_pool_are_told_apart(pooled: Path) -> None:
    rows = pd.DataFrame(
        {
            "group": ["talker0", "talker1", "talker1", "person0"],
            "pool": ["extended", "extended", "extended", ""],
            "use": ["train", "train", "calibration", "train"],
        }
    )
    assert split_of(rows, "later").tolist() == ["val", "train", "test", "val"]
    assert split_of(rows, "one").tolist() == ["test", "test", "test", "val"]
    path = held_out_path(pooled / "weights", "one")
    listed = json.loads(path.read_text())
    del listed["pools"]  # a list of before there was a pool
    path.write_text(json.dumps(listed))
    assert split_of(rows, "one").tolist() == ["test", "test", "test", "val"]


def test_parts_can_be_asked_for_alone(pooled: Path) -> None:
    found = measured(pooled, use="calibration", ids=("one",))["one"]
    assert set(found.pools) == {"calibration_videos"}
    assert not found.results().under("videos")
    assert not found.own_data
    assert not measured(pooled, use="validation", ids=("one",))["one"].pools
    assert not measured(pooled, use="train", ids=("later",))["later"].pools
    (pooled / "data" / "extended" / "manifest.csv").unlink()
    with pytest.raises(SettingsError, match="no files for calibration"):
        measured(pooled, use="calibration")


def test_cards_gain_the_pool_and_the_table_shows_it(pooled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["evaluate", "one", "later", "--data", str(pooled / "data"), "--write-cards"]
    arguments += ["--predictions", str(pooled / "predictions.jsonl"), "--out", str(pooled / "report.json")]
    assert main(arguments) == 0
    before = ModelCard.read(pooled / "weights" / "one.card.json")
    assert main([*arguments, "--use", "calibration"]) == 0
    told = capsys.readouterr()
    assert "one: as its card says" in told.err
    assert "calibration" in told.out
    after = ModelCard.read(pooled / "weights" / "one.card.json")
    assert after.results.under("videos") == before.results.under("videos")
    assert after.thresholds == before.thresholds
    assert after.results["calibration_videos", "all"].n_fake == 20
    assert main(["models", "table", "--families"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| model | genuine / manipulated | swap | whole | all | found at 5 % false alarms |"
    one = next(line for line in lines if line.startswith("| `one` (default) | 20 / 20 |"))
    assert "worse than chance" in one
    assert next(line for line in lines if line.startswith("| `other`")) == "| `other` (default) | – | – | – | – | – |"
    assert main(["models", "table", "--generators"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| generator | clips | ")
    columns = lines[0].split(" | ")
    swap, whole = (
        next(line for line in lines if line.startswith(f"| {name} maker | 10 |")) for name in ("swap", "whole")
    )
    at = columns.index("`one`")
    assert whole.split(" | ")[at].endswith("*")
    assert float(swap.split(" | ")[at]) > 0.95
    assert main(["models", "table", "--families", "train"]) == 0
    trained = capsys.readouterr().out
    assert "| `one` (default) | 20 / 20 |" in trained
    assert "| `later` (default) | – |" in trained


def test_each_of_several_specialists_is_measured_on_the_pool_and_has_a_row_of_its_own(
    pooled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = measured(pooled, use="calibration", ids=("one",))["one"]
    pool = found.pools["calibration_videos"]
    cues = {"logit:one/BG": -pool["logit:one"], "logit:one/RR": float("nan")}
    results = replace(found, cues=("BG", "RR"), pools={"calibration_videos": pool.assign(**cues)}).results()
    own = results["calibration_videos", "all"].value
    assert results["calibration_videos", "per_cue", "BG", "all"].value == pytest.approx(1 - own, abs=1e-3)
    assert results["calibration_videos", "per_cue", "RR", "all"].value is None
    path = pooled / "weights" / "one.card.json"
    replace(ModelCard.read(path), results=results).write(path)
    assert main(["models", "table", "--families"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert next(line for line in lines if line.startswith("| `one` · BG | 20 / 20 |"))
    assert next(line for line in lines if line.startswith("| `one` · RR | 0 / 0 |"))
