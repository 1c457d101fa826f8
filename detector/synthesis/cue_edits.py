"""Edits by which one part of a picture no longer fits the other: a cue's two versions of one picture.

Each edit takes a genuine picture and gives two versions, A and B, of the whole of it. Either alone is a picture that a
camera, a codec or a studio could have made; only a face of one inside the other is a manipulation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.synthesis.degrade import Image, h264, jpeg, rescale, sharpen
from detector.synthesis.types import FaceImage

SynthesisCue = Literal["BG", "CM", "RR", "LL"]
Rng = np.random.Generator


class Versions(NamedTuple):
    """Two versions of one picture, (H, W, 3) uint8 each."""

    a: Image
    b: Image


Edit = Callable[[FaceImage, float, Rng], Versions]


def _clipped(values: NDArray[np.float32]) -> Image:
    return np.clip(values + 0.5, 0, 255).astype(np.uint8)


def _gained(image: Image, log_gain: NDArray[np.float32]) -> Image:
    """Light scaled by exp(log_gain), (H, W) or (H, W, 3), in linear light (gamma 2.2)."""
    if log_gain.ndim == 2:
        log_gain = log_gain[..., None]
    return _clipped(image.astype(np.float32) * np.exp(log_gain / 2.2))


def _face_coordinates(face: FaceImage) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Place of each pixel relative to the face: -1..1 over its width and height."""
    height, width = face.image.shape[:2]
    low, high = face.landmarks.min(0), face.landmarks.max(0)
    centre, half = (low + high) / 2, np.maximum((high - low) / 2, 4)
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return (columns - centre[0]) / half[0], (rows - centre[1]) / half[1]


def light_field(face: FaceImage, strength: float, rng: Rng) -> NDArray[np.float32]:
    """Logarithm of light from one side on a head: (H, W) float32.

    First- and second-order spherical harmonics (Ramamoorthi & Hanrahan, 2001) of the normals of an ellipsoid laid
    through the face mesh's outline; beyond it the normals turn no further.
    """
    u, v = _face_coordinates(face)
    radius = np.sqrt(u**2 + v**2)
    turn = np.minimum(radius, 0.95) / np.maximum(radius, 1e-3)
    x, y = u * turn, v * turn
    z = np.sqrt(np.maximum(1 - x**2 - y**2, 0.05))
    angle = rng.uniform(0, 2 * np.pi)
    towards = x * np.cos(angle) + y * np.sin(angle) * 0.8
    field = towards + rng.uniform(-0.3, 0.3) * (x**2 - y**2) + rng.uniform(-0.3, 0.3) * x * y + 0.2 * z
    return ((field - field.mean()) * (0.9 + 1.2 * strength)).astype(np.float32)


def _relit(face: FaceImage, strength: float, rng: Rng) -> Versions:
    return Versions(face.image, _gained(face.image, light_field(face, strength, rng)))


def _shadowed(face: FaceImage, strength: float, rng: Rng) -> Versions:
    """A cast shadow with a straight soft border across the face, cooler than the light."""
    u, v = _face_coordinates(face)
    angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-0.5, 0.3)
    distance = u * np.cos(angle) + v * np.sin(angle) - offset
    shade = 1 / (1 + np.exp(-np.clip(distance / rng.uniform(0.03, 0.15), -30, 30)))
    depth = 0.8 + 1.4 * strength
    tint = np.array([1.0, 0.97, rng.uniform(0.8, 0.95)], np.float32)
    return Versions(face.image, _gained(face.image, (-depth * shade[..., None] * tint).astype(np.float32)))


def _tinted(face: FaceImage, strength: float, rng: Rng) -> Versions:
    """Colour temperature: red and blue move apart, and a little green against magenta."""
    warmth = rng.choice([-1, 1]) * (0.35 + 0.55 * strength)
    tint = rng.uniform(-0.25, 0.25) * strength
    gain = np.array([warmth / 2 - tint / 2, tint, -warmth / 2 - tint / 2], np.float32)
    return Versions(face.image, _gained(face.image, np.broadcast_to(gain, face.image.shape)))


def _rejpeg(face: FaceImage, strength: float, rng: Rng) -> Versions:
    quality = round(48 - 38 * strength)
    first = int(rng.integers(88, 98))
    return Versions(jpeg(face.image, first), jpeg(face.image, quality))


def _reh264(face: FaceImage, strength: float, rng: Rng) -> Versions:
    return Versions(h264(face.image, int(rng.integers(8, 18))), h264(face.image, round(32 + 11 * strength)))


def shifted_jpeg(image: Image, quality: int, shift: tuple[int, int]) -> Image:
    """JPEG round trip on a block grid moved by `shift` (x, y) pixels."""
    x, y = shift
    wide = cv2.copyMakeBorder(image, y, 0, x, 0, cv2.BORDER_REPLICATE).astype(np.uint8)
    return np.ascontiguousarray(jpeg(wide, quality)[y:, x:])


def _draw_shift(rng: Rng) -> tuple[int, int]:
    return int(rng.integers(2, 7)), int(rng.integers(2, 7))


def _double(face: FaceImage, strength: float, rng: Rng) -> Versions:
    """Compressed once, against compressed twice on different grids: the second alone is the same for both."""
    last = int(rng.integers(68, 88))
    first = round(42 - 30 * strength)
    return Versions(jpeg(face.image, last), jpeg(shifted_jpeg(face.image, first, _draw_shift(rng)), last))


def _regridded(face: FaceImage, strength: float, rng: Rng) -> Versions:
    quality = round(30 - 22 * strength)
    return Versions(jpeg(face.image, quality), shifted_jpeg(face.image, quality, _draw_shift(rng)))


