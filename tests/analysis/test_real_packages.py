"""The whole engine on a real clip: real decoder, real face search, a real (untrained) network, real heatmaps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from detector.analysis import Analysis, analysis_from_dict, analysis_to_json, analyze, landmark_table
from detector.errors import CancelledError
from detector.evidence import Evidence, examine, ingest
from detector.explain import Explainer, overlay_on_frame
from detector.registry import LoadedModel, load_model
from detector.settings import AnalysisSettings
from tests.pages.seed import write_clip, write_model

SETTINGS = AnalysisSettings(frames_per_second=4.0, batch_size=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("real-packages")


@pytest.fixture(scope="module")
def model(folder: Path) -> Iterator[LoadedModel]:
    write_model(folder / "weights")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRAMEWITNESS_WEIGHTS", str(folder / "weights"))
        yield load_model("tiny")


@pytest.fixture(scope="module")
def evidence(folder: Path) -> Evidence:
    return examine(ingest(write_clip(folder / "drift.mp4", seconds=3.0), folder / "store"))


@pytest.fixture(scope="module")
def analysis(evidence: Evidence, model: LoadedModel) -> Analysis:
    return analyze(evidence, [model], SETTINGS)


def numbers_of(analysis: Analysis) -> str:
    return analysis_to_json(replace(analysis, timings={}))


def test_one_face_is_followed_through_the_clip(analysis: Analysis) -> None:
    assert analysis.frames_examined == 12
    assert [len(track.faces) for track in analysis.tracks] == [12]
    assert [len(track.frames) for track in analysis.models[0].tracks] == [12]
    assert [frame.pts for frame in analysis.models[0].tracks[0].frames] == [
        face.pts for face in analysis.tracks[0].faces
    ]
    lefts = [tracked.face.bbox_xyxy_px[0] for tracked in analysis.tracks[0].faces]
    assert max(lefts) - min(lefts) > 20  # the picture drifts by 70 px
    assert analysis.conclusion.score is not None
    assert analysis.evidence.integrity.decode_errors == 0


def test_the_same_work_gives_the_same_numbers(analysis: Analysis, evidence: Evidence, model: LoadedModel) -> None:
    again = analyze(evidence, [model], SETTINGS)
    assert numbers_of(again) == numbers_of(analysis)
    np.testing.assert_array_equal(landmark_table(again).landmarks, landmark_table(analysis).landmarks)


def test_a_score_is_that_of_the_crop_alone(analysis: Analysis, evidence: Evidence, model: LoadedModel) -> None:
    from detector.evidence import frame_at
    from detector.faces import crop_face

    tracked, scored = analysis.tracks[0].faces[5], analysis.models[0].tracks[0].frames[5]
    image = frame_at(evidence, tracked.pts).image
    crop = crop_face(image, tracked.face.bbox_xyxy_px, tracked.face.landmarks, model.card.crop)
    assert float(model.score(crop[None])[0]) == pytest.approx(scored.logit, abs=1e-4)


def test_the_record_of_a_real_analysis_reads_back(analysis: Analysis) -> None:
    data = json.loads(analysis_to_json(analysis))
    again = analysis_from_dict(data, stored_path=analysis.evidence.file.path, landmarks=landmark_table(analysis))
    assert analysis_to_json(again) == analysis_to_json(analysis)


def test_a_heatmap_of_a_real_frame(analysis: Analysis, evidence: Evidence, model: LoadedModel, tmp_path: Path) -> None:
    from detector.evidence import frame_at

    tracked = analysis.tracks[0].faces[3]
    heatmap = Explainer(tmp_path).heatmap(evidence, analysis, model, track_id=1, pts=tracked.pts)
    assert heatmap.raw.shape == (64, 64)
    assert heatmap.raw.min() >= 0
    assert heatmap.layer.startswith("trunk.")
    image = frame_at(evidence, tracked.pts).image
    changed = (overlay_on_frame(image, heatmap, 1.0) != image).any(axis=2)
    left, top, right, bottom = heatmap.crop_box_xyxy_px
    ys, xs = np.nonzero(changed)
    assert left <= xs.min() <= xs.max() < right
    assert top <= ys.min() <= ys.max() < bottom


def test_a_still(folder: Path, model: LoadedModel) -> None:
    Image.fromarray(astronaut()).save(folder / "portrait.png")
    still = analyze(examine(ingest(folder / "portrait.png", folder / "store")), [model], SETTINGS)
    assert still.evidence.kind == "still"
    assert still.frames_examined == 1
    assert still.conclusion.score is not None
    codes = [reason.code for reason in still.conclusion.reasons]
    assert "still" in codes
    assert "few_frames" not in codes


def test_a_clip_without_a_face(folder: Path, model: LoadedModel) -> None:
    path = folder / "noise.mp4"
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for _ in range(15):
            noise = rng.integers(0, 255, (120, 160, 3), dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(noise, format="rgb24")))
        container.mux(stream.encode(None))
    evidence = examine(ingest(path, folder / "store"))
    without = analyze(evidence, [model], SETTINGS)
    assert (without.conclusion.label, without.conclusion.score) == ("not_examined", None)
    assert without.conclusion.reasons[0].code == "no_face"
    fallen_back = analyze(evidence, [model], replace(SETTINGS, centre_crop_fallback=True))
    assert fallen_back.conclusion.label == "inconclusive"
    assert fallen_back.conclusion.score is not None
    assert fallen_back.conclusion.reasons[0].code == "fallback_only"


def test_cancelling_a_real_analysis(evidence: Evidence, model: LoadedModel) -> None:
    calls = iter(range(1000))
    with pytest.raises(CancelledError):
        analyze(evidence, [model], SETTINGS, cancelled=lambda: next(calls) >= 6)
