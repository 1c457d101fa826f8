"""One command, nine files that fit their schemas, and nothing examined twice."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest
from skimage import data

from detector.cli import main
from detector.errors import EvidenceError
from detector.faces import CropSpec
from detector.models import build_network
from detector.registry.catalogue import SHIPPED
from detector.training.analyses.documents import DOCUMENTS, SCHEMAS
from detector.training.analyses.schemas import FOLDER, schema_text
from detector.training.evaluation import scoring
from detector.training.evaluation.heldout import write_held_out
from tests.evidence.media import make_video
from tests.registry.shipping import ship

FRAME = {"kind": "frame", "trunk": "test_resnet", "width": 16}
NAMED = ("--specialists", "cues", "--audiovisual", "sound", "--temporal", "time")
EACH, FRAMES = 3, 8


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained models of all six cues, and a manifest of six clips that they never saw, one that they were fitted to,
    and one that is no video."""
    home = tmp_path_factory.mktemp("lab")
    for name in ("data", "weights"):
        (home / name).mkdir()
    frame = ship(home / "weights", "frame", "frame", FRAME, {})
    inputs = {"trunk": "frame", "trunk_weights_sha256": frame.weights_sha256, "frames": 8, "cue": "TM"}
    features = build_network(FRAME).feature_dim
    time = {"kind": "transformer", "features": features, "width": 16, "layers": 1, "heads": 2}
    ship(home / "weights", "time", "sequence", time, inputs)
    cues = {"kind": "specialists", "trunk": "test_resnet", "width": 8, "head_width": 8}
    ship(home / "weights", "cues", "specialists", cues, {}, CropSpec(96, 0.45))
    shipped = json.loads((SHIPPED / "audiovisual-avff.card.json").read_text())
    ship(home / "weights", "sound", "audiovisual", {"kind": "audiovisual", "exchange": False}, shipped["inputs"])
    face = data.astronaut()[:256, 100:356]
    rows = []
    for number in range(2 * EACH + 1):
        shade = (face * (1 - 0.08 * number)).astype(np.uint8)
        make_video(home / "data" / f"{number}.mp4", frames=FRAMES, fps=5, size=(256, 256), picture=lambda _, p=shade: p)
        rows.append((f"{number}.mp4", ("real", "fake")[number % 2], f"person{number}"))
    (home / "data" / "broken.mp4").write_text("no video")
    table = pd.DataFrame([*rows, ("broken.mp4", "fake", "person9")], columns=["file", "label", "group"])
    table = table.assign(kind="video", use="train", source="lab", manipulation="")
    table.to_csv(home / "data" / "manifest.csv", index=False)
    split = np.where(table["group"] == f"person{2 * EACH}", "train", "test")
    for model in ("frame", "time", "cues", "sound"):
        write_held_out(table.assign(split=split), home / "weights", model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRAMEWITNESS_WEIGHTS", str(home / "weights"))
        assert main(["analyses", "run", "--data", str(home / "data"), "--out", str(home / "out"), *NAMED]) == 0
    return home


@pytest.fixture
def lab(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(home / "weights"))
    return home


def read(folder: Path, name: str) -> dict:
    return json.loads((folder / name).read_text(encoding="utf-8"))


def test_one_command_writes_nine_files_that_fit_their_schemas(lab: Path) -> None:
    assert {path.name for path in (lab / "out").glob("*.json")} == set(DOCUMENTS)
    assert len(DOCUMENTS) == 9
    for name, kind in DOCUMENTS.items():
        stem = next(stem for stem, one in SCHEMAS.items() if one is kind)
        schema = json.loads((FOLDER / f"{stem}.schema.json").read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.validate(document := read(lab / "out", name), schema)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**document, "data": None}, schema)


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schemas_in_assets_are_those_of_the_code(name: str) -> None:
    assert (FOLDER / f"{name}.schema.json").read_text(encoding="utf-8") == schema_text(name)


