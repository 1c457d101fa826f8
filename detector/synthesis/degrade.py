"""Nuisances that genuine and manipulated pictures share: compression, rescaling, blur, noise, colour.

A detector that sees one of these more often on one label learns it instead of manipulation. So a `Degradation` is drawn
once and applied alike to both members of a genuine/manipulated pair.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import av
import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Image = NDArray[np.uint8]


def jpeg(image: Image, quality: int) -> Image:
    """JPEG round trip, `quality` 1..100."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB).astype(np.uint8)


def h264(image: Image, crf: int) -> Image:
    """One-frame H.264 round trip (libx264, yuv420p), `crf` 0..51; sides are cropped to even while encoding."""
    height, width = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=25, options={"crf": str(crf), "preset": "veryfast", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image[:height, :width]), format="rgb24")
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer, "r") as source:
        decoded = next(source.decode(video=0)).to_ndarray(format="rgb24")
    if decoded.shape != image.shape:
        decoded = cv2.copyMakeBorder(
            decoded, 0, image.shape[0] - height, 0, image.shape[1] - width, cv2.BORDER_REPLICATE
        )
    return decoded.astype(np.uint8)


def rescale(image: Image, factor: float, interpolation: int = cv2.INTER_LINEAR) -> Image:
    """Shrink by `factor` (0..1] and enlarge again: resolution is lost, size is kept."""
    height, width = image.shape[:2]
    small = (max(8, round(width * factor)), max(8, round(height * factor)))
    down = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    return cv2.resize(down, (width, height), interpolation=interpolation).astype(np.uint8)


def colour_shift(image: Image, gain: ArrayLike, bias: ArrayLike, gamma: float) -> Image:
    """Per-channel gain (3), bias (3) in grey levels, then gamma, by lookup table."""
    ramp = np.arange(256, dtype=np.float32)[:, None] * np.asarray(gain, np.float32) + np.asarray(bias, np.float32)
    table = np.clip(255.0 * (np.clip(ramp, 0, 255) / 255.0) ** gamma, 0, 255).astype(np.uint8)
    return cv2.LUT(image, table.reshape(256, 1, 3)).astype(np.uint8)


def hue_shift(image: Image, degrees: float, saturation: float) -> Image:
    """Hue turned by `degrees`, saturation times a factor."""
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL)
    hsv[..., 0] = hsv[..., 0] + np.uint8(round(degrees * 256 / 360) % 256)  # a full turn is 256: it wraps by itself
    hsv[..., 1] = cv2.convertScaleAbs(hsv[..., 1], alpha=saturation)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL).astype(np.uint8)


def sharpen(image: Image, amount: float, sigma: float = 1.0) -> Image:
    """Unsharp mask."""
    blurred = cv2.GaussianBlur(image, (0, 0), sigma)
    return cv2.addWeighted(image, 1 + amount, blurred, -amount, 0).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Degradation:
    """A drawn chain of nuisances. Applying it twice to the same picture gives the same picture."""

    steps: tuple[Callable[[Image], Image], ...]

    def __call__(self, image: Image) -> Image:
        """The picture after every step of the chain."""
        for step in self.steps:
            image = step(image)
        return image


def _noise(sigma: float, grey: bool, seed: int) -> Callable[[Image], Image]:
    def step(image: Image) -> Image:
        shape = (*image.shape[:2], 1) if grey else image.shape
        grain = np.random.default_rng(seed).standard_normal(shape, dtype=np.float32) * sigma
        return np.clip(image + grain, 0, 255).astype(np.uint8)

    return step


def beautify(image: Image, strength: float) -> Image:
    """Smooth skin as beauty filters and denoisers do: edges stay, fine texture goes. `strength` in (0, 1]."""
    smooth = cv2.bilateralFilter(image, 5, 12 + 40 * strength, 3)
    return cv2.addWeighted(smooth, min(1.0, 0.4 + strength), image, max(0.0, 0.6 - strength), 0).astype(np.uint8)


