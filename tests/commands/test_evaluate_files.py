"""`evaluate PATH` on a folder of twelve files, whole, and killed half-way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from skimage import data

from detector.analysis import Analysis, analyze
from detector.cli import main
from detector.errors import ModelError
from detector.measurement.score_set import SetFigures
from detector.measurement.score_table import COUNTED_ONCE, read_scores
from detector.registry import LoadedModel
from detector.settings import AnalysisSettings
from detector.training.evaluation import scoring
from tests.evidence.media import make_video
from tests.registry.shipping import ship

ROOT = Path(__file__).parents[2]
FRAME = {"kind": "frame", "trunk": "test_resnet", "width": 16}
RESULTS = ("metrics.json", "scores.parquet", "parts.parquet", "report.html")
TEXT = "no video\n"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve files: five genuine clips and one of them again, four manipulated clips and a still, and a text."""
    home = tmp_path_factory.mktemp("lab")
    (home / "weights").mkdir()
    ship(home / "weights", "a", "frame", FRAME, {})
    face = data.astronaut()[:256, 100:356]
    for folder, count, lift in (("real/studio", 5, 0.5), ("fake/<swap> & co", 4, 0.73)):
        (home / "data" / folder).mkdir(parents=True)
        for number in range(count):
            picture = (face * (lift + 0.05 * number)).clip(0, 255).astype(np.uint8)
            clip = home / "data" / folder / f"{number}.mp4"
            make_video(clip, frames=2, fps=5, size=(256, 256), picture=lambda _, picture=picture: picture)
    (home / "data" / "real" / "zero").mkdir()
    (home / "data" / "real" / "zero" / "again.mp4").write_bytes((home / "data/real/studio/0.mp4").read_bytes())
    (home / "data" / "real" / "notes.txt").write_text(TEXT)
    cv2.imwrite(str(home / "data" / "fake" / "still.png"), cv2.cvtColor(face, cv2.COLOR_RGB2BGR))
    return home


@pytest.fixture(autouse=True)
def weights(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(lab / "weights"))