def test_what_the_models_were_fitted_to_is_left_out_and_what_cannot_be_read_is_named(lab: Path) -> None:
    clips = read(lab / "out", "overall_analysis_summary.json")["data"]["clips"]
    assert (clips["real"], clips["fake"], clips["examined"], clips["left_out"]) == (3, 4, 7, 1)
    assert list(clips["problems"]) == ["broken.mp4"]


def test_every_specialist_is_measured_by_its_own_cue(lab: Path) -> None:
    named = {"bg": "light_fit", "cm": "blockiness", "rr": "picture_resampling", "ll": "noise_level", "tm": "flicker"}
    for cue, measure in named.items():
        found = read(lab / "out", f"{cue}_model_detailed_analysis.json")
        assert found["scored"] == 2 * EACH
        assert found["accuracy"]["overall"]["n"] == 2 * EACH
        assert found["priority"]["level"] in ("HIGH", "MEDIUM", "LOW")
        row = next(row for row in found["measurements"] if row["name"] == measure)
        assert row["real_mean"]["value"] is not None
        traits = {row["name"]: row["real_mean"]["value"] for row in found["video_characteristics"]}
        assert (traits["width"], traits["frames_per_second"]) == (256, 5)
        assert traits["bit_rate"] > 0
        assert bool(found["channels"]) == (cue != "tm")
    darker = next(
        row
        for row in read(lab / "out", "ll_model_detailed_analysis.json")["measurements"]
        if row["name"] == "brightness"
    )
    assert darker["fake_mean"]["value"] < darker["real_mean"]["value"]


def test_silent_clips_leave_lips_and_voice_unmeasured_with_the_reason(lab: Path) -> None:
    found = read(lab / "out", "av_model_detailed_analysis.json")
    assert found["accuracy"]["overall"]["value"] is None
    assert found["priority"]["level"] is None
    assert any("no sound" in reason for reason in found["unscored"])
    assert all(row["real_mean"]["value"] is None and row["real_mean"]["reason"] for row in found["measurements"])


def test_a_second_run_examines_nothing_and_a_stopped_one_goes_on(
    lab: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str] = []

    def refused(evidence, *_: object) -> None:
        asked.append(evidence.file.sha256)
        raise EvidenceError("not again")

    monkeypatch.setattr(scoring, "analyze", refused)
    shutil.copytree(lab / "out", tmp_path / "again")
    given = ["--data", str(lab / "data"), "--out", str(tmp_path / "again"), *NAMED]
    assert main(["analyses", "run", *given]) == 0
    assert not asked
    for name in DOCUMENTS:
        assert read(tmp_path / "again", name) == read(lab / "out", name)
    assert main(["analyses", "ll", *given, "--kept", str(lab / "out" / "clips.jsonl")]) == 0
    assert "LL  " in capsys.readouterr().out
    kept = (tmp_path / "again" / "clips.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "again" / "clips.jsonl").write_text("".join(kept[:-3]) + kept[-3][:40])
    assert main(["analyses", "bg", *given]) == 0
    assert len(asked) == sum('"problem"' not in line for line in kept[-3:])
    assert not list((tmp_path / "again").glob("*.partial"))


def test_a_model_that_does_not_read_the_cue_and_a_folder_without_clips_are_refused(
    lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--data", str(lab / "data"), "--out", str(tmp_path / "out")]
    assert main(["analyses", "av", *given, "--audiovisual", "time"]) == 2
    assert "time does not read AV; it reads TM" in capsys.readouterr().err
    seen = tmp_path / "seen"
    seen.mkdir()
    table = pd.read_csv(lab / "data" / "manifest.csv")
    table.to_csv(seen / "manifest.csv", index=False)  # and none of its files
    assert main(["analyses", "tm", "--data", str(seen), "--out", str(tmp_path / "out"), *NAMED]) == 3
    assert "None of 7 clips could be examined" in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("*.json"))
    table.assign(kind="image").to_csv(seen / "manifest.csv", index=False)
    assert main(["analyses", "tm", "--data", str(seen), "--out", str(tmp_path / "out"), *NAMED]) == 2
    assert "no labelled video" in capsys.readouterr().err
