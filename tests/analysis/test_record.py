"""The JSON contract, and that a record reads back as what was written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from detector.analysis import (
    Analysis,
    analysis_from_dict,
    analysis_to_dict,
    analysis_to_json,
    analyze,
    landmark_table,
    load_landmarks,
    save_landmarks,
)
from detector.analysis.types import Interval, SyncWindow
from detector.errors import StoreError
from detector.evidence.types import AudioStream
from tests.analysis.fakes import (
    SETTINGS,
    FakeAnalyser,
    FakeCard,
    FakeEnsemble,
    FakeModel,
    FakeReader,
    FakeSequence,
    FakeSpecialists,
    fake_components,
    make_evidence,
    make_face,
)

CONTRACT = {
    "": "schema_version analysis_id tool settings evidence tracks models conclusion timings environment identity",
    "identity": "schema_version code_sha256 settings_sha256 devices libraries models",
    "identity.models.0": "model_id weights_sha256 card",
    "environment": "python processor devices torch numpy av mediapipe",
    "tool": "name version commit",
    "settings": "sha256 frames_per_second max_frames",
    "evidence": "file_name sha256 size_bytes container video audio integrity provenance",
    "evidence.video": "codec width height duration_s frame_count rotation_deg variable_frame_rate",
    "evidence.integrity": "decode_errors warnings",
    "tracks.0": "track_id first_pts_s last_pts_s frames",
    "tracks.0.frames.0": "frame_index pts pts_s bbox_xyxy_px detection_score quality",
    "models.0": "model_id kind weights_sha256 score logit tracks specialists members sync",
    "models.0.tracks.0": "track_id score logit frames attention intervals",
    "models.0.tracks.0.frames.0": "frame_index pts_s score",
    "conclusion": "label score calibrated likelihood_ratio interval reasons",
    "conclusion.reasons.0": "code text",
}


@pytest.fixture
def analysis() -> Analysis:
    evidence = replace(make_evidence(), audio=AudioStream("aac", 44_100, 2, 1.5))
    faces = (make_face(left=4, mesh=True), make_face(left=40))
    models = [FakeModel(), FakeModel(card=FakeCard("other"), offset=-9.0)]
    return analyze(evidence, models, SETTINGS, components=fake_components(FakeReader(20), FakeAnalyser(faces=faces)))


def test_how_the_deciding_faces_look_is_their_mean_and_reads_back() -> None:
    trunk = FakeModel()
    faces = FakeAnalyser(faces=(make_face(left=4),))
    found = analyze(
        make_evidence(), [trunk, FakeSequence(trunk)], SETTINGS, components=fake_components(FakeReader(20), faces)
    )
    numbers = [float(tracked.frame_index) for tracked in found.tracks[0].faces]
    assert found.appearance is not None
    assert found.appearance[:2] == pytest.approx((np.mean(numbers), 4.0))  # the fake's features: number, left edge
    again = analysis_from_dict(json.loads(analysis_to_json(found)), stored_path=found.evidence.file.path)
    assert again.appearance == found.appearance


@pytest.mark.parametrize("place", CONTRACT)
def test_the_contract_holds(analysis: Analysis, place: str) -> None:
    found = json.loads(analysis_to_json(analysis))
    for step in filter(None, place.split(".")):
        found = found[int(step)] if step.isdigit() else found[step]
    assert set(CONTRACT[place].split()) <= set(found)


def test_a_record_names_no_place_on_this_machine(analysis: Analysis) -> None:
    assert str(analysis.evidence.file.path) not in analysis_to_json(analysis)


def test_a_record_reads_back_equal(analysis: Analysis, tmp_path: Path) -> None:
    save_landmarks(analysis, tmp_path / "deep" / "landmarks.npz")
    data = json.loads(analysis_to_json(analysis, indent=1))
    table = load_landmarks(tmp_path / "deep" / "landmarks.npz")
    again = analysis_from_dict(data, stored_path=analysis.evidence.file.path, landmarks=table)
    assert replace(again, tracks=()) == replace(analysis, tracks=())
    assert analysis_to_dict(again) == analysis_to_dict(analysis)
    for track, before in zip(again.tracks, analysis.tracks, strict=True):
        for face, original in zip(track.faces, before.faces, strict=True):
            assert replace(face.face, landmarks=None) == replace(original.face, landmarks=None)
            if original.face.landmarks is None:
                assert face.face.landmarks is None
            else:
                np.testing.assert_array_equal(face.face.landmarks, original.face.landmarks)


def test_without_landmarks_the_rest_still_reads(analysis: Analysis) -> None:
    again = analysis_from_dict(analysis_to_dict(analysis), stored_path=Path("/elsewhere"))
    assert again.tracks[0].faces[0].face.landmarks is None
    assert again.evidence.file.path == Path("/elsewhere")


def test_a_record_without_faces_reads_back() -> None:
    components = fake_components(FakeReader(5), FakeAnalyser(faces=()))
    empty = analyze(make_evidence(), [FakeModel()], SETTINGS, components=components)
    data = json.loads(analysis_to_json(empty))
    assert data["conclusion"]["score"] is None
    assert data["models"][0]["score"] is None
    assert analysis_from_dict(data, stored_path=empty.evidence.file.path) == empty
    assert len(landmark_table(empty).pts) == 0


def test_models_of_every_kind_read_back_equal() -> None:
    trunk = FakeModel()
    members = [{"model_id": name, "cue": None} for name in ("fake", "tm", "absent")]
    windows = (SyncWindow(0.0, 1.0, 2.0, None, None), SyncWindow(1.0, 2.0, None, -0.4, 0.12))
    sound = FakeModel(card=FakeCard("sound", "55" * 32, kind="audiovisual"))
    findings = SimpleNamespace(windows=windows, logit=1.0, reason=None, track_id=0)
    models = [trunk, FakeSequence(trunk), FakeSpecialists(), sound, FakeEnsemble(members)]
    components = fake_components(FakeReader(20), examine_sync=lambda *_, **__: findings)
    made = analyze(make_evidence(), models, SETTINGS, components=components)  # type: ignore[arg-type]
    score = replace(made.models[1].tracks[0], intervals=(Interval(0.2, 0.8, 2.5),))
    made = replace(made, models=(made.models[0], replace(made.models[1], tracks=(score,)), *made.models[2:]))
    data = json.loads(analysis_to_json(made))
    assert [model["kind"] for model in data["models"]] == [
        "frame", "sequence", "specialists", "audiovisual", "ensemble"
    ]  # fmt: skip
    assert data["models"][0]["specialists"] is None
    assert data["models"][2]["specialists"][0]["readings"][0]["values"][3] == [3.0, 4.0]
    assert data["models"][1]["tracks"][0]["intervals"] == [{"start_s": 0.2, "end_s": 0.8, "logit": 2.5}]
    assert data["models"][3]["sync"][1]["lag_s"] == 0.12
    assert data["models"][4]["members"][2] == {
        "model_id": "absent", "cue": None, "logit": None, "weight": None, "reason": "It was not run."
    }  # fmt: skip
    assert analysis_from_dict(data, stored_path=made.evidence.file.path) == made


def test_a_record_of_the_first_schema_still_reads(analysis: Analysis) -> None:
    data = json.loads(analysis_to_json(analysis))
    data["schema_version"] = "1.0"
    for model in data["models"]:
        for later in ("kind", "members", "sync"):
            del model[later]
        for track in model["tracks"]:
            del track["intervals"]
    again = analysis_from_dict(data, stored_path=analysis.evidence.file.path)
    assert again.models == analysis.models
    assert again.schema_version == "1.0"


@pytest.mark.parametrize(
    "broken", [{"schema_version": "2.0"}, {"tool": {"name": "x"}}, {"tracks": None}, {"models": [{}]}]
)
def test_a_foreign_or_damaged_record_is_refused(analysis: Analysis, broken: dict[str, object]) -> None:
    with pytest.raises(StoreError):
        analysis_from_dict({**analysis_to_dict(analysis), **broken}, stored_path=Path("/x"))


def test_landmark_files_are_equal_for_equal_analyses(analysis: Analysis, tmp_path: Path) -> None:
    save_landmarks(analysis, tmp_path / "a.npz")
    save_landmarks(analysis, tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz"]


def test_a_damaged_landmark_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"PK not really")
    for name in ("x.npz", "missing.npz"):
        with pytest.raises(StoreError):
            load_landmarks(tmp_path / name)


def test_what_an_analysis_ran_on_is_kept_and_absent_where_it_never_was(analysis: Analysis) -> None:
    data = json.loads(analysis_to_json(analysis))
    assert analysis.environment["torch threads"].isdigit()
    assert analysis.environment["devices"] == "cpu"
    assert analysis_from_dict(data, stored_path=Path("gone")).environment == analysis.environment
    del data["environment"]
    assert analysis_from_dict(data, stored_path=Path("gone")).environment == {}


def test_a_result_keeps_the_name_that_its_card_gives_it() -> None:
    models = [FakeModel(card=FakeCard(name="Frame model")), FakeModel(card=FakeCard(model_id="nameless"))]
    analysis = analyze(make_evidence(), models, SETTINGS, components=fake_components(FakeReader(20)))
    again = analysis_from_dict(json.loads(analysis_to_json(analysis)), stored_path=analysis.evidence.file.path)
    assert [model.name for model in again.models] == ["Frame model", "nameless"]
    older = analysis_to_dict(analysis)
    for model in older["models"]:
        del model["title"]
    assert [model.name for model in analysis_from_dict(older, stored_path=Path("a")).models] == ["fake", "nameless"]
