"""Ensembles: fitted on validation predictions only, better than their members, missing members left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from detector.errors import SettingsError
from detector.measurement.metrics import binary_metrics
from detector.models.fusion import METHODS
from detector.training.ensemble.recipe import EnsembleConfig, cross_validated, fit_fusion, fuse, load_ensemble_config

CONFIG = EnsembleConfig(
    "together", "Together", ({"model_id": "a"}, {"model_id": "b", "cue": "BG"}, {"model_id": "c", "cue": "AV"})
)


def predictions(rows: int = 240, *, seed: int = 0, split: str = "val") -> pd.DataFrame:
    """Members a and b see half of the truth each, on scales of their own; c is there for a third of the rows."""
    rng = np.random.default_rng(seed)
    fake = rng.random(rows) < 0.5
    parts = fake[:, None] * np.array([1.2, 1.2, 1.5]) + rng.normal(0, 1, (rows, 3))
    return pd.DataFrame(
        {
            "label": np.where(fake, "fake", "real"),
            "kind": np.where(np.arange(rows) % 4 == 0, "video", "image"),
            "group": [f"person{number // 2}" for number in range(rows)],
            "split": split,
            "logit:a": 3 * parts[:, 0] - 4,
            "logit:b/BG": 0.5 * parts[:, 1],
            "logit:c": np.where(rng.random(rows) < 0.33, parts[:, 2], np.nan),
        }
    )


def auc(table: pd.DataFrame, logits: np.ndarray) -> float:
    return binary_metrics((table["label"] == "fake").to_numpy(), logits)["auc"]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_beats_its_members_on_people_it_never_saw(method: str) -> None:
    config = replace(CONFIG, method=method)
    table, unseen = predictions(), predictions(seed=1)
    fused = fuse(fit_fusion(config, table), config, unseen)
    assert np.isfinite(fused).all()
    best = max(auc(unseen, unseen[name].to_numpy()) for name in ("logit:a", "logit:b/BG"))
    margin = -0.06 if method == "majority_vote" else 0.02  # counting votes throws the confidence away
    assert auc(unseen, fused) > best + margin
    probability = 1 / (1 + np.exp(-fused))
    truth = (unseen["label"] == "fake").to_numpy()
    assert np.mean((probability - truth) ** 2) < 0.2  # a logit, not only an order


def test_the_same_predictions_give_the_same_ensemble() -> None:
    first, second = (fit_fusion(CONFIG, predictions()) for _ in range(2))
    for one, other in zip(first.state_dict().values(), second.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


@pytest.mark.parametrize("split", ["train", "test"])
def test_anything_but_validation_predictions_is_refused(split: str) -> None:
    table = predictions()
    table.loc[3, "split"] = split
    with pytest.raises(SettingsError, match="validation predictions only"):
        fit_fusion(CONFIG, table)


def test_too_few_rows_are_refused() -> None:
    table = predictions()
    with pytest.raises(SettingsError, match="fewer than"):
        fit_fusion(CONFIG, pd.concat([table[table["label"] == "real"], table[table["label"] == "fake"].head(9)]))


def test_a_value_where_a_member_is_absent_changes_nothing() -> None:
    table = predictions()
    without = table.drop(columns="logit:c")
    config = replace(CONFIG, method="learned_weights")
    fused = fuse(fit_fusion(config, without), config, without)
    assert np.isfinite(fused).all()
    nobody = table.assign(**{"logit:a": np.nan, "logit:b/BG": np.nan})
    assert np.isnan(fuse(fit_fusion(config, table), config, nobody)).all()  # sound alone never decides


def test_sound_may_raise_a_result_and_never_lower_it() -> None:
    config = replace(CONFIG, method="stacking")
    table = predictions()
    fusion = fit_fusion(config, table)
    silent = fuse(fusion, config, table.assign(**{"logit:c": np.nan}))
    for level in (-9.0, 9.0):
        assert (fuse(fusion, config, table.assign(**{"logit:c": level})) >= silent - 1e-6).all()


def test_cross_validation_keeps_people_together() -> None:
    table = predictions()
    rng = np.random.default_rng(3)
    luck = pd.Series({group: rng.normal() for group in set(table["group"])})
    # A member that knows each person's label by heart must not look good on people left out.
    person_label = table.groupby("group")["label"].first()
    table["label"] = table["group"].map(person_label)
    table["logit:a"] = table["group"].map(luck)
    table["logit:b/BG"] = 0.0
    table["logit:c"] = np.nan
    assert 0.3 < auc(table, cross_validated(CONFIG, table)["logit"].to_numpy()) < 0.7


def test_a_config_is_checked_whole(tmp_path: Path) -> None:
    path = tmp_path / "ensemble.yaml"
    path.write_text("kind: ensemble\nmodel_id: x\ntitle: X\nmethod: mood\nmembers:\n  - {model: a}\nhidden: 900\n")
    with pytest.raises(SettingsError) as refusal:
        load_ensemble_config(path)
    for problem in ("members[0]", "method", "hidden"):
        assert problem in str(refusal.value)
    path.write_text("kind: ensemble\nmodel_id: x\ntitle: X\nmembers:\n  - {model_id: a}\n  - {model_id: b, cue: AV}\n")
    architecture = load_ensemble_config(path).architecture
    assert architecture["one_sided"] == [1]
    assert "groups" not in architecture
    seam = "{model_id: a, group: seam}\n  - {model_id: c}\n  - {model_id: b, group: seam}"
    path.write_text(f"kind: ensemble\nmodel_id: x\ntitle: X\nmembers:\n  - {seam}\n")
    assert load_ensemble_config(path).architecture["groups"] == [0, 1, 0]
    for wrong in ("group: 3", "leak: 2", "leak: little", "leak: true"):
        path.write_text(f"kind: ensemble\nmodel_id: x\ntitle: X\nmembers:\n  - {{model_id: a, {wrong}}}\n")
        with pytest.raises(SettingsError, match=r"members\[0\]"):
            load_ensemble_config(path)
    path.write_text(
        "kind: ensemble\nmodel_id: x\ntitle: X\nmembers:\n  - {model_id: a, leak: 0.25}\n  - {model_id: b}\n"
    )
    assert load_ensemble_config(path).architecture["leaks"] == [0.25, 1.0]
