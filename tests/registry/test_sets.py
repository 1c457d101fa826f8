"""Models that build on others: trunks and members are checked by weights, shared, and loaded once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detector.errors import ModelError, ModelNotFoundError, WeightsRefusedError
from detector.models import build_network
from detector.registry import (
    EnsembleModel,
    FrameModel,
    ModelCard,
    default_model_ids,
    expect,
    find_card,
    load_model,
    load_set,
    verify_model,
)
from tests.registry.shipping import ship

FRAME = {"kind": "frame", "trunk": "test_resnet", "width": 16}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A frame model, a transformer on it, and an ensemble of both."""
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(tmp_path))
    frame = ship(tmp_path, "frame", "frame", FRAME, {})
    features = build_network(FRAME).feature_dim
    inputs = {"trunk": "frame", "trunk_weights_sha256": frame.weights_sha256, "frames": 8, "cue": "TM"}
    time = ship(tmp_path, "time", "sequence", {"kind": "transformer", "features": features}, inputs)
    members = [
        {"model_id": card.model_id, "cue": cue, "weights_sha256": card.weights_sha256}
        for card, cue in ((frame, None), (time, "TM"))
    ]
    architecture = {"kind": "ensemble", "method": "logit_mean", "members": 2}
    ship(tmp_path, "both", "ensemble", architecture, {"members": members, "method": "logit_mean"})
    return tmp_path


def rewrite(folder: Path, model_id: str, **changes: object) -> None:
    path = folder / f"{model_id}.card.json"
    replace(ModelCard.read(path), **changes).write(path)  # type: ignore[arg-type]


def test_a_set_holds_everything_once(folder: Path) -> None:
    models = load_set(["both", "frame"])
    assert [(model.card.model_id, model.kind) for model in models] == [
        ("frame", "frame"), ("time", "sequence"), ("both", "ensemble")
    ]  # fmt: skip
    frame, time, _ = models
    assert time.trunk is frame
    again = load_set(["time"], loaded=models)
    assert again == (time,)
    assert load_set(["frame"], loaded=again)[0] is frame  # found inside the sequence model


def test_a_changed_card_is_loaded_afresh(folder: Path) -> None:
    models = load_set(["frame"])
    rewrite(folder, "frame", title="another")
    assert load_set(["frame"], loaded=models)[0].card.title == "another"


def test_each_kind_answers_its_own_questions_only(folder: Path) -> None:
    frame, time, both = load_set(["both"])
    crops = np.random.default_rng(0).integers(0, 255, (3, 64, 64, 3), dtype=np.uint8)
    logits, features = frame.features(crops)
    np.testing.assert_array_equal(logits, frame.score(crops))
    window = (features[None], np.array([[0.0, 0.2, 0.4]], np.float32), np.ones((1, 3), bool))
    scores = time.score_windows(*window)
    assert (scores.logits.shape, scores.frame_logits.shape) == ((1,), (1, 3))
    np.testing.assert_allclose(scores.pooling.sum(1), 1, rtol=1e-5)
    layers, pooling = time.attention(*window)
    np.testing.assert_allclose(layers[0].sum(-1), 1, rtol=1e-4)
    np.testing.assert_array_equal(pooling, scores.pooling)
    fused, shares = both.fuse(np.array([[1.0, np.nan]]), np.array([[True, False]]))
    assert (fused.tolist(), shares.tolist()) == ([1.0], [[1.0, 0.0]])
    for wrong in (lambda: expect(time, FrameModel), lambda: expect(frame, EnsembleModel)):
        with pytest.raises(ModelError, match="kind"):
            wrong()


def test_another_trunk_is_refused(folder: Path) -> None:
    ship(folder, "frame", "frame", {**FRAME, "width": 24}, {})
    for refused in ("time", "both"):
        with pytest.raises(WeightsRefusedError, match="Restore the matching pair"):
            load_model(refused)
        with pytest.raises(WeightsRefusedError, match="Restore the matching pair"):
            verify_model(refused)


def test_a_damaged_trunk_fails_the_verification_of_what_reads_it(folder: Path) -> None:
    path = folder / "frame.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    for refused in ("time", "both"):
        with pytest.raises(WeightsRefusedError, match="SHA-256"):
            verify_model(refused)


@pytest.mark.parametrize(
    "inputs",
    [{}, {"members": []}, {"members": [{"model_id": "frame", "cue": None}]}, {"members": [{"model_id": "both"}]}],
)
def test_an_ensemble_without_named_members_is_refused(folder: Path, inputs: dict[str, Any]) -> None:
    rewrite(folder, "both", inputs=inputs)
    with pytest.raises(ModelError, match=r"members"):
        load_model("both")


def test_a_sequence_model_must_name_its_trunk(folder: Path) -> None:
    rewrite(folder, "time", inputs={"frames": 8})
    with pytest.raises(WeightsRefusedError, match="does not say which model"):
        load_set(["time"])


def test_the_default_set_is_what_its_file_says_or_every_frame_model(folder: Path) -> None:
    assert default_model_ids() == ("frame",)
    (folder / "default.json").write_text(json.dumps({"models": ["both"]}))
    assert default_model_ids() == ("both",)
    for broken, error in (
        ('{"models": ["nobody"]}', ModelNotFoundError),
        ('{"models": []}', ModelError),
        ("[", ModelError),
    ):
        (folder / "default.json").write_text(broken)
        with pytest.raises(error):
            default_model_ids()
    assert find_card("both").kind == "ensemble"
