"""Overlays: cividis, the opacity asked for, and the heat in the place the crop was cut from."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import colormaps

from detector.explain import Heatmap, overlay, overlay_on_frame
from detector.explain.explainer import _turn_deg
from detector.faces import crop_box, crop_face
from detector.faces.types import CropSpec, DetectedFace, TrackedFace
from tests.analysis.fakes import make_face

CIVIDIS = (colormaps["cividis"](np.arange(256))[:, :3] * 255).astype(np.float32)


def make_heatmap(
    raw: np.ndarray, *, scale: float = 1.0, box: tuple[float, float, float, float] = (0, 0, 32, 32)
) -> Heatmap:
    crop = np.full((*raw.shape, 3), 100, np.uint8)
    return Heatmap(raw.astype(np.float32), crop, box, 0.0, scale, "m", "layer")


def test_the_ends_of_the_opacity() -> None:
    heatmap = make_heatmap(np.linspace(0, 1, 1024).reshape(32, 32))
    np.testing.assert_array_equal(overlay(heatmap, 0.0), heatmap.crop)
    full = overlay(heatmap, 1.0)
    np.testing.assert_allclose(full[0, 0], CIVIDIS[0], atol=1)
    np.testing.assert_allclose(full[-1, -1], CIVIDIS[255], atol=1)
    np.testing.assert_allclose(overlay(heatmap, 0.5), (heatmap.crop.astype(float) + full) / 2, atol=1)


def test_a_weak_map_looks_weak_and_a_stronger_one_is_clipped() -> None:
    weak, strong = make_heatmap(np.full((8, 8), 0.1), scale=1.0), make_heatmap(np.full((8, 8), 7.0), scale=1.0)
    np.testing.assert_allclose(overlay(weak, 1.0)[0, 0], CIVIDIS[26], atol=1)
    np.testing.assert_allclose(overlay(strong, 1.0)[0, 0], CIVIDIS[255], atol=1)


@pytest.mark.parametrize("opacity", [-0.1, 1.1, float("nan")])
def test_an_opacity_outside_its_range_is_refused(opacity: float) -> None:
    with pytest.raises(ValueError, match="opacity"):
        overlay(make_heatmap(np.ones((8, 8))), opacity)
    with pytest.raises(ValueError, match="opacity"):
        overlay_on_frame(np.zeros((9, 9, 3), np.uint8), make_heatmap(np.ones((8, 8))), opacity)


def test_the_frame_changes_only_inside_the_crop() -> None:
    frame = np.random.default_rng(1).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    before = frame.copy()
    heatmap = make_heatmap(np.ones((32, 32)), box=(-10.0, 20.0, 54.0, 84.0))
    shown = overlay_on_frame(frame, heatmap, 1.0)
    np.testing.assert_array_equal(frame, before)
    np.testing.assert_allclose(shown[20:84, :54], np.broadcast_to(CIVIDIS[255], (64, 54, 3)), atol=1)
    outside = np.ones(frame.shape[:2], bool)
    outside[20:84, :54] = False
    np.testing.assert_array_equal(shown[outside], frame[outside])


@pytest.mark.parametrize("alignment", ["none", "eyes"])
def test_heat_lands_where_its_crop_came_from(alignment: str) -> None:
    """A frame is painted with heat; the crop cut from the painted frame must be the overlay of the crop itself."""
    rows, columns = np.mgrid[:200, :240]
    frame = np.stack([rows, columns, rows // 2 + columns // 3], axis=2).astype(np.uint8)
    landmarks = np.full((468, 3), 100, np.float32)
    landmarks[[33, 133], :2], landmarks[[362, 263], :2] = (95, 90), (130, 104)
    spec = CropSpec(size_px=64, margin=0.3, alignment=alignment, interpolation="linear")
    face = DetectedFace((80.0, 70.0, 146.0, 140.0), 0.9, landmarks, make_face().quality, "frame")
    box = crop_box(face.bbox_xyxy_px, spec)
    raw = np.zeros((64, 64), np.float32)
    raw[10:30, 36:60] = 1
    crop = crop_face(frame, face.bbox_xyxy_px, landmarks, spec)
    turn_deg = _turn_deg(TrackedFace(0, 0, 0.0, face), spec)
    assert (turn_deg != 0) == (alignment == "eyes")
    heatmap = Heatmap(raw, crop, box, turn_deg, 1.0, "m", "layer")
    painted = crop_face(overlay_on_frame(frame, heatmap, 0.7), face.bbox_xyxy_px, landmarks, spec)
    difference = np.abs(painted.astype(int) - overlay(heatmap, 0.7)).max(axis=2)
    assert (difference > 24).mean() < 0.05  # only the edge of the patch, blurred by two resamplings
    assert np.median(difference) <= 3
