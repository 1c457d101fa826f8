"""Plain properties of pictures and files, and the report on a manifest as a user runs it."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from skimage import data

from detector.cli import main
from detector.training.data.properties import describe_image, describe_manifest
from tests.evidence.media import make_video

PICTURE = data.astronaut()[:256, 100:356]


def test_what_changes_in_a_picture_changes_in_its_properties() -> None:
    plain = describe_image(PICTURE)
    assert describe_image(PICTURE // 2)["brightness"] < 0.6 * plain["brightness"]
    assert describe_image(cv2.GaussianBlur(PICTURE, (0, 0), 3))["sharpness"] < plain["sharpness"] - 1
    _, jpeg = cv2.imencode(".jpg", PICTURE, [cv2.IMWRITE_JPEG_QUALITY, 10])
    assert describe_image(cv2.imdecode(jpeg, cv2.IMREAD_COLOR))["blockiness"] > 1.2 * plain["blockiness"]
    grey = PICTURE.mean(2, keepdims=True).repeat(3, 2).astype(np.uint8)
    assert describe_image(grey)["saturation"] == 0


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """24 pictures, the manipulated ones saved with twice the side; two clips; one file that is not there."""
    rows = []
    rng = np.random.default_rng(0)
    for number in range(24):
        fake = number % 2 == 1
        picture = np.clip(PICTURE[:, ::-1] * rng.uniform(0.8, 1.0), 0, 255).astype(np.uint8)
        if fake:
            picture = cv2.resize(picture, (512, 512))
        cv2.imwrite(str(tmp_path / f"{number}.png"), picture)
        rows.append((f"{number}.png", "fake" if fake else "real", "image"))
    for number, label in enumerate(("real", "fake")):
        make_video(tmp_path / f"{number}.mp4", frames=6, fps=5, size=(64, 64))
        rows.append((f"{number}.mp4", label, "video"))
    rows.append(("gone.png", "real", "image"))
    table = pd.DataFrame(rows, columns=["file", "label", "kind"])
    table["group"], table["source"], table["use"] = [f"g{i}" for i in range(len(table))], "lab", "train"
    table.to_csv(tmp_path / "manifest.csv", index=False)
    return tmp_path


def test_files_are_described_and_missing_ones_left_open(manifest: Path) -> None:
    table = describe_manifest(pd.read_csv(manifest / "manifest.csv"), manifest)
    clip = table[table["kind"] == "video"].iloc[0]
    assert clip["frame_count"] == 6
    assert clip["duration_s"] == pytest.approx(1.2, abs=0.21)
    assert clip["file_size_bytes"] == (manifest / "0.mp4").stat().st_size
    stills = table[table["kind"] == "image"]
    assert sorted(stills["width"].dropna().unique()) == [256, 512]
    assert stills["width"].isna().sum() == 1
    assert len(describe_manifest(pd.read_csv(manifest / "manifest.csv"), manifest, most=10)) == 10


def test_the_command_names_the_leak_in_a_manifest(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["leakage", "--data", str(manifest), "--kind", "image", "--out", str(manifest / "out")]) == 0
    said = capsys.readouterr().out
    assert "WARNING: width alone tells manipulated from genuine: AUC 1.00" in said
    assert "WARNING: brightness" not in said
    assert (manifest / "out" / "leakage.json").is_file()


def test_a_manifest_of_one_label_is_refused(manifest: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = pd.read_csv(manifest / "manifest.csv")
    table[table["label"] == "real"].to_csv(manifest / "manifest.csv", index=False)
    assert main(["leakage", "--data", str(manifest)]) == 2
    assert "real and fake" in capsys.readouterr().err
