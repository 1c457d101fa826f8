"""Loading is strict: hash, format, keys and shapes are checked, and every refusal says what is wrong."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from detector.errors import ModelError, ModelNotFoundError, WeightsRefusedError
from detector.faces import CropSpec
from detector.measurement.results import Results
from detector.models import build_network
from detector.registry import (
    ModelCard,
    Thresholds,
    available_models,
    default_model_ids,
    load_model,
    save_weights,
    verify_model,
)

ARCHITECTURE = {"kind": "frame", "trunk": "test_resnet", "width": 16}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A weights folder with one small, untrained model called `tiny`."""
    torch.manual_seed(0)
    path = tmp_path / "tiny.safetensors"
    network = build_network(ARCHITECTURE)
    card = ModelCard(
        model_id="tiny",
        title="Tiny",
        kind="frame",
        architecture=ARCHITECTURE,
        crop=CropSpec(64, 0.1),
        weights_file=path.name,
        weights_sha256=save_weights(network, path),
        parameters=sum(p.numel() for p in network.parameters()),
        thresholds=Thresholds(0.5, -0.5, "none"),
        training={},
        results=Results(),
        limits=("untrained",),
        licence="test",
    )
    card.write(tmp_path / "tiny.card.json")
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(tmp_path))
    return tmp_path


def _rewrite(folder: Path, **changes: object) -> None:
    path = folder / "tiny.card.json"
    replace(ModelCard.read(path), **changes).write(path)  # type: ignore[arg-type]


def _reseal(folder: Path, state: dict[str, torch.Tensor]) -> None:
    import hashlib

    path = folder / "tiny.safetensors"
    save_file(state, path)
    _rewrite(folder, weights_sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def test_a_card_survives_writing_and_reading(folder: Path) -> None:
    card = ModelCard.read(folder / "tiny.card.json")
    card.write(folder / "again.card.json")
    assert ModelCard.read(folder / "again.card.json") == card
    assert isinstance(card.crop.mean, tuple)


def test_levels_within_a_track_are_in_a_card_only_where_they_are_set(folder: Path) -> None:
    path = folder / "tiny.card.json"
    assert json.loads(path.read_text())["decision"].keys() == {
        "likely_manipulated_logit", "no_manipulation_logit", "basis",
    }  # fmt: skip
    levels = Thresholds(0.5, -0.5, "none", run_logit=1.25, peak_logit=1.0)
    _rewrite(folder, thresholds=levels)
    assert ModelCard.read(path).thresholds == levels
    _rewrite(folder, thresholds=replace(levels, run_logit=None))
    assert ModelCard.read(path).thresholds == replace(levels, run_logit=None)
    path.write_text(path.read_text().replace('"peak_logit": 1.0', '"peak_logit": "high"'))
    with pytest.raises(ModelError, match=r"peak_logit: .*valid number"):
        ModelCard.read(path)


def test_loaded_weights_score_as_the_network_that_was_saved(folder: Path) -> None:
    torch.manual_seed(0)
    original = build_network(ARCHITECTURE).eval()
    model = load_model("tiny")
    crops = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    with torch.inference_mode():
        expected = original(model.prepare(crops)).numpy()
    np.testing.assert_allclose(model.score(crops), expected, atol=0.02)  # shipped as fp16
    assert model.score(crops[:0]).shape == (0,)
    blend_map = model.blend_map(crops)
    assert blend_map is not None
    assert blend_map.shape == (3, 8, 8)


def test_wrong_crops_are_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="64"):
        load_model("tiny").score(np.zeros((1, 32, 32, 3), np.uint8))


def test_an_unknown_name_lists_the_known_ones(folder: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="tiny"):
        load_model("huge")


def test_one_flipped_byte_is_refused(folder: Path) -> None:
    path = folder / "tiny.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(WeightsRefusedError, match="SHA-256"):
        verify_model("tiny")


def test_a_missing_file_is_refused(folder: Path) -> None:
    (folder / "tiny.safetensors").unlink()
    with pytest.raises(WeightsRefusedError, match="missing"):
        verify_model("tiny")


@pytest.mark.parametrize("name", ["tiny.pt", "tiny.pth", "tiny.bin", "../tiny.safetensors"])
def test_pickles_and_paths_elsewhere_are_refused_before_opening(folder: Path, name: str) -> None:
    _rewrite(folder, weights_file=name)
    with pytest.raises(WeightsRefusedError, match="safetensors"):
        verify_model("tiny")


def test_a_pickle_under_the_right_name_is_refused(folder: Path) -> None:
    import hashlib

    path = folder / "tiny.safetensors"
    torch.save({"x": torch.zeros(1)}, path)
    _rewrite(folder, weights_sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    with pytest.raises(WeightsRefusedError, match="not a safetensors file"):
        verify_model("tiny")


def test_missing_unexpected_and_misshapen_keys_are_named(folder: Path) -> None:
    state = load_file(folder / "tiny.safetensors")
    del state["map_head.bias"]
    state["intruder"] = torch.zeros(1)
    state["map_head.weight"] = torch.zeros(2, 16, 1, 1)
    _reseal(folder, state)
    with pytest.raises(WeightsRefusedError) as refusal:
        load_model("tiny")
    for name in ("missing map_head.bias", "unexpected intruder", "map_head.weight is (2, 16, 1, 1)"):
        assert name in str(refusal.value)


def test_a_card_with_missing_or_unknown_fields_is_refused(folder: Path) -> None:
    path = folder / "tiny.card.json"
    values = json.loads(path.read_text())
    del values["licence"]
    values["mood"] = "good"
    path.write_text(json.dumps(values))
    with pytest.raises(ModelError, match="licence, mood"):
        available_models()


class TestShippedWeights:
    """The models in assets/weights."""

    def test_every_shipped_model_verifies(self) -> None:
        assert default_model_ids()
        for card in available_models():
            verify_model(card.model_id)

    def test_cards_say_what_was_measured_and_where_it_fails(self) -> None:
        for card in available_models():
            assert card.results
            assert card.limits
            assert card.licence
            assert card.thresholds.basis
            assert card.thresholds.no_manipulation_logit < card.thresholds.likely_manipulated_logit
            if card.kind == "frame":
                pictures = card.results["held_out_crops",]
                if pictures.value is None:  # all cut too tight for it: left out, and counted
                    assert card.crop.least_inside > 0
                    assert pictures.counts["not_scored"] > 1000
                    continue
                assert pictures.value > 0.5

    def test_all_weights_together_stay_small(self) -> None:
        folder = Path(__file__).parents[2] / "assets" / "weights"
        assert sum(path.stat().st_size for path in folder.glob("*.safetensors")) <= 64 * 2**20
