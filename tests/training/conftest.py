"""Two small models of frames and a manifest that ensembles are fitted to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from detector.registry import load_set
from detector.training.evaluation.heldout import write_held_out
from detector.training.evaluation.prediction_store import PredictionStore
from tests.registry.shipping import ship
from tests.training.recorded import recorded

CLIPS = 40
FRAME = {"kind": "frame", "trunk": "test_resnet", "width": 16}


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two frame models and a manifest; what they say of its files is on record, so that nothing need be decoded."""
    weights = tmp_path / "weights"
    weights.mkdir()
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(weights))
    cards = [ship(weights, name, "frame", FRAME, {}) for name in ("one", "other")]
    rng = np.random.default_rng(0)
    rows, said = [], []
    for number in range(120):
        label, kind = ("fake", "real")[number % 2], ("video", "image")[number // 2 % 2]
        file = f"{number}.{'mp4' if kind == 'video' else 'png'}"
        rows.append((file, label, kind, f"person{number}", "lab", "paste" if label == "fake" else "", "train"))
        logits = rng.normal(1.0 if label == "fake" else -1.0, 1.0, 2)
        said.append((file, kind, dict(zip(("one", "other"), logits, strict=True))))
    names = ["file", "label", "kind", "group", "source", "manipulation", "use"]
    table = pd.DataFrame(rows, columns=names)
    (tmp_path / "data").mkdir()
    table.to_csv(tmp_path / "data" / "manifest.csv", index=False)
    split = np.where(np.arange(120) < 100, "val", "test")
    for card in cards:
        write_held_out(table.assign(split=split), weights, card.model_id)
    store = PredictionStore(tmp_path / "predictions.jsonl")
    models = load_set(["one", "other"])
    for file, kind, given in said:
        store.add(recorded(tmp_path / "data" / file, kind, models, given))
    (tmp_path / "run").mkdir()
    config = {
        "kind": "ensemble",
        "model_id": "both",
        "title": "Both",
        "method": "learned_weights",
        "members": [{"model_id": "one"}, {"model_id": "other"}],
        "limits": ["test"],
        "licence": "test",
    }
    (tmp_path / "both.yaml").write_text(yaml.safe_dump(config))
    return tmp_path


@pytest.fixture
def pooled(lab: Path) -> Path:
    """The lab with a pool of real generators: 40 clips to train on and 40 for calibration, known from the record. The
    model "one" tells swaps, and is turned round on whole pictures; "later" was fitted to the pool."""
    later = ship(lab / "weights", "later", "frame", {**FRAME, "width": 24}, {})
    rows = []
    rng = np.random.default_rng(4)
    store, models = PredictionStore(lab / "predictions.jsonl"), load_set(["one", "other", "later"])
    for number in range(2 * CLIPS):
        use, fake = ("train", "calibration")[number // CLIPS], number % 2 == 1
        family = ("swap", "whole")[number // 2 % 2] if fake else "genuine"
        cut = (0, 64) if number % 4 == 0 else None
        file = f"clips/{number}.mp4"
        rows.append(
            {
                "file": file, "label": "fake" if fake else "real", "kind": "video", "use": use, "family": family,
                "generator": f"{family} maker" if fake else "", "group": f"talker{number}",
                "repo": ("calm", "loud")[number // 4 % 2], "manipulation": "",
                "crop_x0": "0" if cut else "", "crop_x1": "64" if cut else "",
            }
        )  # fmt: skip
        level = {"swap": 3.0, "whole": -3.0}.get(family, 0.0)
        logits = {model.card.model_id: level + rng.normal(0, 0.5) for model in models}
        store.add(recorded(lab / "data" / "extended" / file, "video", models, logits, cut=cut))
    (lab / "data" / "extended").mkdir()
    pd.DataFrame(rows).to_csv(lab / "data" / "extended" / "manifest.csv", index=False)
    table = pd.read_csv(lab / "data" / "manifest.csv").assign(pool="")
    for file, kind in zip(table["file"], table["kind"], strict=True):
        store.add(recorded(lab / "data" / file, kind, [models[-1]], {"later": rng.normal()}))
    split = np.where(np.arange(len(table)) < 100, "val", "test")
    extended = pd.DataFrame({"group": ["talker0", "talker1"], "split": ["val", "train"], "pool": "extended"})
    write_held_out(pd.concat([table.assign(split=split), extended]), lab / "weights", later.model_id)
    return lab
