"""`synthesize` as a user runs it: clips, masks, a manifest that holds, equal bytes for equal seeds, honest refusals."""

import csv
import hashlib
import json
from pathlib import Path

import av
import numpy as np
import pytest

from detector.cli import main
from detector.synthesis.sources import read_source
from detector.synthesis.video import write_clip

QUICK = [
    "--seconds",
    "0.6",
    "--kinds",
    "expression,swap,self_blend+flicker",
    "--interval",
    "0.2",
    "0.4",
    "--jpeg",
    "80",
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("synthesize")
    assert main(["synthesize", "--out", str(out), *QUICK]) == 0
    return out


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_manifest_names_what_was_made(made: Path) -> None:
    rows = rows_of(made)
    assert [(row["label"], row["manipulation"]) for row in rows] == [
        ("real", ""),
        ("fake", "expression"),
        ("fake", "self_blend+flicker"),
    ]
    for row in rows:
        assert hashlib.sha256((made / row["file"]).read_bytes()).hexdigest() == row["sha256"]
    fake = rows[1]
    assert (float(fake["start_s"]), float(fake["end_s"])) == (0.2, 0.4)
    assert json.loads(fake["intervals_s"]) == [[0.2, 0.4]]
    assert json.loads(fake["parameters"])["strength"] == 1.0
    assert fake["genuine"] == rows[0]["file"]


def test_masks_cover_the_interval_only(made: Path) -> None:
    with av.open(str(made / rows_of(made)[1]["mask"])) as source:
        masks = np.stack([frame.to_ndarray(format="gray") for frame in source.decode(video=0)])
    times = np.arange(len(masks)) / 25
    inside = (times >= 0.2) & (times < 0.4)
    assert masks[inside].max((1, 2)).min() > 200
    assert masks[~inside].max() < 30


def test_equal_seeds_give_equal_files(made: Path, tmp_path: Path) -> None:
    assert main(["synthesize", "--out", str(tmp_path), *QUICK]) == 0
    assert [row["sha256"] for row in rows_of(tmp_path)] == [row["sha256"] for row in rows_of(made)]


def test_a_video_is_a_source_too_and_what_cannot_be_made_is_named(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = made / "astronaut_genuine.mp4"
    assert main(["synthesize", str(video), "--out", str(tmp_path), "--seconds", "0.5", "--kinds", "swap,mouth"]) == 0
    assert "no swap: it needs --donor" in capsys.readouterr().err
    rows = rows_of(tmp_path)
    assert [row["manipulation"] for row in rows] == ["", "mouth"]
    assert rows[0]["source_sha256"] == hashlib.sha256(video.read_bytes()).hexdigest()


def test_every_problem_is_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = ["--kinds", "ageing", "--strength", "2", "--crf", "90", "--interval", "3", "1"]
    assert main(["synthesize", "--out", str(tmp_path), *wrong]) == 2
    told = capsys.readouterr().err
    assert all(word in told for word in ("'ageing'", "--strength", "--crf", "--interval"))


def test_a_video_without_a_face_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grey = np.full((20, 128, 128, 3), 120, np.uint8)
    write_clip(tmp_path / "grey.mp4", grey, 10)
    assert main(["synthesize", str(tmp_path / "grey.mp4"), "--out", str(tmp_path / "out")]) == 3
    assert "Expected one face" in capsys.readouterr().err


def test_sources_come_with_a_mesh_in_every_frame(made: Path) -> None:
    source = read_source(made / "astronaut_genuine.mp4", seconds=0.5)
    assert source.fps == pytest.approx(25, abs=0.1)
    assert not np.isnan(source.clip.landmarks).any()
    assert source.sound is None
    assert source.portrait is None
