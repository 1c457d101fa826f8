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

FRAME = {"kind": "frame", "trunk": "resnet10t", "width": 16}


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
