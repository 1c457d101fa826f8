from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from detector.faces import CropSpec, FaceAnalyser, crop_box, crop_face
from detector.faces.crop import shows_enough
from tests.faces.conftest import Picture, frame_of


def test_box_is_a_square_on_the_longer_side_grown_by_the_margin() -> None:
    assert crop_box((100.0, 50.0, 180.0, 150.0), CropSpec(size_px=64, margin=0.3)) == (60.0, 20.0, 220.0, 180.0)


def test_box_without_margin_keeps_the_longer_side() -> None:
    x0, y0, x1, y1 = crop_box((10.2, 20.7, 61.3, 50.1), CropSpec(size_px=64, margin=0.0))
    assert x1 - x0 == y1 - y0 == 51.0
    assert abs((x0 + x1) / 2 - 35.75) <= 0.5
    assert abs((y0 + y1) / 2 - 35.4) <= 0.5


@pytest.mark.parametrize("box", [(5.0, 5.0, 5.0, 9.0), (9.0, 0.0, 3.0, 4.0), (0.0, 0.0, math.nan, 4.0)])
def test_box_without_area_is_refused_with_its_numbers(box: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="Expected a box"):
        crop_box(box, CropSpec(size_px=64, margin=0.1))


def test_crop_at_its_own_size_is_the_pixels_of_the_frame(astronaut: Picture) -> None:
    crop = crop_face(astronaut, (100.0, 100.0, 164.0, 164.0), None, CropSpec(size_px=64, margin=0.0))
    np.testing.assert_array_equal(crop, astronaut[100:164, 100:164])
    assert crop.flags["C_CONTIGUOUS"]
    assert not np.shares_memory(crop, astronaut) or crop.base is not None


def test_pixels_outside_the_frame_repeat_its_edge(astronaut: Picture) -> None:
    crop = crop_face(astronaut, (-32.0, -32.0, 32.0, 32.0), None, CropSpec(size_px=64, margin=0.0))
    np.testing.assert_array_equal(crop[32:, 32:], astronaut[:32, :32])
    assert (crop[:32, :32] == astronaut[0, 0]).all()
    np.testing.assert_array_equal(crop[5, 32:], astronaut[0, :32])


def test_box_wholly_outside_gives_the_edge_and_no_error(astronaut: Picture) -> None:
    crop = crop_face(astronaut, (900.0, 900.0, 964.0, 964.0), None, CropSpec(size_px=32, margin=0.0))
    assert (crop == astronaut[-1, -1]).all()


@pytest.mark.parametrize("interpolation", ["area", "linear", "cubic"])
def test_size_and_type_hold_for_every_interpolation(astronaut: Picture, interpolation: str) -> None:
    spec = CropSpec(size_px=224, margin=0.4, interpolation=interpolation)  # type: ignore[arg-type]
    for box in ((178.0, 70.0, 272.0, 177.0), (200.0, 100.0, 210.0, 112.0), (0.0, 0.0, 511.0, 511.0)):
        crop = crop_face(astronaut, box, None, spec)
        assert crop.shape == (224, 224, 3)
        assert crop.dtype == np.uint8


def test_interpolation_matters_when_shrinking() -> None:
    checks = np.indices((256, 256)).sum(axis=0) % 2 * 255
    board = np.repeat(checks[:, :, None], 3, axis=2).astype(np.uint8)
    crop = crop_face(board, (0.0, 0.0, 256.0, 256.0), None, CropSpec(size_px=64, margin=0.0, interpolation="area"))
    assert abs(int(crop.mean()) - 127) <= 1
    assert crop.std() < 2.0


@pytest.mark.parametrize("lean_deg", [-25.0, 15.0])
def test_eye_alignment_levels_the_eyes(astronaut: Picture, analyser: FaceAnalyser, lean_deg: float) -> None:
    turn = cv2.getRotationMatrix2D((225.0, 123.0), -lean_deg, 1.0)
    leaning = np.asarray(cv2.warpAffine(astronaut, turn, (512, 512), borderMode=cv2.BORDER_REPLICATE), dtype=np.uint8)
    face = analyser.analyse(frame_of(leaning))[0]
    spec = CropSpec(size_px=256, margin=0.6, alignment="eyes")
    crop = crop_face(leaning, face.bbox_xyxy_px, face.landmarks, spec)
    upright = analyser.analyse(frame_of(crop, pts_s=5.0))[0]
    assert face.quality.roll_deg is not None
    assert upright.quality.roll_deg is not None
    assert abs(face.quality.roll_deg) > 10.0
    assert abs(upright.quality.roll_deg) < 4.0


def test_eye_alignment_without_landmarks_leaves_the_crop_upright(astronaut: Picture) -> None:
    box = (178.0, 70.0, 272.0, 177.0)
    aligned = crop_face(astronaut, box, None, CropSpec(size_px=96, margin=0.2, alignment="eyes"))
    np.testing.assert_array_equal(aligned, crop_face(astronaut, box, None, CropSpec(size_px=96, margin=0.2)))


def test_a_crop_that_reaches_out_of_the_frame_may_show_too_little() -> None:
    spec = CropSpec(size_px=64, margin=0.5, least_inside=0.8)  # twice the face's side
    assert shows_enough((100.0, 100.0, 200.0, 200.0), (400, 400, 3), spec)
    assert shows_enough((30.0, 100.0, 130.0, 200.0), (400, 400, 3), spec)  # 20 of 200 columns are missing
    assert not shows_enough((0.0, 100.0, 100.0, 200.0), (400, 400, 3), spec)
    assert not shows_enough((900.0, 900.0, 1000.0, 1000.0), (400, 400, 3), spec)
    assert shows_enough((900.0, 900.0, 1000.0, 1000.0), (400, 400, 3), CropSpec(size_px=64, margin=0.5))