@pytest.fixture(scope="module")
def whole(lab: Path) -> Path:
    """The results of one evaluation without interruption."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRAMEWITNESS_WEIGHTS", str(lab / "weights"))
        assert main(["evaluate", str(lab / "data"), "a", "--out", str(lab / "whole")]) == 0
    return lab / "whole"


def test_a_foreign_folder_is_evaluated_whole(whole: Path) -> None:
    found = SetFigures.read((whole / "metrics.json").read_bytes())
    scores = read_scores(whole / "scores.parquet")
    assert (found.real, found.fake) == (6, 5)
    assert len(scores) == 12
    by_file = scores.set_index("file")
    left_out = by_file["reason"].dropna()
    assert left_out["real/zero/again.mp4"] == COUNTED_ONCE
    assert "text" in left_out["real/notes.txt"]
    assert set(left_out.index) == {"real/zero/again.mp4", "real/notes.txt"}
    assert by_file.loc[left_out.index, "logit"].isna().all()
    clip, still = by_file.loc["real/studio/0.mp4"], by_file.loc["fake/still.png"]
    assert (clip["source"], clip["codec"], clip["frames_scored"], clip["sound"]) == ("studio", "h264", 2, False)
    assert 50 < clip["face_px"] < 256
    assert (still["short_side_px"], still["frames_scored"]) == (256, 1)
    metrics = found.models[0].metrics
    assert metrics is not None
    assert (metrics.n_real, metrics.n_fake) == (5, 5)
    page = (whole / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/svg+xml") == 8
    assert "real/notes.txt" in page
    assert "<swap>" not in page  # a folder's name is text


def test_tracks_and_frames_are_kept_and_measured_beside_their_files(whole: Path) -> None:
    parts = pd.read_parquet(whole / "parts.parquet")
    files = read_scores(whole / "scores.parquet").dropna(subset="logit").set_index("file")
    assert set(parts["file"]) == set(files.index)
    tracks, frames = (parts[parts["level"] == level].set_index("file") for level in ("track", "frame"))
    assert tracks.loc[files.index, "logit"].tolist() == files["logit"].tolist()  # one face in each
    assert frames.index.value_counts().to_dict() == files["frames_scored"].to_dict()
    assert frames.loc["real/studio/0.mp4", "pts_s"].tolist() == [0.0, 0.2]
    faces = frames.groupby("file")["logit"].mean()
    assert faces[files.index].tolist() == pytest.approx(files["logit"].tolist(), rel=1e-3)  # kept to four digits
    found = SetFigures.read((whole / "metrics.json").read_bytes()).models[0].of("level")
    sizes = {one.name: (one.false_positives.rows, one.true_positives.rows, one.groups) for one in found}
    assert sizes == {"file": (5, 5, 10), "track": (5, 5, 10), "frame": (10, 9, 10)}


def test_killed_half_way_and_resumed_it_comes_to_the_identical_result(lab: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    command = [sys.executable, "-m", "detector", "evaluate", str(lab / "data"), "a", "--out", str(out)]
    kept = out / "predictions.jsonl"
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as started:
        for _ in range(3000):
            if (kept.is_file() and kept.read_bytes().count(b"\n") >= 5) or started.poll() is not None:
                break
            time.sleep(0.02)
        os.kill(started.pid, signal.SIGKILL)
    assert started.returncode == -signal.SIGKILL
    half = kept.read_bytes()
    assert half.count(b"\n") < 11
    assert not any((out / name).exists() for name in RESULTS)

    assert main(command[3:]) == 0
    assert kept.read_bytes().startswith(half[: half.rfind(b"\n")])  # nothing is examined twice
    for name in RESULTS:
        assert (out / name).read_bytes() == (whole / name).read_bytes(), name


def test_asked_again_nothing_is_examined_and_a_new_file_is_alone(
    lab: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def noted(evidence: object, models: Sequence[LoadedModel], settings: AnalysisSettings) -> Analysis:
        asked.append(evidence.file.file_name)  # type: ignore[attr-defined]
        return analyze(evidence, models, settings)  # type: ignore[arg-type]

    monkeypatch.setattr(scoring, "analyze", noted)
    table = tmp_path / "list.csv"
    rows = [(lab / "data/real/studio" / f"{number}.mp4", "real") for number in range(4)]
    pd.DataFrame([*rows, (lab / "gone.mp4", "fake")], columns=["path", "label"]).to_csv(table, index=False)
    kept = ["--predictions", str(whole / "predictions.jsonl")]
    assert main(["evaluate", str(table), "a", "--out", str(tmp_path / "out"), *kept]) == 0
    assert asked == []
    scores = read_scores(tmp_path / "out" / "scores.parquet")
    assert scores["logit"].notna().tolist() == [True] * 4 + [False]
    assert "gone.mp4" in scores["reason"].iloc[-1]
    assert pd.isna(scores["sha256"].iloc[-1])


def test_a_fault_of_the_program_costs_one_file_and_is_tried_again(
    lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stumbles(evidence: object, models: Sequence[LoadedModel], settings: AnalysisSettings) -> Analysis:
        if evidence.file.file_name == "1.mp4":  # type: ignore[attr-defined]
            raise ZeroDivisionError("by surprise")
        return analyze(evidence, models, settings)  # type: ignore[arg-type]

    table = tmp_path / "list.csv"
    names = [f"{number}.mp4" for number in range(3)]
    pd.DataFrame({"path": [lab / "data/real/studio" / name for name in names], "label": "real"}).to_csv(table)
    command = ["evaluate", str(table), "a", "--out", str(tmp_path / "out")]
    with monkeypatch.context() as patch:
        patch.setattr(scoring, "analyze", stumbles)
        assert main(command) == 0
    stumbled = read_scores(tmp_path / "out" / "scores.parquet")
    assert stumbled["logit"].notna().tolist() == [True, False, True]
    assert "by surprise" in stumbled["reason"].iloc[1]
    assert main(command) == 0
    assert read_scores(tmp_path / "out" / "scores.parquet")["logit"].notna().all()


def test_wrong_use_is_told_before_anything_is_done(
    lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = str(lab / "data"), str(tmp_path / "out")
    (tmp_path / "file").write_text("")
    for arguments, why in (
        ([], "Name a folder or table"),
        ([path], "Give --out FOLDER"),
        ([path, "--out", str(tmp_path / "file")], "is a file"),
        ([path, "--out", out, "--write-cards", "--bank", "b"], "--bank, --write-cards: only with --data"),
        ([path, "a", "--all", "--out", out], "not both"),
        ([str(tmp_path / "nowhere"), "--out", out], "is not there"),
    ):
        assert main(["evaluate", *arguments]) == 2
        assert why in capsys.readouterr().err
    assert main(["evaluate", path, "nobody", "--out", out]) == ModelError.exit_status
    assert not Path(out).exists()
