"""Predictions are kept a model and a clip: what was asked once is not asked again, and nothing is taken for another."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from skimage import data

from detector.analysis import Analysis, analyze
from detector.errors import EvidenceError
from detector.evidence import examine, ingest
from detector.registry import LoadedModel, ModelCard, load_set
from detector.settings import AnalysisSettings
from detector.training.data.video_cut import Columns, cut_columns
from detector.training.evaluation import scoring
from detector.training.evaluation.prediction_store import ClipFacts, ClipRecord, PredictionStore, TrackFrames
from detector.training.evaluation.predictions import column_of, gather, problem_of
from detector.training.evaluation.scoring import VIDEO_SETTINGS
from tests.evidence.media import make_video
from tests.registry.shipping import ship
from tests.training.recorded import recorded

FRAME = {"kind": "frame", "trunk": "test_resnet", "width": 16}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a clip of two people side by side and a picture, and three untrained models to ask of them."""
    home = tmp_path_factory.mktemp("shelf")
    for name in ("data", "weights"):
        (home / name).mkdir()
    face = data.astronaut()[:256, 100:356]
    pair = np.hstack([face, (face[:, ::-1] * 0.6).astype(np.uint8)])
    make_video(home / "data" / "pair.mp4", frames=8, fps=5, size=(512, 256), picture=lambda _: pair)
    make_video(
        home / "data" / "empty.mp4", frames=3, fps=5, size=(64, 64), picture=lambda _: np.zeros((64, 64, 3), np.uint8)
    )
    cv2.imwrite(str(home / "data" / "still.png"), cv2.cvtColor(face, cv2.COLOR_RGB2BGR))
    (home / "data" / "broken.mp4").write_text("no video")
    cards = [ship(home / "weights", name, "frame", FRAME, {}) for name in ("a", "bb", "ccc")]
    _ship_ensemble(home / "weights", cards[:2])
    return home


def _ship_ensemble(folder: Path, cards: Sequence[ModelCard]) -> None:
    members = [{"model_id": card.model_id, "cue": None, "weights_sha256": card.weights_sha256} for card in cards]
    architecture = {"kind": "ensemble", "method": "logit_mean", "members": len(members), "one_sided": []}
    ship(folder, "together", "ensemble", architecture, {"members": members, "method": "logit_mean"})


