"""Sharpness and noise of pictures, and pairs brought to like sharpness, so that it gives no label away."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.synthesis.degrade import Image

_SIGMAS: Final = (0.8, 1.6, 3.2)  # fine detail is what the first blur takes away, the others middle detail
_GAIN_LIMITS: Final = (0.15, 5.0)
_REACH: Final = 2.5
_GRAIN: Final = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


def high_frequency_energy(image: Image) -> float:
    """Variance of the Laplacian of the luma."""
    return _laplacian_variance(_luma(image))


def noise_level(image: Image) -> float:
    """Standard deviation of white noise in the luma, in grey levels (Immerkaer, 1996)."""
    return _noise_of(_luma(image))


def _luma(image: Image) -> NDArray[np.float32]:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)


def _laplacian_variance(luma: NDArray[np.float32]) -> float:
    return float(cv2.Laplacian(luma, cv2.CV_32F).var())


def _noise_of(luma: NDArray[np.float32]) -> float:
    return float(np.abs(cv2.filter2D(luma, -1, _GRAIN)).mean() * np.sqrt(np.pi / 2) / 6)


def _limited(gain: float) -> float:
    return min(max(gain, _GAIN_LIMITS[0]), _GAIN_LIMITS[1])


def _with_noise(luma: NDArray[np.float32], goal: float) -> NDArray[np.float32]:
    """The finest detail scaled until `noise_level` is near `goal`."""
    gain = _limited(goal / (_noise_of(luma) + 1e-3))
    return luma + cv2.filter2D(luma, -1, _GRAIN / 16) * np.float32(gain - 1)


def _with_energy(luma: NDArray[np.float32], goal: float) -> NDArray[np.float32]:
    """Fine detail scaled until the variance of the Laplacian is `goal`: a quadratic equation in the gain."""
    fine = luma - cv2.GaussianBlur(luma, (0, 0), _SIGMAS[0])
    whole, part = (cv2.Laplacian(plane, cv2.CV_32F).ravel() for plane in (luma, fine))
    a, b, c = float(part @ part), 2 * float(whole @ part), float(whole @ whole) - goal * luma.size
    root = np.sqrt(max(b * b - 4 * a * c, 0.0))
    gain = _limited(1 + (root - b) / (2 * a + 1e-3))
    return luma + fine * np.float32(gain - 1)


def _middle_bands(luma: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    softer = [cv2.GaussianBlur(luma, (0, 0), sigma) for sigma in _SIGMAS]
    return [fine - coarse for fine, coarse in pairwise(softer)]


def _softened(image: Image, model: Image) -> Image:
    """Blurred to the Laplacian variance of `model` (bisection on the Gaussian's width) where it has far more."""
    luma, goal = _luma(image), high_frequency_energy(model)
    if _laplacian_variance(luma) < _REACH * goal:
        return image
    low, high = 0.3, 4.0
    for _ in range(6):
        sigma = (low + high) / 2
        low, high = (sigma, high) if _laplacian_variance(cv2.GaussianBlur(luma, (0, 0), sigma)) > goal else (low, sigma)
    return cv2.GaussianBlur(image, (0, 0), (low + high) / 2).astype(np.uint8)


def _fine_chroma(image: Image, luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fine detail of the colours less the luma's: (H, W, 3)."""
    colour = image - luma[..., None]
    return colour - cv2.GaussianBlur(colour, (0, 0), _SIGMAS[1])


def balance_sharpness(
    real: Image, fake: Image, rng: np.random.Generator, *, spread: float = 0.3
) -> tuple[Image, Image]:
    """Both pictures with like strength of fine detail, up to a factor drawn as often above one as below it; `spread` is
    the standard deviation of its logarithm.

    The detail of one picture, whichever is drawn, is scaled until middle detail, colour detail, Laplacian variance and
    noise level are those of the other times the factor: the fake is then as often the sharper as the softer one, the
    noisier as the cleaner one.
    """
    # Detail that is not there cannot be amplified: of very unlike twins the sharper one gives way first.
    real, fake = _softened(real, fake), _softened(fake, real)
    change_fake = bool(rng.random() < 0.5)
    factor, own = np.exp(rng.normal(0, spread)), np.exp(rng.normal(0, spread / 3, 2))
    changed, model = (fake, real) if change_fake else (real, fake)
    before, wanted = _luma(changed), _luma(model)
    noise, energy = _noise_of(wanted) * factor * own[0], _laplacian_variance(wanted) * (factor * own[1]) ** 2
    after = before.copy()
    for band, model_band in zip(_middle_bands(before), _middle_bands(wanted), strict=True):
        gain = _limited(float(factor * cv2.norm(model_band) / (cv2.norm(band) + 1e-3)))
        after += band * np.float32(gain - 1)
    for _ in range(2):  # each step disturbs the other a little
        after = _with_energy(_with_noise(after, noise), energy)
    chroma = _fine_chroma(changed, before)
    gain = _limited(float(factor * cv2.norm(_fine_chroma(model, wanted)) / (cv2.norm(chroma) + 1e-3)))
    result = changed + (after - before)[..., None] + chroma * np.float32(gain - 1) + 0.5
    result = np.clip(result, 0, 255).astype(np.uint8)
    return (real, result) if change_fake else (result, fake)
