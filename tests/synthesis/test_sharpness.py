"""Sharpness and noise are brought close, and which twin is the sharper is left to chance."""

import cv2
import numpy as np
import pytest

from detector.synthesis.sharpness import balance_sharpness, high_frequency_energy, noise_level
from tests.synthesis.faces import face_image


@pytest.mark.parametrize("sigma", [1, 4, 8])
def test_white_noise_is_measured_in_grey_levels(sigma: float) -> None:
    grain = np.random.default_rng(0).normal(128, sigma, (200, 200, 1))
    assert noise_level(np.clip(grain, 0, 255).astype(np.uint8).repeat(3, 2)) == pytest.approx(sigma, rel=0.1)


def test_a_blurred_twin_is_no_longer_the_softer_one() -> None:
    sharp = face_image().image
    soft = cv2.GaussianBlur(sharp, (0, 0), 1.2).astype(np.uint8)
    before = high_frequency_energy(soft) / high_frequency_energy(sharp)
    rng = np.random.default_rng(0)
    ratios = []
    for _ in range(40):
        real, fake = balance_sharpness(sharp, soft, rng)
        ratios.append(high_frequency_energy(fake) / high_frequency_energy(real))
    assert before < 0.3
    assert 0.5 < np.exp(np.median(np.log(ratios))) < 2
    assert 0.2 < np.mean(np.array(ratios) > 1) < 0.8


def test_of_twins_that_are_much_alike_only_one_is_changed() -> None:
    sharp = face_image().image
    soft = cv2.GaussianBlur(sharp, (0, 0), 0.45).astype(np.uint8)
    for seed in range(6):
        real, fake = balance_sharpness(sharp, soft, np.random.default_rng(seed))
        assert np.array_equal(real, sharp) != np.array_equal(fake, soft)
