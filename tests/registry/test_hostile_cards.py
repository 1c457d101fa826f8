"""A card that says what no model can be is refused with a reason, never with a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from detector.errors import ModelError, WeightsRefusedError
from detector.measurement.thresholds import Thresholds
from detector.registry import ModelCard, available_models, verify_model
from tests.registry.shipping import ship

ARCHITECTURE = {"kind": "frame", "trunk": "test_resnet", "width": 16}
SOURCE = Path(__file__).parents[2] / "assets" / "weights" / "transformer-lite0.card.json"
Change = Callable[[dict[str, Any]], object]


def read_changed(tmp_path: Path, change: Change) -> ModelCard:
    values = json.loads(SOURCE.read_text(encoding="utf-8"))
    change(values)
    path = tmp_path / SOURCE.name
    path.write_text(json.dumps(values), encoding="utf-8")
    return ModelCard.read(path)


def sets(*place: str, to: object) -> Change:
    def change(values: dict[str, Any]) -> None:
        for name in place[:-1]:
            values = values[name]
        values[place[-1]] = to

    return change


def decides(name: str, to: object) -> Change:
    return sets("decision", f"{name}_logit", to=to)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (decides("likely_manipulated", "high"), "decision: likely_manipulated_logit: .*number, found 'high'"),
        (decides("likely_manipulated", "1.0"), "likely_manipulated_logit: .*number, found '1.0'"),
        (decides("likely_manipulated", float("nan")), "likely_manipulated_logit: .*finite number, found nan"),
        (decides("likely_manipulated", float("inf")), "likely_manipulated_logit: .*finite number, found inf"),
        (decides("likely_manipulated", 1e308), "likely_manipulated_logit: .*1000, found 1e\\+308"),
        (decides("likely_manipulated", -9.0), "below likely_manipulated_logit, found -5.519 and -9.0"),
        (decides("likely_manipulated", -5.519), "below likely_manipulated_logit, found -5.519 and -5.519"),
        (decides("no_manipulation", None), "no_manipulation_logit: .*number, found None"),
        (decides("peak", float("nan")), "peak_logit: .*finite number, found nan"),
        (decides("run", True), "run_logit: .*number, found True"),
        (decides("other", 1.0), "decision: other_logit: unexpected"),
        (lambda card: card["decision"].pop("basis"), "decision: basis: field required"),
        (sets("decision", to=[1.0]), "decision: .*object"),
        (sets("inputs", "interval_margin_logit", to=float("nan")), "inputs: interval_margin_logit: "),
        (sets("inputs", "frames", to="many"), "inputs: frames: .*integer, found 'many'"),
        (sets("inputs", "frames", to=0), "inputs: frames: .*1, found 0"),
        (lambda card: card["inputs"].pop("frames"), "inputs: expected frames"),
        (sets("inputs", "members", to=["frame-lite0"]), "inputs: members.0: .*object, found 'frame-lite0'"),
        (sets("inputs", "trunk", to={"a": 1}), "inputs: trunk: .*string"),
        (sets("inputs", "anything", to=float("inf")), "inputs: .*not JSON compliant"),
        (sets("architecture", "dropout", to=float("nan")), "architecture: .*not JSON compliant"),
        (sets("crop", "size_px", to=10**9), "crop: size_px: .*2048, found 1000000000"),
        (sets("crop", "std", to=[0.0, 0.5, 0.5]), "crop: std.0: .*greater than 0, found 0"),
        (sets("crop", "alignment", to="up"), "crop: alignment: .*'native', found 'up'"),
        (sets("crop", "margin", to=float("nan")), "crop: margin: "),
        (sets("model_id", to="../other"), "model_id: .*pattern"),
        (sets("weights_sha256", to="abc"), "weights_sha256: .*pattern"),
        (sets("limits", to="none"), "limits: .*array, found 'none'"),
        (sets("parameters", to=1.5), "parameters: .*integer"),
        (sets("results", to=[1]), "results: expected a table"),
        (sets("results", "measurements", to=["x"]), r"results.measurements\[0\]"),
        (sets("results", "measurements", to=[{"data": ["x"], "value": "high"}]), r"results.measurements\[0\]"),
        (sets("mood", to="good"), "unknown fields: mood"),
        (sets("decision", to={"a": 1, "b": "x" * 10**5}), "found 'x{10,70}…"),
    ],
)  # fmt: skip
def test_what_no_model_can_be_is_named(tmp_path: Path, change: Change, reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        read_changed(tmp_path, change)


def test_an_unchanged_card_of_these_is_read(tmp_path: Path) -> None:
    assert read_changed(tmp_path, lambda card: None).model_id == "transformer-lite0"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "Expecting value"),
        (b"\xff\xfe{}", "utf-8"),
        (b"[1, 2]", "one JSON object"),
        (b"NaN", "one JSON object"),
        (b'{"model_id": ', "Expecting value"),
        (b"[" * 100_000, "recursion"),
        (b'{"parameters": ' + b"9" * 5000 + b"}", "4300 digits"),
        (b" " * (8 * 2**20 + 1), "8,388,608 bytes"),
    ],
    ids=["empty", "not utf-8", "a list", "a number", "cut off", "deep", "long number", "large"],
)
def test_what_is_no_card_is_named(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "tiny.card.json"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=reason):
        ModelCard.read(path)


def test_a_folder_or_nothing_in_a_cards_place_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "tiny.card.json"
    with pytest.raises(ModelError, match="no such file"):
        ModelCard.read(folder)
    folder.mkdir()
    with pytest.raises(ModelError, match="no file"):
        ModelCard.read(folder)


def test_a_card_in_another_models_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(tmp_path))
    ship(tmp_path, "tiny", "frame", ARCHITECTURE, {}).write(tmp_path / "zebra.card.json")
    with pytest.raises(ModelError, match=r"zebra.card.json is of tiny"):
        available_models()


@pytest.mark.parametrize(
    "architecture",
    [{}, {"kind": ["frame"]}, {**ARCHITECTURE, "width": "wide"}, {**ARCHITECTURE, "width": -1},
     {**ARCHITECTURE, "trunk": "no-such-trunk"}, {**ARCHITECTURE, "strides": {"a": None}}],
    ids=str,
)  # fmt: skip
def test_an_architecture_that_cannot_be_built_is_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, architecture: dict[str, Any]
) -> None:
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(tmp_path))
    card = ship(tmp_path, "tiny", "frame", ARCHITECTURE, {})
    replace(card, architecture=architecture).write(tmp_path / "tiny.card.json")
    with pytest.raises(WeightsRefusedError, match=r"tiny: .*cannot be built"):
        verify_model("tiny")


@pytest.mark.parametrize("values", [(0.0, 0.0), (-1.0, 1.0), (float("nan"), 0.0), (1e9, 0.0), ("1", 0.0)])
def test_thresholds_out_of_order_cannot_be_made(values: tuple[Any, float]) -> None:
    with pytest.raises(ValueError, match="Thresholds"):
        Thresholds(*values, "set by hand")