def _softened(face: FaceImage, strength: float, rng: Rng) -> Versions:
    kernel = int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC]))
    return Versions(face.image, rescale(face.image, 0.5 - 0.28 * strength, kernel))


def _resampled(face: FaceImage, strength: float, rng: Rng) -> Versions:
    kernel = int(rng.choice([cv2.INTER_NEAREST, cv2.INTER_LANCZOS4, cv2.INTER_CUBIC], p=[0.3, 0.35, 0.35]))
    return Versions(face.image, rescale(face.image, 0.55 - 0.25 * strength, kernel))


def _enhanced(face: FaceImage, strength: float, rng: Rng) -> Versions:
    """Enlarged and sharpened, texture smoothed away: what upscalers and enhancers leave."""
    kernel = int(rng.choice([cv2.INTER_LANCZOS4, cv2.INTER_CUBIC]))
    image = rescale(face.image, 0.5 - 0.2 * strength, kernel)
    if rng.random() < 0.5:
        image = cv2.bilateralFilter(image, 5, 25, 3).astype(np.uint8)
    return Versions(face.image, sharpen(image, 0.8 + 1.4 * strength, float(rng.uniform(0.8, 1.8))))


def darkened(image: Image, rng: Rng) -> Image:
    """The same scene in low light: less of it, a little more contrast."""
    light = image.astype(np.float32) / 255
    return _clipped(255 * rng.uniform(0.25, 0.6) * light ** rng.uniform(1.0, 1.3))


def sensor_noise(image: Image, level: float, rng: Rng, *, law: float = 0.5, chroma: float = 0.7) -> Image:
    """Add noise of standard deviation `level` grey levels at mid-grey that grows as light to the power `law`; `chroma`
    is the share that differs between colours."""
    height, width = image.shape[:2]
    grain = rng.standard_normal((height, width, 1), dtype=np.float32) * np.sqrt(1 - chroma**2)
    grain = grain + rng.standard_normal((height, width, 3), dtype=np.float32) * chroma
    light = (image.mean(2, keepdims=True).astype(np.float32) + 4) / 64
    return _clipped(image + grain * level * np.clip(light**law, 0.2, 3))


def _denoised(image: Image, rng: Rng) -> Image:
    if rng.random() < 0.5:
        return cv2.bilateralFilter(image, 7, 60, 4).astype(np.uint8)
    return cv2.medianBlur(cv2.GaussianBlur(image, (0, 0), 0.9), 3).astype(np.uint8)


def _noise_levels(face: FaceImage, strength: float, rng: Rng) -> Versions:
    dark = darkened(face.image, rng)
    level = 4 + 8 * strength
    noisy = sensor_noise(dark, level, rng)
    choice = rng.random()
    if choice < 0.4:
        return Versions(noisy, _denoised(noisy, rng))
    return Versions(noisy, sensor_noise(dark, level * (0.0 if choice < 0.7 else 0.35), rng))


def _noise_laws(face: FaceImage, strength: float, rng: Rng) -> Versions:
    """Noise of one level but another kind: correlated as after enlarging, or grey, or stronger in the dark."""
    dark = darkened(face.image, rng)
    level = 5 + 7 * strength
    right = sensor_noise(dark, level, rng)
    choice = rng.random()
    if choice < 0.5:
        grain = cv2.GaussianBlur(rng.standard_normal(dark.shape, dtype=np.float32), (0, 0), 1.2)
        light = np.clip(np.sqrt((dark.mean(2, keepdims=True).astype(np.float32) + 4) / 64), 0.2, 3)
        return Versions(right, _clipped(dark + grain / grain.std() * level * light))
    if choice < 0.75:
        return Versions(right, sensor_noise(dark, level, rng, chroma=0.0))
    return Versions(right, sensor_noise(dark, level * 1.5, rng, law=-0.8))


def _lifted(face: FaceImage, strength: float, rng: Rng) -> Versions:
    """Taken in enough light, against taken in the dark and brightened to the same light by software, which lifts the
    noise and the steps between grey levels as well."""
    dark = darkened(face.image, rng)
    gain = np.full(dark.shape[:2], 1.1 + 1.0 * strength, np.float32)
    lifted = _gained(sensor_noise(dark, 4 + 4 * strength, rng), gain)
    return Versions(sensor_noise(_gained(dark, gain), 1.5, rng), lifted)


# Cue -> kind -> the specialist's module whose evidence the kind trains, and the edit. "background" needs a second
# picture and a matte, so it is made in `detector.synthesis.cues`.
BACKGROUND: Final = "background"
EDITS: Final[dict[SynthesisCue, dict[str, tuple[str, Edit | None]]]] = {
    "BG": {
        "relit": ("lighting_detector", _relit),
        "shadow": ("shadow_checker", _shadowed),
        "colour_temperature": ("color_temp", _tinted),
        BACKGROUND: ("bg_texture", None),
    },
    "CM": {
        "jpeg": ("specialist_quant_detector", _rejpeg),
        "h264": ("specialist_compression_estimator", _reh264),
        "double_jpeg": ("specialist_dct_analyzer", _double),
        "moved_grid": ("specialist_block_checker", _regridded),
    },
    "RR": {
        "softened": ("resolution_bandwidth", _softened),
        "resampled": ("resolution_resampling", _resampled),
        "enhanced": ("resolution_upscaler", _enhanced),
    },
    "LL": {
        "noise_level": ("noise_level", _noise_levels),
        "noise_law": ("shot_noise_law", _noise_laws),
        "lifted": ("dark_channel", _lifted),
    },
}
