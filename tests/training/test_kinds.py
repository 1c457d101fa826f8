"""A kind of model is a folder and one import: it is trained and exported by the commands that know nothing of it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from detector.cli import main
from detector.models import build
from detector.registry import ModelCard
from detector.training.kinds import KINDS
from tests.training.banks import small_bank

SHIPPED = {"frame", "sequence", "specialists", "texture", "audiovisual", "residual", "kinematics", "ensemble"}


@pytest.fixture(scope="module")
def toy() -> Iterator[None]:
    from tests.training import toy  # noqa: F401 - all it takes

    yield
    for registry in (KINDS, build.ARCHITECTURES):
        registry.pop("toy")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    small_bank(tmp_path / "bank", faces=8)
    fit = {"max_epochs": 4, "learning_rate": 0.01, "warmup_steps": 0, "ema_decay": 0.0}
    values = {"kind": "toy", "model_id": "toy", "title": "Toy", "fit": fit, "limits": ["toy"], "licence": "test"}
    (tmp_path / "toy.yaml").write_text(yaml.safe_dump(values))
    return tmp_path


@pytest.mark.usefixtures("toy")
def test_a_kind_of_ones_own_is_trained_and_exported(data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    places = [str(data / "toy.yaml"), "--data", str(data), "--run", str(data / "run")]
    assert main(["train", *places, "--device", "auto"]) == 0
    said = capfd.readouterr().err
    assert "toy: epoch 1 of at most 4, validation loss" in said
    assert "left" in said
    assert "trained 4 epochs" in said
    assert json.loads((data / "run" / "report.json").read_text())["kind"] == "toy"
    assert json.loads((data / "run" / "leakage.json").read_text())["samples"] == 16
    assert main(["export", *places, "--out", str(data / "weights"), "--unmeasured"]) == 0
    card = ModelCard.read(data / "weights" / "toy.card.json")
    assert (card.kind, card.architecture) == ("toy", {"kind": "toy", "side": 8})
    assert card.training["config_sha256"] == json.loads((data / "run" / "run.json").read_text())["config_sha256"]
    shipped, best = load_file(data / "weights" / card.weights_file), load_file(data / "run" / "best.safetensors")
    assert all(torch.equal(shipped[key], best[key].half()) for key in best)


@pytest.mark.usefixtures("toy")
def test_a_run_of_another_config_is_exported_only_with_its_history(data: Path) -> None:
    places = [str(data / "toy.yaml"), "--data", str(data), "--run", str(data / "run")]
    assert main(["train", *places]) == 0
    values = yaml.safe_load((data / "toy.yaml").read_text())
    (data / "toy.yaml").write_text(yaml.safe_dump({**values, "title": "Another"}))
    out = ["--out", str(data / "weights"), "--unmeasured"]
    assert main(["export", *places, *out]) == 2
    assert main(["export", *places, *out, "--history", "renamed"]) == 0
    assert ModelCard.read(data / "weights" / "toy.card.json").training["history"] == "renamed"


def test_the_shipped_kinds_are_registered_without_their_networks() -> None:
    script = "import sys, detector.training.kinds as kinds; print(sorted(kinds.KINDS), 'torch' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    assert told.stdout.split() == f"{sorted(SHIPPED)} False".split()
