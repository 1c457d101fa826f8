"""Blend maps, channels, attention and uncertainty of real (untrained) networks, each cached like a heatmap."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from detector.analysis import Analysis, analyze
from detector.analysis.types import Attention
from detector.errors import ModelError, StoreError
from detector.explain import Explainer, TrackAttentionMaps
from detector.explain.attention import window_rows
from detector.explain.uncertainty import moved_boxes
from detector.faces import crop_face
from detector.faces.temporal import TEMPORAL_DIFFERENCES
from detector.models import build_network
from detector.models.appearance import APPEARANCE_FEATURES
from detector.registry import LoadedModel, load_set
from tests.analysis.fakes import SETTINGS, FakeAnalyser, FakeReader, fake_components, make_evidence, make_face
from tests.explain.test_explainer import Frames, bright_square
from tests.registry.shipping import ship

FRAME = {"kind": "frame", "trunk": "resnet10t", "width": 16, "dropout": 0.3}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LoadedModel]:
    folder = tmp_path_factory.mktemp("weights")
    frame = ship(folder, "frame", "frame", FRAME, {})
    inputs = {"trunk": "frame", "trunk_weights_sha256": frame.weights_sha256, "frames": 6, "cue": "TM"}
    readings = APPEARANCE_FEATURES + 2 * len(TEMPORAL_DIFFERENCES)
    width = build_network(FRAME).feature_dim + readings
    small = {"kind": "transformer", "features": width, "looks": readings, "width": 16, "layers": 2,
             "heads": 2, "change": {"width": 4}}  # fmt: skip
    ship(folder, "time", "sequence", small, inputs)
    ship(folder, "cues", "specialists", {"kind": "specialists", "trunk": "resnet10t", "width": 8, "head_width": 8}, {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRAMEWITNESS_WEIGHTS", str(folder))
        return {model.card.model_id: model for model in load_set(["frame", "time", "cues"])}


@pytest.fixture(scope="module")
def analysis(models: dict[str, LoadedModel]) -> Analysis:
    components = replace(
        fake_components(FakeReader(10), FakeAnalyser(faces=(make_face(left=6.0),))), crop_face=crop_face
    )
    return analyze(make_evidence(), list(models.values()), SETTINGS, components=components)


def test_a_blend_map_is_what_the_model_says_of_its_crop(
    analysis: Analysis, models: dict[str, LoadedModel], tmp_path: Path
) -> None:
    frames = Frames()
    explainer = Explainer(tmp_path, frame_at=frames)
    shown = explainer.blend_map(analysis.evidence, analysis, models["frame"], track_id=0, pts=4)
    assert shown is not None
    assert (shown.raw.shape, shown.scale, shown.layer) == ((64, 64), 1.0, "blend map")
    expected = models["frame"].blend_map(shown.crop[None])
    assert expected is not None
    assert shown.heat.max() == pytest.approx(expected.max(), abs=1e-4)
    asked = len(frames.asked)
    explainer.blend_map(analysis.evidence, analysis, models["frame"], track_id=0, pts=4)
    assert len(frames.asked) == asked
    assert explainer.blend_map(analysis.evidence, analysis, models["cues"], track_id=0, pts=4) is None


def test_named_channels_are_drawn_as_they_are_read(
    analysis: Analysis, models: dict[str, LoadedModel], tmp_path: Path
) -> None:
    frames = Frames()
    explainer = Explainer(tmp_path, frame_at=frames)
    cues = models["cues"]
    shown = {
        cue: explainer.channels(analysis.evidence, analysis, cues, cue, track_id=0, pts=4) for cue in cues.channel_names
    }
    assert len(frames.asked) == 1  # one picture for all cues
    for cue, maps in shown.items():
        assert maps.names == cues.channel_names[cue]
        assert maps.maps.shape == (len(maps.names), 8, 8)
        np.testing.assert_array_equal(maps.named(maps.names[3]), maps.maps[3])
    with pytest.raises(KeyError, match="no channel"):
        shown["BG"].named("mood")
    with pytest.raises(ModelError, match="no cue"):
        explainer.channels(analysis.evidence, analysis, cues, "TM", track_id=0, pts=4)
    with pytest.raises(ModelError, match="specialists"):
        explainer.channels(analysis.evidence, analysis, models["frame"], "BG", track_id=0, pts=4)


def test_attention_is_that_of_the_window_the_analysis_used(
    analysis: Analysis, models: dict[str, LoadedModel], tmp_path: Path
) -> None:
    frames = Frames()
    explainer = Explainer(tmp_path, frame_at=frames, frame_before=lambda *_: None)
    maps = explainer.attention(analysis.evidence, analysis, models["time"], 0, pts=1)
    assert maps.pts == (0, 1, 2, 3, 4, 5)
    assert maps.layers.shape == (2, 2, 6, 6)
    np.testing.assert_allclose(maps.layers.sum(-1), 1, rtol=1e-4)
    assert maps.pooling.sum() == pytest.approx(1, rel=1e-4)
    assert maps.rollout.sum() == pytest.approx(1, rel=1e-4)
    asked = len(frames.asked)
    again = explainer.attention(analysis.evidence, analysis, models["time"], 0, pts=0)  # the same window
    assert len(frames.asked) == asked == 6
    np.testing.assert_array_equal(again.layers, maps.layers)
    assert explainer.attention(analysis.evidence, analysis, models["time"], 0, pts=9).pts == (4, 5, 6, 7, 8, 9)
    for track_id, pts, model in ((5, None, "time"), (0, 99, "time"), (0, None, "frame")):
        with pytest.raises(StoreError):
            explainer.attention(analysis.evidence, analysis, models[model], track_id, pts=pts)


def test_attention_is_tested_once_on_the_window_that_weighed_most_and_kept(
    analysis: Analysis, models: dict[str, LoadedModel], tmp_path: Path
) -> None:
    frames = Frames()
    explainer = Explainer(tmp_path, frame_at=frames, frame_before=lambda *_: None)
    heaviest = explainer.attention(analysis.evidence, analysis, models["time"], 0)
    asked = len(frames.asked)
    found = explainer.attention_test(analysis.evidence, analysis, models["time"], 0)
    assert found.pts_s == heaviest.pts_s
    assert len(found.drawn) == 5  # six frames, one left out: not enough to tell from chance
    assert found.marked != 0
    assert len(frames.asked) > asked
    asked = len(frames.asked)
    again = Explainer(tmp_path, frame_at=frames).attention_test(analysis.evidence, analysis, models["time"], 0)
    assert again == found
    assert len(frames.asked) == asked
    with pytest.raises(StoreError, match="over time"):
        explainer.attention_test(analysis.evidence, analysis, models["frame"], 0)


def test_without_a_frame_the_window_that_weighed_most_is_shown(analysis: Analysis) -> None:
    score = next(result for result in analysis.models if result.kind == "sequence").tracks[0]
    pts = tuple(frame.pts for frame in score.frames)
    late = Attention(pts, tuple(frame.pts_s for frame in score.frames), (0.0,) * 8 + (0.5, 0.5))
    assert window_rows(replace(score, attention=late), 6, None) == [4, 5, 6, 7, 8, 9]


def test_rollout_follows_attention_through_the_layers() -> None:
    swap = np.array([[0.0, 1.0], [1.0, 0.0]], np.float32)
    pooling = np.array([1.0, 0.0], np.float32)
    one = TrackAttentionMaps((0, 1), (0.0, 0.1), swap[None, None], pooling, "m")
    assert one.rollout.tolist() == [0.5, 0.5]
    two = replace(one, layers=np.stack([swap[None]] * 2))
    assert two.rollout.tolist() == pytest.approx([0.5, 0.5])
    still = replace(one, layers=np.eye(2, dtype=np.float32)[None, None])
    assert still.rollout.tolist() == [1.0, 0.0]


def test_uncertainty_is_measured_with_its_cost(
    analysis: Analysis, models: dict[str, LoadedModel], tmp_path: Path
) -> None:
    explainer = Explainer(tmp_path, frame_at=Frames())
    frame = models["frame"]
    found = explainer.uncertainty(analysis.evidence, analysis, frame, track_id=0, pts=4)
    tracked = analysis.tracks[0].faces[4]
    plain = frame.score(crop_face(bright_square(4), tracked.face.bbox_xyxy_px, None, frame.card.crop)[None])
    assert found.views.logits[0] == pytest.approx(float(plain[0]), abs=1e-4)
    assert len(found.views.logits) == 2 * len(moved_boxes(tracked.face.bbox_xyxy_px)) == 14
    assert found.dropout is not None
    assert found.dropout.logits[0] == pytest.approx(float(plain[0]), abs=1e-4)
    assert len(set(found.dropout.logits)) > 10
    assert found.dropout.std > 0
    assert found.plain_seconds > 0
    again = explainer.uncertainty(analysis.evidence, analysis, frame, track_id=0, pts=4)
    assert again.views.logits == found.views.logits
    assert again.dropout is not None
    assert again.dropout.logits == found.dropout.logits
    assert not frame.network.training
    with pytest.raises(ModelError, match="single crops"):
        explainer.uncertainty(analysis.evidence, analysis, models["time"], track_id=0, pts=4)
