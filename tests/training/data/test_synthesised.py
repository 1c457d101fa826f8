"""Twins of genuine validation clips as files, and that ensembles are fitted to them beside the manifest's."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from detector.errors import SettingsError
from detector.registry import Thresholds, load_set
from detector.synthesis.video import write_clip
from detector.training.data.synthesised import write_twins
from detector.training.ensemble.recipe import load_ensemble_config, train_ensemble
from detector.training.evaluation.cards import cross_validated_results
from detector.training.evaluation.prediction_store import PredictionStore
from tests.synthesis.clips import face_clip
from tests.training.recorded import recorded


@pytest.mark.slow
def test_each_clip_has_its_twins_under_its_own_group_and_is_not_made_twice(tmp_path: Path) -> None:
    for number, name in enumerate(("anna", "ben", "nobody")):
        images = face_clip(16, fps=8.0, tint=0.7 + 0.2 * number).images
        write_clip(tmp_path / f"{name}.mp4", images if name != "nobody" else np.zeros_like(images), 8)
    clips = pd.DataFrame(
        {"file": ["anna.mp4", "ben.mp4", "nobody.mp4"], "group": ["a", "b", "c"], "source": ["s", "t", "t"]}
    )
    out = tmp_path / "twins"
    table = write_twins(clips, tmp_path, out, ["swap", "self_blend", "redraw"], [])  # no network: nothing is redrawn
    assert table.groupby(["group", "source"])["label"].apply(sorted).to_dict() == {
        ("a", "s"): ["fake", "fake", "real"],
        ("b", "t"): ["fake", "fake", "real"],
    }
    assert set(table["manipulation"]) == {"", "swap", "self_blend"}
    assert all(Path(file).is_absolute() and Path(file).is_file() for file in table["file"])
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.mp4")}
    pd.testing.assert_frame_equal(write_twins(clips, tmp_path, out, ["swap", "self_blend", "redraw"], []), table)
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.mp4")} == before


def test_an_ensemble_is_fitted_to_them_as_a_kind_of_their_own(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the manifest's files neither member tells anything apart; in the synthesised ones the first does."""
    store, models = PredictionStore(lab / "predictions.jsonl"), load_set(["one", "other"])
    rng = np.random.default_rng(1)
    table = pd.read_csv(lab / "data" / "manifest.csv")
    for file, kind in zip(table["file"], table["kind"], strict=True):
        noise = {"one": rng.normal(), "other": rng.normal()}
        store.add(recorded(lab / "data" / file, kind, models, noise))
    labels = np.resize(["fake", "real"], 40)
    files = [f"/{number}.mp4" for number in range(40)]
    for file, label in zip(files, labels, strict=True):
        told = {"one": 2.0 if label == "fake" else -2.0, "other": rng.normal()}
        store.add(recorded(Path(file), "video", models, told))
    twins = pd.DataFrame(
        {
            "file": files,
            "kind": "video",
            "label": labels,
            "group": [f"person{i}" for i in range(40)],
            "source": "lab",
            "manipulation": np.where(labels == "fake", "swap", ""),
        }
    )
    asked: list[pd.DataFrame] = []

    def stand_in(clips: pd.DataFrame, *_: object) -> pd.DataFrame:
        asked.append(clips)
        return twins

    monkeypatch.setattr("detector.training.ensemble.rows.write_twins", stand_in)
    values = {**yaml.safe_load((lab / "both.yaml").read_text()), "synthesised": ["swap"]}
    (lab / "both.yaml").write_text(yaml.safe_dump(values))
    train_ensemble(lab / "both.yaml", lab / "data", lab / "run", "cpu")
    (clips,) = asked
    assert set(clips["label"]) == {"real"}
    assert set(clips["kind"]) == {"video"}
    facts = json.loads((lab / "run" / "run.json").read_text())
    assert facts["rows"]["synthesised/fake"] == 20
    crossed = pd.read_csv(lab / "run" / "validation.csv")
    own = crossed[crossed["kind"] == "synthesised"]
    assert own.loc[own["label"] == "fake", "logit"].min() > own.loc[own["label"] == "real", "logit"].max()
    measured = cross_validated_results(crossed.fillna({"manipulation": ""}), Thresholds(1.0, -1.0, "set by hand"))
    assert measured["cross_validated", "synthesised", "all"].value == 1.0
    assert measured["cross_validated", "synthesised", "per_manipulation", "swap"].n_fake == 20
    assert measured["cross_validated", "videos", "all"].n_fake == 25, (
        "synthesised clips are not counted as the manifest's"
    )
    values["synthesised"] = ["swap", "dream"]
    (lab / "both.yaml").write_text(yaml.safe_dump(values))
    with pytest.raises(SettingsError, match="unknown manipulations 'dream'"):
        load_ensemble_config(lab / "both.yaml")
