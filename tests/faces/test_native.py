"""Patches at the frame's own pixels: where they lie and what they hold."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from detector.faces import CropSpec, crop_face
from detector.faces.native import native_patches, patch_corners
from detector.faces.types import PLACES, Box

SIDE = 64
FACE: Box = (201.0, 99.0, 303.0, 231.0)
NATIVE = CropSpec(SIDE, 0.0, "native")


def picture(height: int = 400, width: int = 640) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(1, 256, (height, width, 3), np.uint8)


def patches(image: NDArray[np.uint8], box: Box) -> dict[str, NDArray[np.uint8]]:
    column = native_patches(image, box, SIDE)
    return dict(zip(PLACES, column.reshape(-1, SIDE, SIDE, 3), strict=True))


def test_a_native_crop_is_a_column_of_untouched_pixels() -> None:
    image = picture()
    crop = crop_face(image, FACE, None, NATIVE)
    assert crop.shape == NATIVE.shape == (3 * SIDE, SIDE, 3)
    for place, (x, y) in patch_corners(FACE, image.shape, SIDE).items():
        row = PLACES.index(place) * SIDE
        np.testing.assert_array_equal(crop[row : row + SIDE], image[y : y + SIDE, x : x + SIDE])


def test_patches_lie_on_the_middle_of_the_face_and_on_both_cheeks() -> None:
    corners = patch_corners(FACE, (400, 640), SIDE)
    centres = {place: (x + SIDE / 2, y + SIDE / 2) for place, (x, y) in corners.items()}
    wanted = {"middle": (252, 158.4), "left": (226.5, 165), "right": (277.5, 165)}
    for place, (x, y) in wanted.items():
        np.testing.assert_allclose(centres[place], (x, y), atol=2)


def test_every_corner_is_even() -> None:
    rng = np.random.default_rng(1)
    for x, y in rng.uniform(-20, 300, (40, 2)):
        corners = patch_corners((x, y, x + 77.7, y + 93.3), (401, 399), SIDE)
        assert all(value % 2 == 0 for corner in corners.values() for value in corner)


def test_patches_at_the_edge_are_moved_into_the_frame() -> None:
    corners = patch_corners((-30.0, -40.0, 50.0, 60.0), (400, 640), SIDE)
    assert corners["left"] == (0, 0)
    assert patch_corners((600.0, 350.0, 660.0, 420.0), (400, 640), SIDE)["right"] == (576, 336)


def test_a_frame_smaller_than_a_patch_is_mirrored_at_its_right_and_lower_edge() -> None:
    image = picture(50, 40)
    middle = patches(image, (10.0, 10.0, 30.0, 40.0))["middle"]
    np.testing.assert_array_equal(middle[:50, :40], image)
    np.testing.assert_array_equal(middle[:50, 40:], image[:, 38:14:-1])
    np.testing.assert_array_equal(middle[50:, :40], image[48:34:-1])


def test_an_odd_side_is_refused() -> None:
    with pytest.raises(ValueError, match="even side"):
        native_patches(picture(), FACE, 63)