def draw_filter(rng: np.random.Generator) -> Degradation:
    """One innocent edit, or none: skin smoothing, denoising, sharpening, enlarging, grain. None makes a face fake."""
    strength = float(rng.uniform(0.15, 1.0))
    edits: tuple[Callable[[Image], Image], ...] = (
        lambda image: image,
        lambda image: beautify(image, strength),
        lambda image: cv2.GaussianBlur(image, (0, 0), 0.3 + 0.6 * strength).astype(np.uint8),
        lambda image: sharpen(image, strength),
        lambda image: sharpen(rescale(image, 1 - 0.6 * strength, cv2.INTER_CUBIC), 0.6),
        _noise(5 * strength, bool(rng.random() < 0.5), int(rng.integers(2**31))),
    )
    return Degradation((edits[int(rng.integers(len(edits)))],))


def draw_degradation(rng: np.random.Generator, strength: float = 1.0) -> Degradation:
    """Draw a chain: the camera's doing, then the file's. `strength` in [0, 1] scales how often each one appears."""

    def sometimes(chance: float) -> bool:
        return bool(rng.random() < chance * strength)

    return Degradation((*_camera_steps(rng, sometimes), *_file_steps(rng, sometimes)))


def _camera_steps(rng: np.random.Generator, sometimes: Callable[[float], bool]) -> Iterator[Callable[[Image], Image]]:
    if sometimes(0.5):
        gain, bias, gamma = (
            rng.uniform(0.8, 1.2) * rng.uniform(0.93, 1.07, 3),
            rng.uniform(-12, 12, 3),
            2 ** rng.uniform(-0.4, 0.4),
        )
        yield lambda image: colour_shift(image, gain, bias, gamma)
    if sometimes(0.12):
        dim, dim_gamma = rng.uniform(0.25, 0.6), rng.uniform(1.0, 1.5)
        yield lambda image: colour_shift(image, (dim,) * 3, (0, 0, 0), dim_gamma)
    if sometimes(0.15):
        amount = rng.uniform(0.2, 1.0)
        yield lambda image: sharpen(image, amount)
    if sometimes(0.3):
        sigma = rng.uniform(0.3, 1.6)
        yield lambda image: cv2.GaussianBlur(image, (0, 0), sigma).astype(np.uint8)
    if sometimes(0.06):
        length, angle = int(rng.integers(3, 8)), rng.uniform(0, 180)
        kernel = np.zeros((length, length), np.float32)
        kernel[length // 2] = 1
        turn = cv2.getRotationMatrix2D(((length - 1) / 2, (length - 1) / 2), angle, 1)
        kernel = cv2.warpAffine(kernel, turn, (length, length)) + 1e-6
        kernel /= kernel.sum()
        yield lambda image: cv2.filter2D(image, -1, kernel).astype(np.uint8)


def _file_steps(rng: np.random.Generator, sometimes: Callable[[float], bool]) -> Iterator[Callable[[Image], Image]]:
    if sometimes(0.45):
        factor = rng.uniform(0.3, 0.95)
        kind = int(
            rng.choice(
                [cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4], p=[0.05, 0.4, 0.4, 0.15]
            )
        )
        yield lambda image: rescale(image, factor, kind)
    if sometimes(0.12):
        smoothing = float(rng.uniform(0.15, 1.0))
        yield lambda image: beautify(image, smoothing)
    if sometimes(0.3):
        yield _noise(float(rng.uniform(1, 9)), bool(rng.random() < 0.5), int(rng.integers(2**31)))
    for chance in (0.75, 0.2):  # many files were compressed twice
        if sometimes(chance):
            if rng.random() < 0.4:
                crf = int(rng.integers(18, 38))
                yield lambda image, crf=crf: h264(image, crf)  # type: ignore[misc]
            else:
                quality = int(rng.integers(30, 97))
                yield lambda image, quality=quality: jpeg(image, quality)  # type: ignore[misc]
