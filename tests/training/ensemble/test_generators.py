"""Ensembles on real generators: rows that count alike, folds that leave generators out, members by their own folds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from detector.analysis.kinds import kind_of
from detector.cli import main
from detector.errors import SettingsError
from detector.registry import EnsembleModel, expect, find_card, load_model
from detector.training.ensemble.generators import balanced_weights, generator_folds
from detector.training.ensemble.recipe import load_ensemble_config, train_ensemble
from detector.training.ensemble.rows import replace_by_folds
from detector.training.evaluation.beside_members import beside_members, family_of_rows, never_much_worse


def clips(counts: dict[tuple[str, str, str], int]) -> pd.DataFrame:
    """So many videos of each (family, generator, source), a group each; a family "" is genuine."""
    rows = [key for key, count in counts.items() for _ in range(count)]
    table = pd.DataFrame(rows, columns=["family", "generator", "source"])
    label = np.where(table["family"] == "", "real", "fake")
    return table.assign(kind="video", label=label, group=[f"g{number}" for number in range(len(table))])


def test_labels_and_families_count_alike_and_sources_by_the_root_of_their_number() -> None:
    table = clips(
        {
            ("", "", "many"): 64,
            ("", "", "few"): 4,
            ("swap", "a", "s"): 3,
            ("whole", "b", "s"): 90,
            ("whole", "c", "t"): 10,
        }
    )
    weights = pd.Series(balanced_weights(table))
    assert weights.sum() == pytest.approx(1)
    assert weights.groupby(table["label"]).sum().tolist() == pytest.approx([0.5, 0.5])
    assert weights.groupby(table["family"]).sum().tolist() == pytest.approx([0.5, 0.25, 0.25])
    by_source = weights.groupby([table["family"], table["source"]]).sum()
    assert by_source["", "many"] / by_source["", "few"] == pytest.approx(4)
    assert by_source["whole", "s"] / by_source["whole", "t"] == pytest.approx(3)


def test_a_fold_leaves_out_whole_generators_and_sources_and_whom_they_share() -> None:
    table = clips(
        {(f"swap{n}", f"maker {n}", "x"): 6 for n in range(5)} | {("", "", f"source {n}"): 6 for n in range(5)}
    )
    shared = (table["generator"] == "maker 0") | (table["source"] == "source 0")
    table.loc[shared, "group"] = [f"pair{number % 6}" for number in range(12)]  # halves of the same clips
    folds = list(generator_folds(table, 5, seed=1))
    left_out = np.sort(np.concatenate([apart for _, apart in folds]))
    np.testing.assert_array_equal(left_out, np.arange(len(table)))
    for rest, apart in folds:
        for name, label in (("generator", "fake"), ("source", "real"), ("group", "")):
            sides = [
                set(part.loc[(part["label"] == label) | (not label), name])
                for part in (table.iloc[rest], table.iloc[apart])
            ]
            assert not sides[0] & sides[1]
    with pytest.raises(SettingsError, match="left out together"):
        list(generator_folds(table[shared], 5, seed=1))


def test_the_rule_names_the_family_on_which_a_member_alone_is_better() -> None:
    table = clips({("swap", "a", "s"): 20, ("whole", "b", "s"): 20, ("", "", "r"): 20})
    swap, whole = ((table["family"] == name).to_numpy(float) for name in ("swap", "whole"))
    noise = np.linspace(0, 0.5, len(table))
    table = table.assign(**{"logit:a": 3 * swap + noise, "logit:b": 3 * whole + noise, "logit": 3 * swap + noise})
    members = [{"model_id": "a"}, {"model_id": "b"}, {"model_id": "rare"}]
    table["logit:rare"] = np.where(np.arange(len(table)) % 10 == 0, 9.0 * (table["label"] == "fake"), np.nan)
    rows = {row.family: row for row in beside_members(table, members)}
    assert (rows["swap"].member, rows["swap"].worse_by) == ("a", 0.0)
    assert (rows["whole"].member, rows["whole"].member_auc) == ("b", 1.0)  # not the one that scored a tenth of them
    assert rows["whole"].worse_by > 0.4
    assert never_much_worse(tuple(rows.values())) is False
    better = table.assign(logit=3 * swap + 3 * whole + noise)
    assert never_much_worse(beside_members(better, members)) is True
    assert never_much_worse(beside_members(better.assign(logit=np.nan), members)) is None


def test_fakes_without_a_family_stand_together_and_twins_apart() -> None:
    table = clips({("", "", "r"): 1, ("swap", "a", "s"): 1, ("gone", "b", "s"): 2})
    table["family"] = ["", "swap", "", "swap"]
    table.loc[3, "kind"] = "synthesised"
    assert family_of_rows(table).tolist() == ["", "swap", "other", "synthesised"]


def _folds_file(path: Path, rows: list[tuple[str, str, Any]]) -> dict[str, str]:
    pd.DataFrame(rows, columns=["file", "crop_x0", "logit"]).to_csv(path, index=False)
    return {"model_id": "a", "folds": path.name}


def test_out_of_fold_logits_are_told_by_file_and_cut(tmp_path: Path) -> None:
    rows = pd.DataFrame({"file": ["x.mp4", "x.mp4", "y.mp4", "z.mp4"], "crop_x0": ["0", "564", "", ""]})
    rows["logit:a"] = [np.nan, np.nan, 9.0, 5.0]
    member = _folds_file(tmp_path / "folds.csv", [("x.mp4", "564", 2.0), ("x.mp4", "0.0", 1.0), ("y.mp4", "", "")])
    said = replace_by_folds(rows, member, tmp_path)["logit:a"]
    np.testing.assert_array_equal(said, [1.0, 2.0, np.nan, 5.0])  # a clip without one of its own has none
    for wrong in ([("other.mp4", "", 1.0)], [("y.mp4", "", 1.0), ("y.mp4", "", 2.0)], [("y.mp4", "left", 1.0)]):
        with pytest.raises(SettingsError, match=r"folds\.csv"):
            replace_by_folds(rows, _folds_file(tmp_path / "folds.csv", wrong), tmp_path)
    with pytest.raises(SettingsError, match=r"absent\.csv"):
        replace_by_folds(rows, {"model_id": "a", "folds": "absent.csv"}, tmp_path)


def _config(lab: Path, members: list[dict[str, str]]) -> Path:
    values = {**yaml.safe_load((lab / "both.yaml").read_text()), "pool": "extended", "members": members}
    path = lab / "pooled.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def test_a_member_that_was_fitted_to_the_pool_enters_by_its_folds(pooled: Path) -> None:
    with pytest.raises(SettingsError, match=r"later.*folds: FILE"):
        train_ensemble(
            _config(pooled, [{"model_id": "one"}, {"model_id": "later"}]), pooled / "data", pooled / "run", "cpu"
        )
    manifest = pd.read_csv(pooled / "data" / "extended" / "manifest.csv", dtype=str, keep_default_na=False)
    trained = manifest[manifest["use"] == "train"].iloc[2:]
    said = [(f"extended/{file}", cut, -7.0) for file, cut in zip(trained["file"], trained["crop_x0"], strict=True)]
    (pooled / "later").mkdir()
    _folds_file(pooled / "later" / "folds.csv", said[:-1])
    members = [{"model_id": "one"}, {"model_id": "later", "folds": "later/folds.csv"}]
    path = _config(pooled, members)
    assert load_ensemble_config(path).pool == "extended"
    train_ensemble(path, pooled / "data", pooled / "run", "cpu")
    crossed = pd.read_csv(pooled / "run" / "validation.csv", dtype={"file": str})
    assert set(crossed["kind"]) == {"video"}
    assert (crossed["use"] == "calibration").sum() == 0
    own = crossed["pool"].isna()
    assert (own.sum(), (~own).sum()) == (50, 40)
    later = crossed.set_index("file")["logit:later"]
    assert later["extended/clips/0.mp4"] > -7  # held out by its run, so the shipped weights' own
    assert pd.isna(later["extended/clips/1.mp4"])  # trained on and in no fold
    assert pd.isna(later["extended/clips/39.mp4"])
    assert (later[[file for file, _, _ in said[:-1]]] == -7).all()
    assert crossed["logit"].notna().all()

    facts = json.loads((pooled / "run" / "run.json").read_text())["pool"]
    assert facts["rows_by_family"] == {"genuine": 45, "other": 25, "swap": 10, "whole": 10}
    assert facts["out_of_fold"] == ["later"]
    assert facts["beside_best_member"]["swap"]["member"] == "one"
    whole = facts["beside_best_member"]["whole"]
    assert facts["never_worse_by_more"] == (
        max(one["worse_by"] for name, one in facts["beside_best_member"].items() if name != "all") <= 0.02
    )
    assert whole["worse_by"] == pytest.approx(whole["member_auc"] - whole["auc"], abs=1e-3)


def test_a_family_that_no_clip_is_of_is_refused(pooled: Path) -> None:
    path = _config(pooled, [{"model_id": "one"}, {"model_id": "other"}])
    path.write_text(path.read_text() + "families: [swap, animation]\n")
    with pytest.raises(SettingsError, match="of animation"):
        train_ensemble(path, pooled / "data", pooled / "run", "cpu")


def test_the_card_of_such_an_ensemble_says_how_it_was_fitted(pooled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _config(pooled, [{"model_id": "one"}, {"model_id": "other"}])
    path.write_text(path.read_text() + "families: [swap, whole]\n")
    train_ensemble(path, pooled / "data", pooled / "run", "cpu")
    where = [str(path), "--data", str(pooled / "data"), "--run", str(pooled / "run"), "--out", str(pooled / "weights")]
    assert main(["export", *where, "--unmeasured"]) == 0
    assert find_card("both").training["pools"] == ["", "extended"]
    both = expect(load_model("both"), EnsembleModel)
    assert both.card.inputs["families"] == ["swap", "whole"]
    assert "Family (swap, whole)" in kind_of(both).diagram(both.card).in_words()
    read = both.families(np.array([[3.0, 3.0], [-3.0, -3.0]]), np.ones((2, 2), bool))
    assert read.argmax(1).tolist() == [0, 1]
    evaluate = ["evaluate", "both", "--data", str(pooled / "data"), "--predictions", str(pooled / "predictions.jsonl")]
    (pooled / "runs").mkdir()
    (pooled / "run").rename(pooled / "runs" / "both")
    assert main([*evaluate, "--out", str(pooled / "r.json"), "--write-cards", "--runs", str(pooled / "runs")]) == 0
    results = find_card("both").results
    assert not results.under("extended_train_videos")  # its own fit saw them
    assert results["calibration_videos", "all"].n_fake == 20
    assert results["cross_validated", "real_generators", "per_family", "swap"].value > 0.9
    assert results["cross_validated", "videos", "all"].n_fake == 25
    read_as = results.table("cross_validated", "families_read")
    assert read_as.rows == (("swap", (0, 0, 10)), ("whole", (0, 0, 10)))  # of one generator each, so in no fold's fit
    beside = results.table("cross_validated", "beside_best_member")
    assert beside.cell("swap", "manipulated") == 10
    said = {fact.data: fact.value for fact in results.facts}
    assert said["cross_validated", "how"].startswith("five folds by generator and genuine source")
    worst = max(row[-1] for name, row in beside.rows if name != "all")
    rule = said["cross_validated", "never_worse_than_best_member_by_more_than", "0.02"]
    assert rule is (worst <= 0.02)
