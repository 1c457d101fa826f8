"""Heatmaps: the right magnitudes, one scale, a cache that can be trusted, and safety under threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from detector.analysis import Analysis, analyze
from detector.errors import StoreError
from detector.evidence.types import Evidence, Frame
from detector.explain import Explainer, hide_test
from detector.explain.cam import METHODS, RANDOM, raw_cam
from detector.faces import crop_face
from detector.faces.types import CropSpec
from detector.measurement.results import Results
from detector.registry import FrameModel, LoadedModel, ModelCard, Thresholds
from tests.analysis.fakes import SETTINGS, FakeAnalyser, FakeReader, fake_components, make_evidence, make_face

SPEC = CropSpec(size_px=32, margin=0.25)


class BrightnessNet(nn.Module):
    """Logit = gain x mean red above zero, through one strided layer, so that the map is known in closed form."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.cam_layer = nn.Sequential(nn.Conv2d(3, 2, 4, stride=4, bias=False), nn.ReLU(inplace=True))
        self.gain = gain
        with torch.no_grad():
            weight = torch.zeros(2, 3, 4, 4)
            weight[0, 0], weight[1, 0] = 1 / 16, -1 / 16
            self.cam_layer[0].weight.copy_(weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.cam_layer(x)  # (N, 2, 8, 8)
        return self.gain * (features[:, 0] - features[:, 1]).mean((1, 2))


def make_model(gain: float = 3.0, *, spec: CropSpec = SPEC, weights_sha256: str = "aa" * 32) -> LoadedModel:
    card = ModelCard(
        model_id="brightness",
        title="Brightness",
        kind="frame",
        architecture={},
        crop=spec,
        weights_file="",
        weights_sha256=weights_sha256,
        parameters=96,
        thresholds=Thresholds(1.0, -1.0, ""),
        training={},
        results=Results(),
        limits=(),
        licence="",
    )
    return FrameModel(card, BrightnessNet(gain).eval().requires_grad_(False), torch.device("cpu"))


def bright_square(pts: int) -> NDArray[np.uint8]:
    """Dark, with a square at the face's upper left that grows brighter with time."""
    image = np.full((48, 64, 3), 60, np.uint8)
    image[8:14, 8:14, 0] = 140 + 10 * pts
    return image


class Frames:
    """Counts how often a frame is asked for."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def __call__(self, _: Evidence, pts: int) -> Frame:
        self.asked.append(pts)
        return Frame(pts, pts, pts / 10, 0, bright_square(pts))


@pytest.fixture
def analysis() -> Analysis:
    faces = (make_face(left=6.0), make_face(left=30.0))
    model = make_model()
    return analyze(
        make_evidence(), [model], SETTINGS, components=fake_components(FakeReader(10), FakeAnalyser(faces=faces))
    )


def test_the_frame_that_is_shown_and_explained_is_decoded_once(tmp_path: Path, analysis: Analysis) -> None:
    frames = Frames()
    explainer = Explainer(tmp_path, frame_at=frames)
    shown = explainer.frame(analysis.evidence, 7)
    explainer.heatmap(analysis.evidence, analysis, make_model(), track_id=0, pts=7)
    assert frames.asked[0] == 7
    assert frames.asked[1] != 7
    assert explainer.frame(analysis.evidence, 8).pts == 8
    assert shown.pts == 7


def test_magnitudes_are_those_of_grad_cam() -> None:
    crop = np.full((32, 32, 3), 40, np.uint8)
    crop[:16, :16, 0] = 220
    raw = raw_cam(make_model(gain=3.0), crop)
    assert raw.shape == (32, 32)
    assert raw.dtype == np.float32
    # Both channels have gradient +-gain/64 everywhere, and an activation of |red| after normalisation.
    bright, dark = (220 / 255 - 0.5) / 0.5, abs(40 / 255 - 0.5) / 0.5
    assert raw[4, 4] == pytest.approx(3.0 / 64 * bright, rel=1e-5)
    assert raw[28, 28] == 0  # what speaks against "manipulated" is cut off, not shown as heat
    assert dark > 0.5
    np.testing.assert_allclose(raw_cam(make_model(gain=6.0), crop), 2 * raw, rtol=1e-5)


def test_explaining_leaves_the_network_as_it_was() -> None:
    model = make_model()
    crops = np.random.default_rng(0).integers(0, 255, (2, 32, 32, 3), dtype=np.uint8)
    before = model.score(crops)
    raw_cam(model, crops[0])
    np.testing.assert_array_equal(model.score(crops), before)
    assert not model.cam_layer._forward_hooks
    assert all(parameter.grad is None for parameter in model.network.parameters())


def test_a_heatmap_shows_what_the_model_saw(analysis: Analysis, tmp_path: Path) -> None:
    model = make_model()
    heatmap = Explainer(tmp_path, frame_at=Frames()).heatmap(analysis.evidence, analysis, model, track_id=0, pts=7)
    box = analysis.tracks[0].faces[7].face.bbox_xyxy_px
    np.testing.assert_array_equal(heatmap.crop, crop_face(bright_square(7), box, None, SPEC))
    assert heatmap.raw.shape == (32, 32)
    assert heatmap.raw.max() > 0
    assert (heatmap.model_id, heatmap.layer) == ("brightness", "cam_layer")


@pytest.mark.parametrize("method", [*METHODS, RANDOM])
def test_every_method_gives_a_map_of_the_crop_and_leaves_no_hook(method: str) -> None:
    crop, model = np.full((32, 32, 3), 40, np.uint8), make_model()
    crop[:16, :16, 0] = 220
    raw = raw_cam(model, crop, method)
    assert (raw.shape, raw.dtype) == ((32, 32), np.float32)
    assert raw.min() >= 0
    assert not model.cam_layer._forward_hooks
    if method not in ("Eigen-CAM", RANDOM):  # the others know which way the score goes
        assert raw[4, 4] > 10 * raw[28, 28]


def test_a_map_is_tested_once_and_kept_on_disk(analysis: Analysis, tmp_path: Path) -> None:
    class Counting(FrameModel):
        scored: ClassVar[list[int]] = []

        def score(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
            self.scored.append(len(crops))
            return super().score(crops)

    plain = make_model()
    model = Counting(plain.card, plain.network, plain.device)
    explainer = Explainer(tmp_path, frame_at=Frames())
    place = (analysis.evidence, analysis, model)
    heatmap = explainer.heatmap(*place, track_id=0, pts=7)
    found = explainer.heat_test(*place, heatmap)
    assert found.faithful
    assert found == hide_test(model, heatmap)
    assert model.scored == [21, 21]
    again = Explainer(tmp_path, frame_at=Frames()).heat_test(*place, heatmap)
    assert again == found
    assert len(model.scored) == 2
    another = explainer.heatmap(*place, track_id=0, pts=8)
    assert explainer.heat_test(*place, another) != found


def test_one_scale_for_the_whole_video(analysis: Analysis, tmp_path: Path) -> None:
    model, explainer = make_model(), Explainer(tmp_path, frame_at=Frames())
    maps = [explainer.heatmap(analysis.evidence, analysis, model, track_id=0, pts=pts) for pts in range(10)]
    assert len({heatmap.scale for heatmap in maps}) == 1
    peaks = [float(heatmap.heat.max()) for heatmap in maps]
    assert peaks == sorted(peaks)  # the square grows brighter with time, and the map must show that
    assert peaks[0] < 0.75 * peaks[-1]
    assert peaks[-1] == pytest.approx(1.0, abs=0.1)


def test_a_map_is_made_once_and_kept_on_disk(analysis: Analysis, tmp_path: Path) -> None:
    model, frames = make_model(), Frames()
    first = Explainer(tmp_path, frame_at=frames).heatmap(analysis.evidence, analysis, model, track_id=1, pts=3)
    asked = len(frames.asked)
    assert 0 < asked <= 13
    again = Explainer(tmp_path, frame_at=frames).heatmap(analysis.evidence, analysis, model, track_id=1, pts=3)
    assert len(frames.asked) == asked
    np.testing.assert_array_equal(first.raw, again.raw)
    np.testing.assert_array_equal(first.crop, again.crop)
    assert first.scale == again.scale
    assert not list(tmp_path.rglob("*.unfinished"))


@pytest.mark.parametrize("change", ["weights", "settings", "file", "crop"])
def test_anything_that_changes_the_map_changes_the_key(analysis: Analysis, tmp_path: Path, change: str) -> None:
    model, frames = make_model(), Frames()
    explainer = Explainer(tmp_path, frame_at=frames)
    explainer.heatmap(analysis.evidence, analysis, model, track_id=0, pts=3)
    asked = len(frames.asked)
    other = analysis
    if change == "weights":
        model = make_model(gain=9.0, weights_sha256="bb" * 32)
    elif change == "settings":
        other = replace(analysis, settings=replace(analysis.settings, max_frames=17))
    elif change == "crop":
        model = make_model(spec=replace(SPEC, margin=0.5))
    else:
        evidence = replace(analysis.evidence, file=replace(analysis.evidence.file, sha256="77" * 32))
        other = replace(analysis, evidence=evidence)
    explainer.heatmap(other.evidence, other, model, track_id=0, pts=3)
    assert len(frames.asked) > asked


def test_a_damaged_entry_is_made_again(analysis: Analysis, tmp_path: Path) -> None:
    model, explainer = make_model(), Explainer(tmp_path, frame_at=Frames())
    first = explainer.heatmap(analysis.evidence, analysis, model, track_id=0, pts=3)
    for number, path in enumerate(sorted(tmp_path.rglob("*.safetensors"))):
        path.write_bytes(path.read_bytes()[: 40 * (number % 3)])
    again = explainer.heatmap(analysis.evidence, analysis, model, track_id=0, pts=3)
    np.testing.assert_array_equal(first.raw, again.raw)
    assert first.scale == again.scale


def test_many_threads_get_the_same_maps_as_one(analysis: Analysis, tmp_path: Path) -> None:
    model = make_model()
    alone = Explainer(tmp_path / "alone", frame_at=Frames())
    shared = Explainer(tmp_path / "shared", frame_at=Frames())
    wanted = [(track_id, pts) for track_id in (0, 1) for pts in range(10)] * 3

    def explain(place: tuple[int, int]) -> NDArray[np.float32]:
        if sum(place) % 3 == 0:  # past the cache, so that many threads really compute at once
            return raw_cam(model, crop_at(analysis, *place))
        return shared.heatmap(analysis.evidence, analysis, model, track_id=place[0], pts=place[1]).raw

    with ThreadPoolExecutor(8) as pool:
        maps = list(pool.map(explain, wanted))
    for (track_id, pts), raw in zip(wanted, maps, strict=True):
        expected = alone.heatmap(analysis.evidence, analysis, model, track_id=track_id, pts=pts).raw
        np.testing.assert_array_equal(raw, expected)


def crop_at(analysis: Analysis, track_id: int, pts: int) -> NDArray[np.uint8]:
    return crop_face(bright_square(pts), analysis.tracks[track_id].faces[pts].face.bbox_xyxy_px, None, SPEC)


def test_a_face_that_is_not_there_is_an_error(analysis: Analysis, tmp_path: Path) -> None:
    explainer = Explainer(tmp_path, frame_at=Frames())
    for track_id, pts in ((5, 3), (0, 999)):
        with pytest.raises(StoreError, match="no face"):
            explainer.heatmap(analysis.evidence, analysis, make_model(), track_id=track_id, pts=pts)
    foreign = replace(analysis.evidence, file=replace(analysis.evidence.file, sha256="77" * 32))
    with pytest.raises(StoreError, match="is of file"):
        explainer.heatmap(foreign, analysis, make_model(), track_id=0, pts=3)


def test_a_levelled_crop_needs_its_landmarks(analysis: Analysis, tmp_path: Path) -> None:
    model = make_model(spec=replace(SPEC, alignment="eyes"))
    with pytest.raises(StoreError, match="landmarks"):
        Explainer(tmp_path, frame_at=Frames()).heatmap(analysis.evidence, analysis, model, track_id=0, pts=3)


def test_a_model_that_is_never_moved_has_a_scale_of_zero(analysis: Analysis, tmp_path: Path) -> None:
    explainer = Explainer(tmp_path, frame_at=Frames())
    heatmap = explainer.heatmap(analysis.evidence, analysis, make_model(gain=0.0), track_id=0, pts=3)
    assert heatmap.scale == 0
    assert not heatmap.heat.any()
