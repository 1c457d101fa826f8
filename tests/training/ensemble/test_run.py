"""An ensemble from its YAML to a card: fitted, exported beside its members, measured, reproduced."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from detector.cli import main
from detector.errors import SettingsError
from detector.registry import ModelCard, find_card, load_set
from detector.training.ensemble.recipe import train_ensemble
from tests.registry.shipping import ship
from tests.training.conftest import FRAME


def test_from_config_to_a_card_beside_its_members(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train_ensemble(lab / "both.yaml", lab / "data", lab / "run", "cpu")
    crossed = pd.read_csv(lab / "run" / "validation.csv")
    assert len(crossed) == 100  # the test split is not touched
    facts = json.loads((lab / "run" / "run.json").read_text())
    assert facts["rows"] == {"image/fake": 25, "image/real": 25, "video/fake": 25, "video/real": 25}
    arguments = ["export", str(lab / "both.yaml"), "--data", str(lab / "data"), "--run", str(lab / "run")]
    assert main([*arguments, "--out", str(lab / "out"), "--unmeasured"]) == 0
    assert sorted(path.name for path in (lab / "out").glob("*.card.json")) == [
        "both.card.json", "one.card.json", "other.card.json"
    ]  # fmt: skip
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(lab / "out"))
    card = find_card("both")
    assert [member["weights_sha256"] for member in card.inputs["members"]] == [
        find_card(name).weights_sha256 for name in ("one", "other")
    ]
    models = load_set(["both"])
    fused, shares = models[-1].fuse(np.array([[2.0, 1.0]]), np.array([[True, True]]))
    assert fused[0] > 0
    assert shares.sum() == pytest.approx(1)


def test_measured_on_people_that_each_fit_left_out(lab: Path) -> None:
    from detector.training.evaluation.cards import write_measured
    from detector.training.evaluation.evaluate import Evaluation
    from detector.training.evaluation.predictions import gather

    train_ensemble(lab / "both.yaml", lab / "data", lab / "run", "cpu")
    arguments = ["export", str(lab / "both.yaml"), "--data", str(lab / "data"), "--run", str(lab / "run")]
    assert main([*arguments, "--out", str(lab / "weights"), "--unmeasured"]) == 0
    model = load_set(["both"])[-1]
    table = pd.read_csv(lab / "data" / "manifest.csv").fillna("")
    table = gather(load_set(["both"]), table, lab / "data", lab / "predictions.jsonl").assign(split="val")
    video = table["kind"] == "video"
    evaluation = Evaluation(model.card, table[~video].reset_index(drop=True), table[video].reset_index(drop=True))
    crossed = pd.read_csv(lab / "run" / "validation.csv").fillna({"manipulation": ""})
    card = write_measured(evaluation, lab / "weights", validation=crossed)
    assert card.results["cross_validated", "crops"].value > 0.8
    assert card.results.table("videos", "called").cell("called_genuine", "likely_manipulated") <= 0.05 * 30
    assert "cross-validated by person" in card.thresholds.basis
    assert ModelCard.read(lab / "weights" / "both.card.json") == card


def test_members_that_changed_since_the_fit_are_refused(lab: Path) -> None:
    train_ensemble(lab / "both.yaml", lab / "data", lab / "run", "cpu")
    ship(lab / "weights", "one", "frame", {**FRAME, "width": 24}, {})
    from detector.training.kinds import export_run

    with pytest.raises(SettingsError, match="other weights now"):
        export_run(lab / "both.yaml", lab / "data", lab / "run", lab / "weights")
