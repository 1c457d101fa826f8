"""Measures of pictures, each against a picture whose truth is known."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from detector.training.analyses import pictures

RNG = np.random.default_rng(3)


def grey(luma: NDArray[np.float64] | float, size: tuple[int, int] = (128, 160)) -> NDArray[np.uint8]:
    plane = np.broadcast_to(np.asarray(luma, float), size)
    return np.repeat(np.clip(np.round(plane), 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def photo() -> NDArray[np.float64]:
    """A photograph reduced to a quarter, so that nothing of its own compression is left."""
    return cv2.resize(data.astronaut(), (256, 256), interpolation=cv2.INTER_AREA).mean(2).astype(np.float64)


def jpeg(luma: NDArray[np.float64], quality: int) -> NDArray[np.float64]:
    _, coded = cv2.imencode(".jpg", luma.round().astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE).astype(np.float64)


@pytest.mark.parametrize("angle_deg", [0.0, 60.0, 135.0, -90.0])
def test_a_lit_ball_is_lit_from_where_its_light_is(angle_deg: float) -> None:
    size, radius = 201, 90
    y, x = np.mgrid[:size, :size] - size // 2
    depth = -np.sqrt(np.maximum(radius**2 - x**2 - y**2, 0))
    normal = np.stack([x, y, depth], 2) / radius
    light = np.array([math.cos(math.radians(angle_deg)), -math.sin(math.radians(angle_deg)), -1.0])
    luminance = np.clip(0.25 + 0.15 * normal @ light, 0, 1)
    coded = np.where(luminance <= 0.0031308, 12.92 * luminance, 1.055 * luminance ** (1 / 2.4) - 0.055)
    image = grey(255 * coded, (size, size))
    around = np.linspace(0, 2 * math.pi, 30, endpoint=False)
    points = [(r * np.cos(a), r * np.sin(a)) for r in (10, 30, 50, 70) for a in around + r]
    landmarks = np.array([(u, v, -math.sqrt(radius**2 - u * u - v * v)) for u, v in points], np.float32)
    landmarks[:, :2] += size // 2
    found, explained = pictures.light_direction_deg(image, landmarks)
    assert abs((found - angle_deg + 180) % 360 - 180) < 4
    assert explained > 0.95
    assert math.isnan(pictures.light_direction_deg(image, None)[0])


def test_directions_that_agree_are_told_from_those_that_do_not() -> None:
    assert pictures.direction_consistency(np.array([179.0, -179.0, 180.0])) > 0.99
    assert pictures.direction_consistency(np.array([0.0, 120.0, 240.0])) == pytest.approx(0, abs=1e-9)
    assert math.isnan(pictures.direction_consistency(np.array([5.0, np.nan])))


def test_daylight_is_6500_kelvin_and_lamps_are_warmer() -> None:
    everywhere = np.ones((128, 160), bool)
    assert pictures.colour_temperature_k(grey(120), everywhere) == pytest.approx(6504, rel=0.01)
    warm = grey(120)
    warm[..., 2] = 60
    assert pictures.colour_temperature_k(warm, everywhere) < 4500
    assert math.isnan(pictures.colour_temperature_k(grey(0), everywhere))


def test_shadow_texture_and_edges_are_those_of_their_region() -> None:
    box = (40.0, 20.0, 120.0, 110.0)
    face, around = pictures.face_region((128, 160), box), pictures.background_region((128, 160), box)
    assert not (face & around).any()
    half = grey(np.where(np.arange(160) < 70, 40.0, 200.0)[None])
    assert pictures.shadow_share(half, face) == pytest.approx((half[..., 0][face] == 40).mean())
    assert pictures.shadow_share(grey(90), face) == 0
    noisy = np.where(around, RNG.normal(128, 10, (128, 160)), 128.0)
    assert pictures.texture_variance(noisy, around) == pytest.approx(100 * 63 / 64, rel=0.1)
    assert pictures.texture_variance(noisy, face & ~around) == 0
    squares = grey(np.where((np.indices((128, 160)).sum(0) // 8) % 2, 30.0, 220.0))
    assert pictures.edge_share(squares, around) > 10 * pictures.edge_share(grey(80), around) + 0.05


def test_stronger_compression_shows_in_blocks_quality_and_coefficients() -> None:
    luma = photo()
    rows = [
        pictures.block_measures(shown) | pictures.dct_measures(shown)
        for shown in (luma, jpeg(luma, 75), jpeg(luma, 15))
    ]
    blockiness, quality, zeros, digits = (
        [row[name] for row in rows]
        for name in ("blockiness", "estimated_quality", "dct_zero_share", "first_digit_divergence")
    )
    assert blockiness[0] == pytest.approx(1, abs=0.06)
    assert blockiness == sorted(blockiness)
    assert blockiness[2] > 1.3
    assert quality == sorted(quality, reverse=True)
    assert zeros == sorted(zeros)
    assert digits[0] < digits[2]


def test_quantised_coefficients_leave_a_comb() -> None:
    luma = photo()
    plain, coded = (pictures.dct_measures(one)["quantisation_comb"] for one in (luma, jpeg(luma, 80)))
    assert coded > 2 * plain


def test_an_enlarged_picture_has_the_period_of_its_enlargement() -> None:
    noise = RNG.normal(128, 25, (240, 240))
    plain = pictures.resampling_measures(noise)
    enlarged = cv2.resize(noise, None, fx=1.5, fy=1.5, interpolation=cv2.INTER_LINEAR)
    found = pictures.resampling_measures(enlarged)
    assert found["peak"] > 3 * plain["peak"]
    assert found["period_px"] == pytest.approx(3, rel=0.02)
    assert math.isnan(pictures.resampling_measures(noise[:40, :40])["peak"])


def test_noise_is_measured_in_grey_levels() -> None:
    ramp = np.linspace(60, 180, 160)[None] + np.zeros((128, 1))
    left = np.broadcast_to(np.arange(160) < 80, (128, 160))
    noisy = ramp + RNG.normal(0, 6, (128, 160)) * left
    assert pictures.noise_sigma(ramp) == pytest.approx(0, abs=1e-6)
    assert pictures.noise_sigma(noisy, left) == pytest.approx(6, rel=0.1)
    assert pictures.noise_sigma(noisy) == pytest.approx(3, rel=0.1)


def test_a_bent_tone_curve_leaves_gaps() -> None:
    luma = photo().round()
    bent = (255 * (luma / 255) ** 0.6).round()
    assert pictures.enhancement_trace(bent) > 5 * pictures.enhancement_trace(luma)


def test_light_contrast_and_blur() -> None:
    luma = photo()
    sharp, soft = (pictures.light_measures(one) for one in (luma, cv2.GaussianBlur(luma, (9, 9), 0)))
    assert sharp["brightness"] == pytest.approx(luma.mean() / 255)
    assert sharp["contrast"] == pytest.approx(luma.std() / 255)
    assert soft["laplacian_variance"] < sharp["laplacian_variance"] / 5
    assert pictures.light_measures(np.where(np.arange(160) < 40, 5.0, 100.0)[None])["dark_share"] == 0.25
