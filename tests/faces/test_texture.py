"""Detail of a face at two moments: the same detail, moved, is alike; new noise is not."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from detector.faces.texture import FEATURES, compare_texture
from tests.synthesis.faces import face_image

FACE = face_image()
SHARP = np.clip(FACE.image + np.random.default_rng(5).normal(0, 9, (*FACE.image.shape[:2], 1)), 0, 255).astype(
    np.uint8
)  # pores and folds of its own


def moved(image: NDArray[np.uint8], turn_deg: float, shift_px: float) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    centre = tuple(float(value) for value in FACE.landmarks.mean(0))
    matrix = cv2.getRotationMatrix2D(centre, turn_deg, 1.0)
    matrix[:, 2] += shift_px
    size = (image.shape[1], image.shape[0])
    turned = cv2.warpAffine(image, matrix, size, flags=cv2.INTER_CUBIC).astype(np.uint8)
    return turned, (FACE.landmarks @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def noisy(image: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    return np.clip(image + np.random.default_rng(seed).normal(0, 9, image.shape), 0, 255).astype(np.uint8)


def measured(first: NDArray[np.uint8], second: NDArray[np.uint8], mesh: NDArray[np.float32]) -> dict[str, float]:
    found = compare_texture(first, FACE.landmarks, second, mesh, 0.5)
    assert found is not None
    assert found.dtype == np.float32
    return dict(zip(FEATURES, found.tolist(), strict=True))


def test_detail_that_moves_along_is_alike_and_detail_drawn_anew_is_not() -> None:
    image, mesh = moved(SHARP, 4, 3)
    carried = measured(SHARP, image, mesh)
    plain, _ = moved(FACE.image, 4, 3)
    anew = measured(noisy(FACE.image, 1), noisy(plain, 2), mesh)
    assert carried["fine_alike"] > anew["fine_alike"] + 0.2
    assert carried["fine_alike_typical"] > anew["fine_alike_typical"] + 0.2
    assert carried["coarse_alike"] > 0.9


def test_the_same_picture_is_wholly_alike() -> None:
    same = measured(SHARP, SHARP, FACE.landmarks)
    for name in ("fine_alike", "middle_alike", "coarse_alike", "fine_upper", "fine_lower"):
        assert same[name] == pytest.approx(1.0, abs=0.01)
    assert same["turn"] == same["expression"] == 0
    assert same["lag_s"] == 0.5
    assert same["side_px"] == pytest.approx(float(np.ptp(FACE.landmarks, axis=0).max()))


def test_turning_the_head_is_no_change_of_expression() -> None:
    image, mesh = moved(SHARP, 8, 6)
    turned = measured(SHARP, image, mesh)
    assert turned["turn"] > 0.05
    assert turned["expression"] < 0.005


def test_moments_of_one_expression_are_not_laid_over_each_other_where_another_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image, mesh = moved(SHARP, 8, 6)
    monkeypatch.setattr(cv2.DISOpticalFlow, "create", None)
    assert compare_texture(SHARP, FACE.landmarks, image, mesh, 0.5, least_expression=0.006) is None


def test_the_energy_grows_with_detail_and_leaves_likeness_alone() -> None:
    soft = cv2.GaussianBlur(SHARP, (0, 0), 1.5).astype(np.uint8)
    assert measured(soft, soft, FACE.landmarks)["fine_energy"] < measured(SHARP, SHARP, FACE.landmarks)["fine_energy"]


def test_a_face_that_is_too_small_is_not_compared() -> None:
    small = cv2.resize(SHARP, None, fx=0.2, fy=0.2, interpolation=cv2.INTER_AREA).astype(np.uint8)
    mesh = FACE.landmarks * np.float32(0.2)
    assert compare_texture(small, mesh, small, mesh, 0.5) is None
