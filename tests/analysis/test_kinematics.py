"""Motion of the face in an analysis: what a track scores, why some have no score, and which features tell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from detector.analysis import Analysis, analysis_from_dict, analysis_to_dict, analyze
from detector.analysis.kinds import kind_named
from detector.analysis.kinds.kinematics import CONTRIBUTIONS, WHY_NONE, track_motion, why_none
from detector.analysis.results import NO_FACE, NO_TIME
from detector.evidence import examine, ingest
from detector.faces import CropSpec
from detector.faces.motion import FEATURES, measure_motion
from detector.registry import KinematicsModel, LoadedModel, expect, load_model
from detector.settings import AnalysisSettings
from tests.analysis.fakes import SETTINGS, FakeAnalyser, FakeModel, FakeReader, fake_components, make_evidence
from tests.faces.motion.moving_face import living
from tests.registry.shipping import ship
from tests.talking import pictures, syllables, write_talk

ARCHITECTURE = {"kind": "kinematics", "features": len(FEATURES), "farthest": 3.0}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KinematicsModel]:
    folder = tmp_path_factory.mktemp("weights")
    ship(folder, "motion", "kinematics", ARCHITECTURE, {"features": list(FEATURES)}, CropSpec(192, 0.0))
    ship(folder, "older", "kinematics", ARCHITECTURE, {"features": list(FEATURES[::-1])}, CropSpec(192, 0.0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRAMEWITNESS_WEIGHTS", str(folder))
        yield expect(load_model("motion"), KinematicsModel)


def analysed(model: LoadedModel, folder: Path, opening: np.ndarray, *beside: object) -> Analysis:
    clip = write_talk(folder / "clip.mp4", pictures(opening), None)
    models = [model, *beside]
    return analyze(examine(ingest(clip, folder / "store")), models, AnalysisSettings(frames_per_second=2))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def talking(model: KinematicsModel, tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    return analysed(model, tmp_path_factory.mktemp("talk"), syllables(3.0))


def test_a_talking_face_has_a_score_and_no_frame_has_one(talking: Analysis) -> None:
    (result,) = talking.models
    (track,) = result.tracks
    assert (result.kind, result.logit, result.reason) == ("kinematics", track.logit, None)
    assert track.frames == ()
    assert "kinematics:motion" in talking.timings


def test_the_features_that_tell_most_are_kept_with_their_share(talking: Analysis) -> None:
    (track,) = talking.models[0].tracks
    shares = [abs(part.logit) for part in track.contributions]
    assert len(shares) == CONTRIBUTIONS
    assert shares == sorted(shares, reverse=True)
    assert {part.name for part in track.contributions} <= set(FEATURES)


def test_a_tracks_logit_and_its_contributions_are_means_over_its_windows(model: KinematicsModel) -> None:
    windows = measure_motion(living(8.0)).windows
    said = model.motion(np.stack([window.features for window in windows]))
    track = track_motion(7, windows, model)
    assert (track.track_id, track.logit) == (7, pytest.approx(float(said.logits.mean())))
    first = track.contributions[0]
    index = FEATURES.index(first.name)
    assert first.value == pytest.approx(np.mean([window.features[index] for window in windows]))
    assert first.logit == pytest.approx(float(said.shares[:, index].mean()))
    assert abs(first.logit) == pytest.approx(float(np.abs(said.shares.mean(0)).max()))


def test_contributions_read_back_from_the_record_and_older_records_have_none(talking: Analysis) -> None:
    data = analysis_to_dict(talking)
    path = talking.evidence.file.path
    assert analysis_from_dict(data, stored_path=path).models == talking.models
    for track in data["models"][0]["tracks"]:
        del track["contributions"]
    assert analysis_from_dict(data, stored_path=path).models[0].tracks[0].contributions == ()


def test_a_photograph_has_no_score_and_that_is_no_failure(model: KinematicsModel, tmp_path: Path) -> None:
    analysis = analysed(model, tmp_path, np.zeros(75), FakeModel())
    assert (analysis.models[0].logit, analysis.models[0].reason) == (None, WHY_NONE["still"])
    assert "not_applicable" in {reason.code for reason in analysis.conclusion.reasons}
    assert "model_failed" not in {reason.code for reason in analysis.conclusion.reasons}


def test_a_clip_too_short_for_a_window_says_so(model: KinematicsModel, tmp_path: Path) -> None:
    assert analysed(model, tmp_path, syllables(1.5)).models[0].reason == WHY_NONE["too_short"]


def test_without_time_or_faces_there_is_a_reason_and_no_score(model: KinematicsModel) -> None:
    for reason, kind, analyser in ((NO_TIME, "still", None), (NO_FACE, "video", FakeAnalyser(()))):
        components = fake_components(FakeReader(1 if kind == "still" else 20), analyser)
        analysis = analyze(make_evidence(kind=kind, frames=20), [model], SETTINGS, components=components)
        assert (analysis.models[0].logit, analysis.models[0].reason) == (None, reason)


def test_the_reason_is_that_of_the_track_that_got_farthest() -> None:
    assert why_none(["too_short", "still"]) == WHY_NONE["still"]
    assert why_none([]) == WHY_NONE["no_face"]


def test_a_model_of_other_features_is_refused(model: KinematicsModel, tmp_path: Path) -> None:
    result = analysed(load_model("older"), tmp_path, syllables(1.0)).models[0]
    assert result.logit is None
    assert "other features" in str(result.reason)


def test_its_diagram_and_its_input_say_how_many_measures_it_reads(model: KinematicsModel) -> None:
    kind = kind_named("kinematics")
    assert kind.input_text(model.card) == f"{len(FEATURES)} measures of motion, in windows of 2.4 s"
    assert any("at most 3.0" in line for block in kind.diagram(model.card).blocks for line in block.details)
