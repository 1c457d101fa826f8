"""Pseudo-fakes: the mask tells the truth, equal seeds give equal pictures, genuine parts stay untouched."""

from dataclasses import replace

import numpy as np
import pytest

from detector.synthesis.blend import draw_fake, repaint_mouth, self_blend, swap, visible_change
from detector.synthesis.regions import REGIONS, region_mask, soft_mask
from detector.synthesis.types import FaceImage
from tests.synthesis.faces import face_image


@pytest.fixture(scope="module")
def face() -> FaceImage:
    return face_image()


@pytest.fixture(scope="module")
def donor(face: FaceImage) -> FaceImage:
    return replace(face, image=np.ascontiguousarray(face.image[:, ::-1]))


def _makers(donor: FaceImage) -> dict:
    return {
        "swap": lambda face, rng: swap(face, donor, rng),
        "mouth": lambda face, rng: repaint_mouth(face, rng, donor=donor),
        "own_mouth": lambda face, rng: repaint_mouth(face, rng),
        "drawn": lambda face, rng: draw_fake(face, lambda: donor, rng),
    }


@pytest.mark.parametrize("kind", ["swap", "mouth", "own_mouth"])
def test_outside_the_mask_nothing_changes_and_inside_something_does(
    face: FaceImage, donor: FaceImage, kind: str
) -> None:
    fake = _makers(donor)[kind](face, np.random.default_rng(3))
    difference = np.abs(fake.image.astype(int) - face.image).max(2)
    assert difference[fake.mask == 0].max() == 0
    assert difference[fake.mask > 0.9].mean() > 1


@pytest.mark.parametrize("kind", ["swap", "mouth", "own_mouth", "drawn"])
def test_equal_seeds_give_equal_fakes_and_other_seeds_others(face: FaceImage, donor: FaceImage, kind: str) -> None:
    make = _makers(donor)[kind]
    first, again, other = (make(face, np.random.default_rng(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.image, again.image)
    np.testing.assert_array_equal(first.mask, again.mask)
    assert not np.array_equal(first.image, other.image)


def test_masks_lie_on_the_face(face: FaceImage) -> None:
    hull = region_mask(face.landmarks, face.image.shape[:2], "face") > 0
    for seed in range(20):
        fake = self_blend(face, np.random.default_rng(seed))
        assert 0 <= fake.mask.min() <= fake.mask.max() <= 1
        assert fake.mask[hull].sum() > 0.6 * fake.mask.sum()


def test_every_region_is_inside_the_picture_and_not_empty(face: FaceImage) -> None:
    for region in REGIONS:
        assert region_mask(face.landmarks, face.image.shape[:2], region).sum() > 50


def test_malformed_faces_are_refused() -> None:
    with pytest.raises(ValueError, match="landmarks"):
        FaceImage(np.zeros((8, 8, 3), np.uint8), np.zeros((5, 2), np.float32))
    with pytest.raises(ValueError, match="uint8"):
        FaceImage(np.zeros((8, 8, 3), np.float32), np.zeros((468, 2), np.float32))  # type: ignore[arg-type]


def test_no_drawn_fake_is_empty_or_invisible(face: FaceImage, donor: FaceImage) -> None:
    for seed in range(40):
        fake = draw_fake(face, lambda: donor, np.random.default_rng(seed))
        assert fake.mask.max() > 0.45
        assert visible_change(face, fake) > 2.4


def test_a_small_region_survives_erosion_and_blur(face: FaceImage) -> None:
    hard = region_mask(face.landmarks, face.image.shape[:2], "mouth")
    for seed in range(40):
        soft = soft_mask(hard, 117.0, np.random.default_rng(seed))
        assert soft.max() == pytest.approx(1.0)
        assert soft.sum() > 0.2 * hard.sum()


def test_a_swap_bends_to_the_face_and_poisson_blends_stay_inside_the_mask(face: FaceImage, donor: FaceImage) -> None:
    fakes = [swap(face, donor, np.random.default_rng(seed)) for seed in range(24)]
    for fake in fakes:
        difference = np.abs(fake.image.astype(int) - face.image).max(2)
        assert difference[fake.mask == 0].max() == 0
