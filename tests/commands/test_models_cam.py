"""`models cam`: methods of heatmaps side by side, as a table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from detector.cli import main
from detector.synthesis import twin_faces
from detector.synthesis.twin_faces import TwinFace
from detector.synthesis.types import FakeImage
from tests.analysis.fakes import make_face
from tests.pages.seed import write_model

RNG = np.random.default_rng(2)


def faces(paths: list[Path], **_: object) -> Iterator[TwinFace]:
    for path in paths:
        image = RNG.integers(0, 255, (96, 96, 3), dtype=np.uint8)
        mask = np.zeros((96, 96), np.float32)
        mask[8:14, 8:14] = 1
        yield TwinFace(path.stem, FakeImage(image, mask, "mouth"), make_face(left=6.0))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_model(tmp_path / "weights", "tiny")
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setattr(twin_faces, "twin_faces", faces)
    return tmp_path


def test_a_row_a_method_and_all_figures_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = folder / "cams.json"
    assert main(["models", "cam", "--sources", "a.mp4", "b.mp4", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "`tiny`, 2 faces of 2 clips:" in shown
    first = [line.split(" | ")[0].removeprefix("| ") for line in shown.splitlines() if line.startswith("| ")]
    assert first[2:7] == ["Grad-CAM", "Grad-CAM++", "LayerCAM", "HiResCAM", "Eigen-CAM"]
    assert first[7:] == ["random weights", "middle of the crop", "chance"]
    (found,) = json.loads(out.read_text())
    assert (found["model_id"], found["faces"]) == ("tiny", 2)
    assert f"| Grad-CAM | {found['rows'][0]['pointing']['mean']:.2f} (" in shown


def test_a_number_of_faces_that_makes_no_sense_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "cam", "--sources", "a.mp4", "--frames", "0"]) != 0
    assert "--frames: expected at least 1, found 0" in capsys.readouterr().err
