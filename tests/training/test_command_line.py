"""`train`, `export` and `evaluate` as a user types them, on a folder of a few pictures and clips."""

import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import yaml
from skimage import data

from detector.cli import main
from detector.registry import ModelCard, weights_dir
from tests.evidence.media import make_video

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of one face in sixty groups (so that every split has some) and twenty short clips."""
    root = tmp_path_factory.mktemp("command-line")
    (root / "data").mkdir()
    face = data.astronaut()[:256, 100:356]
    rows = []
    for number in range(60):
        picture = np.clip(face * (0.6 + 0.008 * number), 0, 255).astype(np.uint8)
        cv2.imwrite(str(root / "data" / f"{number}.png"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        rows.append((f"{number}.png", "fake" if number % 2 else "real", "image", "train", f"still{number}"))
    for number in range(20):
        dim = (face * (0.6 + 0.02 * number)).astype(np.uint8)
        clip = make_video(
            root / "data" / f"{number}.mp4", frames=5, fps=5, size=(256, 256), picture=lambda _, dim=dim: dim
        )
        rows.append((clip.name, "fake" if number % 2 else "real", "video", "validation", f"clip{number}"))
    table = pd.DataFrame(rows, columns=["file", "label", "kind", "use", "group"])
    table["source"], table["manipulation"] = "lab", "tint"
    table.to_csv(root / "data" / "manifest.csv", index=False)
    config = {
        "model_id": "tiny",
        "title": "Tiny",
        "architecture": {"kind": "frame", "trunk": "test_resnet", "width": 16},
        "input_px": 64,
        "steps": 3,
        "steps_per_epoch": 3,
        "batch_size": 8,
        "bf16": False,
        "shard_pairs": 8,
        "shard_labelled": 8,
        "keep_shards": 2,
        "resynthesiser_minutes": 0.01,
        "limits": ["tiny"],
        "licence": "test",
    }
    (root / "tiny.yaml").write_text(yaml.safe_dump(config))
    return root


@pytest.mark.slow
def test_from_pictures_to_a_measured_model(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, places = str(folder / "tiny.yaml"), ("--data", str(folder / "data"), "--run", str(folder / "run"))
    assert main(["train", config, *places]) == 0
    assert "trained 1 epochs" in capsys.readouterr().err
    assert (folder / "run" / "metrics.csv").read_text().count("\n") == 2
    assert json.loads((folder / "run" / "leakage.json").read_text())["samples"] == 48
    assert (folder / "run" / "report" / "loss.png").is_file()
    assert main(["export", config, *places, "--out", str(folder / "weights")]) == 0
    assert weights_dir() == ROOT / "assets" / "weights"  # measured in its own folder, which is left again
    exported = capsys.readouterr()
    card = ModelCard.read(folder / "weights" / "tiny.card.json")
    assert card.weights_sha256 in exported.err
    pictures = card.results["held_out_crops",]
    assert pictures.n_real + pictures.n_fake < 30
    assert card.results.table("videos", "called").cell("called_genuine", "clips") == 10
    assert card.thresholds.basis.startswith("10 genuine clips (10 of them held out) and 10 manipulated")


def test_mistakes_are_usage_errors(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.yaml").write_text("model_id: 3\n")
    data, run = str(folder / "data"), str(tmp_path / "run")
    assert main(["train", str(tmp_path / "bad.yaml"), "--data", data, "--run", run]) == 2
    assert "missing setting 'title'" in capsys.readouterr().err
    places = ["--data", str(folder / "data"), "--run", str(tmp_path), "--out", str(tmp_path / "weights")]
    assert main(["export", str(folder / "tiny.yaml"), *places]) == 2
    assert main(["evaluate", "nobody", "--data", str(folder / "data")]) == 4
    assert "nobody" in capsys.readouterr().err