@pytest.fixture
def ran(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The models of every analysis of a video."""
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(shelf / "weights"))
    asked: list[list[str]] = []

    def noted(evidence: object, models: Sequence[LoadedModel], settings: AnalysisSettings) -> Analysis:
        asked.append([model.card.model_id for model in models])
        return analyze(evidence, models, settings)  # type: ignore[arg-type]

    monkeypatch.setattr(scoring, "analyze", noted)
    return asked


def rows(*files: str, **columns: object) -> pd.DataFrame:
    kinds = ["image" if file.endswith(".png") else "video" for file in files]
    facts = {"label": "real", "group": "g", "source": "s", "manipulation": ""}
    return pd.DataFrame({"file": files, "kind": kinds, **facts, **columns})


def test_a_model_that_is_added_runs_alone(shelf: Path, ran: list[list[str]], tmp_path: Path) -> None:
    store, files = tmp_path / "kept.jsonl", rows("pair.mp4", "still.png")
    first = gather(load_set(["a"]), files, shelf / "data", store)
    both = gather(load_set(["a", "bb"]), files, shelf / "data", store)
    assert ran == [["a"], ["bb"]]
    pd.testing.assert_series_equal(both[column_of("a")], first[column_of("a")])
    assert np.isfinite(both[column_of("bb")]).all()
    at_once = gather(load_set(["a", "bb"]), files, shelf / "data", tmp_path / "other.jsonl")
    pd.testing.assert_frame_equal(at_once, both)


def test_an_ensemble_never_runs_and_has_the_logit_of_the_pipeline(
    shelf: Path, ran: list[list[str]], tmp_path: Path
) -> None:
    store, files = tmp_path / "kept.jsonl", rows("pair.mp4", "still.png", "empty.mp4")
    for ids in (["bb"], ["a"], ["together"]):
        said = gather(load_set(ids), files, shelf / "data", store)
    assert ran == [["bb"], ["bb"], ["a"], ["a"]]
    evidence = examine(ingest(shelf / "data" / "pair.mp4", tmp_path / "store"))
    analysis = analyze(evidence, load_set(["together"]), VIDEO_SETTINGS)
    piped = next(one for one in analysis.models if one.model_id == "together")
    assert len(piped.tracks) == 2
    fused = said[column_of("together")]
    assert fused[0] == pytest.approx(piped.logit, abs=1e-6)
    assert fused[1] == pytest.approx(said.loc[1, [column_of("a"), column_of("bb")]].mean(), abs=1e-6)
    assert math.isnan(fused[2])
    assert said[problem_of("together")][2] == "No face was found, so nothing was scored."


def test_an_ensemble_is_fused_face_by_face(shelf: Path, ran: list[list[str]], tmp_path: Path) -> None:
    """Members that suspect different faces agree on neither: their highest logits are not put together."""
    models, store = load_set(["together"]), PredictionStore(tmp_path / "kept.jsonl")
    record = recorded(tmp_path / "two.mp4", "video", models, {"a": 2.0, "bb": 1.0})
    tracks = dict.fromkeys((0, 1), record.facts.tracks[0])
    logits = {"a": {0: 2.0, 1: -2.0}, "bb": {0: -2.0, 1: 1.0}}
    said = {
        name: one.model_copy(update={"whole": one.whole.model_copy(update={"tracks": logits[name]})})
        for name, one in record.models.items()
    }
    store.add(record.model_copy(update={"facts": ClipFacts(tracks=tracks), "models": said}))
    found = gather(models, rows("two.mp4"), tmp_path, tmp_path / "kept.jsonl")
    assert found[column_of("together")][0] == pytest.approx(0.0, abs=1e-6)
    assert not ran


def test_frames_and_facts_are_kept_for_later_steps(shelf: Path, ran: list[list[str]], tmp_path: Path) -> None:
    said = gather(load_set(["a"]), rows("pair.mp4", "broken.mp4"), shelf / "data", tmp_path / "kept.jsonl")
    clip, broken = said.to_dict("records")
    assert (clip["short_side_px"], clip["sound"], clip["frames_scored"]) == (256, False, 16)
    size_bits = 8 * (shelf / "data" / "pair.mp4").stat().st_size
    assert clip["bits_per_pixel"] == pytest.approx(size_bits / (512 * 256 * 8), rel=1e-3)
    assert math.isnan(broken[column_of("a")])
    assert broken["problem"]
    record = ClipRecord.model_validate_json((tmp_path / "kept.jsonl").read_text().splitlines()[0])
    whole, tracks = record.models["a"].whole, record.facts.tracks
    assert set(whole.frames) == set(tracks) == set(whole.tracks)
    for number, track in tracks.items():
        assert track.pts_s == (0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4)
        average = np.average(whole.frames[number], weights=track.weight)
        assert average == pytest.approx(whole.tracks[number], rel=1e-2, abs=1e-3)
    assert whole.logit == max(whole.tracks.values())


def test_two_rows_of_one_file_are_two_cuts(shelf: Path, ran: list[list[str]], tmp_path: Path) -> None:
    files = rows("pair.mp4", "pair.mp4", "pair.mp4", crop_x0=["0", "256", ""], crop_x1=["256", "512", ""])
    said = gather(load_set(["a"]), files, shelf / "data", tmp_path / "kept.jsonl")
    left, right, both = said[column_of("a")]
    assert len({left, right, both}) >= 2
    assert both == pytest.approx(max(left, right), abs=0.2)
    assert said["frames_scored"].tolist() == [8, 8, 16]
    assert said["bits_per_pixel"].nunique() == 1  # of the file as it was published, not of the lossless cut
    cut_columns(shelf / "data" / "pair.mp4", tmp_path / "half.mp4", Columns(256, 512))
    alone = gather(load_set(["a"]), rows("half.mp4"), tmp_path, tmp_path / "other.jsonl")
    assert alone[column_of("a")][0] == right
    assert len(ran) == 4


def test_other_weights_or_another_crop_are_asked_anew(
    shelf: Path, ran: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, files = tmp_path / "kept.jsonl", rows("pair.mp4")
    before = gather(load_set(["a"]), files, shelf / "data", store)
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(tmp_path))
    card = ship(tmp_path, "a", "frame", {**FRAME, "width": 24}, {})
    wider = gather(load_set(["a"]), files, shelf / "data", store)
    replace(card, crop=replace(card.crop, margin=0.3)).write(tmp_path / "a.card.json")
    recut = gather(load_set(["a"]), files, shelf / "data", store)
    assert len(ran) == 3
    assert len({before[column_of("a")][0], wider[column_of("a")][0], recut[column_of("a")][0]}) == 3
    replace(card, limits=("another word",)).write(tmp_path / "a.card.json")
    again = gather(load_set(["a"]), files, shelf / "data", store)
    assert again[column_of("a")][0] == wider[column_of("a")][0]
    monkeypatch.setattr("detector.training.evaluation.predictions.VIDEO_SETTINGS", AnalysisSettings(max_frames=5))
    gather(load_set(["a"]), files, shelf / "data", store)
    assert len(ran) == 4


def test_a_file_of_the_old_form_is_passed_over_and_not_overwritten(
    shelf: Path, ran: list[list[str]], tmp_path: Path
) -> None:
    store = tmp_path / "kept.jsonl"
    (model,) = load_set(["a"])
    content = scoring.ingest(shelf / "data" / "pair.mp4", tmp_path / "store").sha256
    old = [{"models": [["a", model.card.weights_sha256]]}, {"content": content, "file": "pair.mp4", "logit:a": 77.0}]
    store.write_text("\n".join(map(json.dumps, old)))
    said = gather([model], rows("pair.mp4"), shelf / "data", store)
    assert said[column_of("a")][0] < 70
    lines = store.read_text().splitlines()
    assert [json.loads(line) for line in lines[:2]] == old
    gather([model], rows("pair.mp4"), shelf / "data", store)
    assert len(ran) == 1


def test_a_write_that_was_cut_off_costs_its_own_line_alone(shelf: Path, ran: list[list[str]], tmp_path: Path) -> None:
    store = tmp_path / "kept.jsonl"
    files = rows("pair.mp4", "empty.mp4")
    models = load_set(["a"])
    gather(models, files, shelf / "data", store)
    text = store.read_text()
    store.write_text(text[: len(text) - 30])  # killed in the middle of the second line
    gather(models, files, shelf / "data", store)
    gather(models, files, shelf / "data", store)
    assert len(ran) == 3


def test_faces_found_otherwise_make_what_was_said_before_void(
    shelf: Path, ran: list[list[str]], tmp_path: Path
) -> None:
    path = tmp_path / "kept.jsonl"
    gather(load_set(["a"]), rows("pair.mp4"), shelf / "data", path)
    record = ClipRecord.model_validate_json(path.read_text())
    elsewhere = record.facts.model_copy(update={"tracks": {5: TrackFrames(pts_s=(0.0,), weight=(1.0,))}})
    path.unlink()
    PredictionStore(path).add(record.model_copy(update={"facts": elsewhere}))
    said = gather(load_set(["a", "bb"]), rows("pair.mp4"), shelf / "data", path)
    assert ran[1:] == [["bb"], ["a"]]
    assert np.isfinite(said[[column_of("a"), column_of("bb")]].to_numpy(float)).all()


def test_a_model_is_asked_only_for_the_rows_it_is_wanted_for(shelf: Path, ran: list[list[str]], tmp_path: Path) -> None:
    files = rows("pair.mp4", "empty.mp4")
    wanted = {"a": np.array([False, True]), "together": np.array([True, False]), "ccc": np.array([False, False])}
    said = gather(load_set(["a", "together", "ccc"]), files, shelf / "data", tmp_path / "kept.jsonl", wanted=wanted)
    assert ran == [["a", "bb"], ["a", "bb"]]  # a member runs wherever its ensemble is wanted
    assert said[column_of("ccc")].isna().all()
    assert np.isfinite(said[column_of("together")][0])
    assert said[problem_of("together")][1] is None


def test_a_clip_that_cannot_be_examined_again_keeps_what_was_said_of_it(
    shelf: Path, ran: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "kept.jsonl"
    before = gather(load_set(["a"]), rows("pair.mp4"), shelf / "data", store)

    def broken(*_: object) -> Analysis:
        raise EvidenceError("The disk went away.")

    with monkeypatch.context() as patch:
        patch.setattr(scoring, "analyze", broken)
        said = gather(load_set(["a", "bb"]), rows("pair.mp4"), shelf / "data", store)
    assert said[column_of("a")][0] == before[column_of("a")][0]
    assert math.isnan(said[column_of("bb")][0])
    assert said[problem_of("bb")][0] == "The disk went away."
    again = gather(load_set(["a", "bb"]), rows("pair.mp4"), shelf / "data", store)
    assert np.isfinite(again[column_of("bb")][0])
    assert ran == [["a"], ["bb"]]
