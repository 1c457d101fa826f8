"""Patches at the frame's own pixels: where they lie, what they hold, and which are left out."""

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
    assert crop.shape == NATIVE.shape == (4 * SIDE, SIDE, 3)
    for place, (x, y) in patch_corners(FACE, image.shape, SIDE).items():
        row = PLACES.index(place) * SIDE
        np.testing.assert_array_equal(crop[row : row + SIDE], image[y : y + SIDE, x : x + SIDE])


def test_patches_lie_on_the_face_its_mouth_its_hair_and_beside_it() -> None:
    corners = patch_corners(FACE, (400, 640), SIDE)
    centres = {place: (x + SIDE / 2, y + SIDE / 2) for place, (x, y) in corners.items()}
    wanted = {"middle": (252, 158.4), "mouth": (252, 204.6), "hair": (252, 99), "beside": (354, 158.4)}
    for place, (x, y) in wanted.items():
        np.testing.assert_allclose(centres[place], (x, y), atol=2)


def test_every_corner_is_even() -> None:
    rng = np.random.default_rng(1)
    for x, y in rng.uniform(-20, 300, (40, 2)):
        corners = patch_corners((x, y, x + 77.7, y + 93.3), (401, 399), SIDE)
        assert all(value % 2 == 0 for corner in corners.values() for value in corner)


def test_patches_at_the_edge_are_moved_into_the_frame() -> None:
    corners = patch_corners((-30.0, -40.0, 50.0, 60.0), (400, 640), SIDE)
    assert corners["hair"] == (0, 0)
    assert patch_corners((600.0, 350.0, 660.0, 420.0), (400, 640), SIDE)["mouth"] == (576, 336)


def test_beside_lies_on_the_side_with_more_room() -> None:
    left = patch_corners((400.0, 99.0, 502.0, 231.0), (400, 640), SIDE)["beside"]
    assert left[0] + SIDE <= 400
    assert patch_corners(FACE, (400, 640), SIDE)["beside"][0] >= FACE[2]


def test_beside_a_small_face_the_patch_begins_where_the_box_ends() -> None:
    x, _ = patch_corners((300.0, 100.0, 320.0, 124.0), (400, 640), SIDE)["beside"]
    assert abs(x - 320) <= 2


def test_where_the_frame_has_no_room_beside_is_left_out() -> None:
    found = patches(picture(400, 220), (40.0, 60.0, 180.0, 240.0))
    assert not found["beside"].any()
    assert all(found[place].any() for place in PLACES[:3])


def test_a_frame_smaller_than_a_patch_is_mirrored_at_its_right_and_lower_edge() -> None:
    image = picture(50, 40)
    middle = patches(image, (10.0, 10.0, 30.0, 40.0))["middle"]
    np.testing.assert_array_equal(middle[:50, :40], image)
    np.testing.assert_array_equal(middle[:50, 40:], image[:, 38:14:-1])
    np.testing.assert_array_equal(middle[50:, :40], image[48:34:-1])


def test_an_odd_side_is_refused() -> None:
    with pytest.raises(ValueError, match="even side"):
        native_patches(picture(), FACE, 63)
