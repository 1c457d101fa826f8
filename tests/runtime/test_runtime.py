"""Networks converted for ONNX Runtime: as torch, once, kept, noticed where they are not what was written."""

import json
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from detector.errors import SettingsError
from detector.faces import CropSpec
from detector.measurement.results import Results
from detector.models import build_network
from detector.models.readings import FrameReading
from detector.registry import LoadedModel, ModelCard, Thresholds, load_model, load_set, save_weights
from detector.runtime import chosen_runtime, compiled, convert, kept
from detector.runtime.check import LOGIT_TOLERANCE, fixed_inputs

ARCHITECTURE = {"kind": "frame", "trunk": "test_resnet", "width": 16}
MADE_OF = {"model_id": "tiny"}
CROPS = np.random.default_rng(1).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def reading() -> FrameReading:
    torch.manual_seed(0)
    network = build_network(ARCHITECTURE)
    reading = FrameReading(network, 64, (0.5, 0.4, 0.3), (0.5, 0.5, 0.2))
    return reading.eval().requires_grad_(False)  # type: ignore[return-value]


@pytest.fixture(scope="module")
def made(reading: FrameReading, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the network is kept."""
    home = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRAMEWITNESS_HOME", str(home))
        assert compiled(reading, MADE_OF, "onnxruntime")[0] is not None
    return home


@pytest.fixture
def home(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, where networks are."""
    shutil.copytree(made, tmp_path / "home")
    monkeypatch.setenv("FRAMEWITNESS_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "runtime"


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Every conversion that is made; instead of the network, the one that is kept already."""
    real, seen = convert.to_onnx, []

    def counted(reading: FrameReading) -> bytes:
        seen.append(reading)
        return real(reading)

    monkeypatch.setattr(convert, "to_onnx", counted)
    return seen


def test_a_converted_network_answers_every_batch_as_torch_does(home: Path, reading: FrameReading) -> None:
    network, runtime = compiled(reading, MADE_OF, "onnxruntime")
    assert network is not None
    assert (runtime.name, runtime.asked, runtime.reason) == ("onnxruntime", "onnxruntime", None)
    for count in (1, 2, 5):
        with torch.inference_mode():
            expected = dict(zip(reading.names, reading(torch.from_numpy(CROPS[:count])), strict=True))
        told = network(CROPS[:count], reading.names)
        for name, value in expected.items():
            np.testing.assert_allclose(told[name], value, atol=LOGIT_TOLERANCE, rtol=1e-4)


def test_equal_batches_give_equal_bits_from_any_thread(home: Path, reading: FrameReading) -> None:
    network, _ = compiled(reading, MADE_OF, "onnxruntime")
    again, _ = compiled(reading, MADE_OF, "onnxruntime")
    assert network is not None
    assert again is not None
    first, told = again(CROPS, reading.names), []
    threads = [
        threading.Thread(target=lambda: told.extend(network(CROPS, reading.names) for _ in range(5))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 15
    assert all(one[name].tobytes() == first[name].tobytes() for one in told for name in reading.names)


def test_a_kept_network_is_not_made_again_but_one_made_of_anything_else_is(
    home: Path, reading: FrameReading, conversions: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert compiled(reading, MADE_OF, "onnxruntime")[0] is not None
    assert not conversions
    compiled(reading, {**MADE_OF, "weights_sha256": "other"}, "onnxruntime")
    assert len(conversions) == 1
    monkeypatch.setattr(convert, "_code_sha256", lambda: "another revision")
    compiled(reading, MADE_OF, "onnxruntime")
    assert len(conversions) == 2


@pytest.mark.parametrize("damage", ["altered", "truncated", "without its note", "a note of nothing"])
def test_a_damaged_network_is_noticed_and_made_anew(
    home: Path, reading: FrameReading, conversions: list[object], damage: str
) -> None:
    (place,) = home.iterdir()
    network, note = place / "network.onnx", place / "check.json"
    whole = network.read_bytes()
    if damage == "altered":
        network.write_bytes(whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
    elif damage == "truncated":
        network.write_bytes(whole[:-1])
    elif damage == "without its note":
        note.unlink()
    else:
        note.write_text("[]")
    assert compiled(reading, MADE_OF, "onnxruntime")[0] is not None
    assert len(conversions) == 1
    assert compiled(reading, MADE_OF, "onnxruntime")[0] is not None  # kept whole again
    assert len(conversions) == 1
    assert json.loads(note.read_text())["largest_logit_difference"] < LOGIT_TOLERANCE


def test_a_network_that_differs_from_torch_is_not_used_and_the_reason_is_told(
    home: Path, reading: FrameReading, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = convert.CompiledNetwork

    class Off(real):  # type: ignore[misc, valid-type]
        def __call__(self, pictures: NDArray[np.uint8], names: Any) -> Any:
            told = dict(super().__call__(pictures, names))
            return told | {"logits": told["logits"] + np.float32(3 * LOGIT_TOLERANCE)}

    monkeypatch.setattr(convert, "CompiledNetwork", Off)
    network, runtime = compiled(reading, {"model_id": "other"}, "onnxruntime")
    assert network is None
    assert (runtime.name, runtime.asked) == ("torch", "onnxruntime")
    assert runtime.reason is not None
    assert runtime.reason.startswith("other was run by torch and not by onnxruntime")
    assert "logits" in runtime.reason
    assert len(list(home.iterdir())) == 1  # not kept


def test_a_network_that_cannot_be_converted_is_left_to_torch(home: Path, reading: FrameReading) -> None:
    class Odd(FrameReading):
        def forward(self, crops: torch.Tensor) -> tuple[torch.Tensor, ...]:
            logits, *rest = super().forward(crops)
            return (torch.special.bessel_j0(logits), *rest)

    odd = Odd(reading.network, 64, (0.5,) * 3, (0.5,) * 3).eval()
    network, runtime = compiled(odd, {"model_id": "odd"}, "onnxruntime")
    assert network is None
    assert runtime.reason is not None
    assert "could not be converted" in runtime.reason


def test_a_home_that_cannot_be_written_to_is_no_failure(
    tmp_path: Path, reading: FrameReading, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("FRAMEWITNESS_HOME", str(tmp_path / "file"))
    network, runtime = compiled(reading, MADE_OF, "onnxruntime")
    assert network is not None
    assert runtime.name == "onnxruntime"
    assert "cannot be kept" in caplog.text


def test_of_two_processes_that_convert_at_once_the_first_keeps_its_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAMEWITNESS_HOME", str(tmp_path))
    rename = os.rename

    def beaten(source: Path, target: Path) -> None:
        monkeypatch.setattr(os, "rename", rename)
        kept.keep("key", b"first", furthest=0.0, made_of="one")
        rename(source, target)

    monkeypatch.setattr(os, "rename", beaten)
    kept.keep("key", b"second", furthest=0.0, made_of="other")
    assert kept.read_kept("key") == b"first"
    assert [path.name for path in (tmp_path / "runtime").iterdir()] == ["key"]


def test_networks_that_were_not_used_for_longest_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMEWITNESS_HOME", str(tmp_path))
    monkeypatch.setattr(kept, "MOST_KEPT", 2)
    kept.keep("a", b"a", furthest=0.0, made_of="")
    kept.keep("b", b"b", furthest=0.0, made_of="")
    half_written = tmp_path / "runtime" / ".half"
    half_written.mkdir()
    for number, name in enumerate(("a", "b")):
        os.utime(tmp_path / "runtime" / name, (number, number))
    os.utime(half_written, (0, 0))
    assert kept.read_kept("a") == b"a"  # used now
    kept.keep("c", b"c", furthest=0.0, made_of="")
    assert {path.name for path in (tmp_path / "runtime").iterdir()} == {"a", "c"}


def test_the_checks_inputs_are_of_differing_statistics() -> None:
    one, several = fixed_inputs((64, 64, 3))
    assert (len(one), len(several)) == (1, 4)
    levels, spreads = several.mean((1, 2, 3)), several.std((1, 2, 3))
    assert np.ptp(levels) > 50
    assert spreads.min() == 0
    assert spreads.max() > 70


def test_the_runtime_is_asked_for_by_name_or_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMEWITNESS_RUNTIME", "torch")
    assert chosen_runtime(None, "cpu") == "torch"
    assert chosen_runtime("onnxruntime", "cpu") == "onnxruntime"
    assert chosen_runtime("auto", "cpu") == "onnxruntime"
    assert chosen_runtime("auto", "cuda") == chosen_runtime("half", "cuda") == "half"
    assert chosen_runtime(None, "cuda") == chosen_runtime("onnxruntime", "cuda") == "torch"
    assert chosen_runtime("half", "cpu") == "torch"
    with pytest.raises(SettingsError, match="auto, torch, half, onnxruntime"):
        chosen_runtime("tensorrt", "cpu")
    monkeypatch.setenv("FRAMEWITNESS_RUNTIME", "onnx")
    with pytest.raises(SettingsError, match="FRAMEWITNESS_RUNTIME"):
        chosen_runtime(None, "cpu")
    monkeypatch.setattr("detector.runtime.choice.version_of", lambda name: None)
    assert chosen_runtime("auto", "cpu") == "torch"
    with pytest.raises(SettingsError, match="not installed"):
        chosen_runtime("onnxruntime", "cpu")


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LoadedModel]:
    """The shipped networks that read pictures, on ONNX Runtime."""
    ids = ("frame-lite0", "residual-patches", "specialists-lite0", "transformer-lite0")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRAMEWITNESS_HOME", str(tmp_path_factory.mktemp("shipped")))
        return {model.card.model_id: model for model in load_set(ids, runtime="onnxruntime")}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["frame-lite0", "residual-patches", "specialists-lite0", "transformer-lite0"])
def test_every_shipped_network_that_reads_pictures_is_converted_and_agrees(
    shipped: dict[str, LoadedModel], name: str
) -> None:
    model = shipped[name]
    assert model.runtime.reason is None
    assert model.runtime.name == "onnxruntime"
    assert model.compiled is not None
    reading = model.reading()
    assert reading is not None
    pictures = np.random.default_rng(7).integers(0, 256, (3, *reading.picture_shape), dtype=np.uint8)
    told = model.compiled(pictures, reading.names)
    with torch.inference_mode():
        expected = reading(torch.from_numpy(pictures))
    for key, value in zip(reading.names, expected, strict=True):
        if key.endswith("logits"):
            np.testing.assert_allclose(told[key], value, atol=LOGIT_TOLERANCE)


def test_a_model_is_loaded_with_the_runtime_asked_for_and_again_when_another_is(
    home: Path, reading: FrameReading, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "tiny.safetensors"
    ModelCard(
        model_id="tiny",
        title="Tiny",
        kind="frame",
        architecture=ARCHITECTURE,
        crop=CropSpec(64, 0.1),
        weights_file=path.name,
        weights_sha256=save_weights(reading.network, path),
        parameters=1,
        thresholds=Thresholds(0.5, -0.5, "none"),
        training={},
        results=Results(),
        limits=("untrained",),
        licence="test",
    ).write(tmp_path / "tiny.card.json")
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(tmp_path))
    plain, fast = load_model("tiny", runtime="torch"), load_model("tiny", runtime="onnxruntime")
    assert plain.compiled is None
    assert fast.compiled is not None
    np.testing.assert_allclose(fast.score(CROPS), plain.score(CROPS), atol=LOGIT_TOLERANCE)  # type: ignore[attr-defined]
    assert load_set(["tiny"], loaded=[fast], runtime="onnxruntime")[0] is fast
    assert load_set(["tiny"], loaded=[fast], runtime="torch")[0].compiled is None
