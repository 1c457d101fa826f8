"""A kind of model from one folder and one line of import: trained, exported, analysed, shown and reported."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from pypdf import PdfReader
from streamlit.testing.v1 import AppTest

from detector.analysis import kinds
from detector.cli import main
from detector.models import ARCHITECTURES
from detector.registry import loaded
from detector.training import kinds as training
from tests.pages.conftest import html_of
from tests.pages.seed import write_clip

CONFIG = "kind: brightness\nmodel_id: bright\ntitle: A test of brightness\n"


@pytest.fixture(scope="module")
def kind() -> Iterator[str]:
    """Registered for these tests alone: the others count what is shipped."""
    import tests.brightness_kind as added

    yield added.NAME
    for registry in (kinds.KINDS, training.KINDS, ARCHITECTURES, loaded._CLASSES):
        del registry[added.NAME]  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, kind: str) -> Path:
    """Trained and exported by the commands that train and export every kind."""
    folder = tmp_path_factory.mktemp("new-kind")
    data, rng = folder / "data", np.random.default_rng(3)
    data.mkdir()
    lines = ["file,label,use,label_trust,kind,manipulation,identity,group,source,licence"]
    for number in range(32):
        label = ("real", "fake")[number % 2]
        picture = rng.integers(0, 100, (16, 16, 3)) + 120 * (label == "fake")
        cv2.imwrite(str(data / f"{number}.png"), picture)
        lines.append(f"{number}.png,{label},train,,image,,p{number},p{number},made,")
    (data / "manifest.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    config = folder / "bright.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    where = ["--data", str(data), "--run", str(folder / "run")]
    assert main(["train", str(config), *where]) == 0
    assert main(["export", str(config), *where, "--out", str(folder / "weights"), "--unmeasured"]) == 0
    return folder / "weights"


@pytest.fixture
def home(tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(weights))
    monkeypatch.setenv("FRAMEWITNESS_HOME", str(tmp_path / "home"))
    return tmp_path


def test_its_settings_are_checked_and_its_training_learned(weights: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(CONFIG + "share: 2\ncolour: red\n", encoding="utf-8")
    assert main(["train", str(wrong), "--data", str(tmp_path), "--run", str(tmp_path / "run")]) == 2
    run = json.loads((weights.parent / "run" / "run.json").read_text())
    assert (run["kind"], run["status"]) == ("brightness", "finished")
    assert run["confusion"] == {"true_genuine": 4, "false_manipulated": 0, "false_genuine": 0, "true_manipulated": 4}


def test_it_is_analysed_kept_and_reported(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = write_clip(home / "drift.mp4")
    assert main(["analyze", str(clip), "--models", "bright", "--case", "Bright"]) == 0
    (model,) = json.loads(capsys.readouterr().out)["models"]
    assert (model["model_id"], model["kind"]) == ("bright", "brightness")
    assert model["logit"] is not None
    assert len(model["tracks"][0]["frames"]) >= 5
    pdf = home / "case.pdf"
    assert main(["report", "Bright", "--out", str(pdf)]) == 0
    text = "\n".join(page.extract_text() for page in PdfReader(pdf).pages)
    assert "A test of brightness" in text
    assert "It knows nothing but how bright a face is." in text


def test_the_models_page_and_command_show_it(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def script() -> None:
        from pages.router import main

        main("models")

    from pages.parts.shared import services

    services.open_services(home / "home")
    try:
        app = AppTest.from_function(script, default_timeout=60).run()
        shown = html_of(app)
        app.session_state["model_part"] = "Architecture"
        shown += html_of(app.run())
    finally:
        services.close_services()
    assert not app.exception
    for part in ("A test of brightness", "How bright a face is", "16 × 16 px", "data:image/svg+xml"):
        assert part in shown
    assert main(["models", "list"]) == 0
    assert "brightness" in capsys.readouterr().out
