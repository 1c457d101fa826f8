"""What happens to a picture on its way to the viewer, for both labels alike: tone, scaling, noise, compression.

Everything works on planes at the video's own pixels. Compression is real: JPEG by OpenCV, H.264 and H.265 by FFmpeg
over the frames of a moment, so that a later frame is predicted from the first as in a clip.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from detector.training.residual.bank import Planes
from detector.training.residual.config import SpoilConfig

_RESIZES = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA, cv2.INTER_LANCZOS4)
_PRESETS = ("ultrafast", "superfast", "veryfast", "veryfast")
_SPARE_PX = 16


def spoiled(frames: list[Planes], side: int, chances: SpoilConfig, rng: np.random.Generator) -> list[Planes]:
    """The frames of a run, somewhat larger than `side`, cut to it, through a random part of the way."""
    if rng.random() < chances.tone:
        gain, gamma = rng.uniform(0.8, 1.15), rng.uniform(0.75, 1.3)
        frames = [_toned(planes, gain, gamma) for planes in frames]
    if rng.random() < chances.scale:
        least = side / min(frames[0].y.shape)
        factor, way = float(np.exp(rng.uniform(np.log(max(0.6, least)), np.log(1.6)))), int(rng.choice(_RESIZES))
        if way == cv2.INTER_AREA and factor > 1:
            way = cv2.INTER_CUBIC
        frames = [_scaled(planes, factor, way) for planes in frames]
    frames = _cut(frames, side + _SPARE_PX, rng)
    if rng.random() < chances.noise:
        sigma = rng.uniform(0.5, 3.0)
        frames = [_noisy(planes, sigma, rng) for planes in frames]
    drawn = rng.random()
    if drawn < chances.h264:
        frames = encoded(frames, "libx264", int(rng.integers(17, 37)), str(rng.choice(_PRESETS))) or frames
    elif drawn < chances.h264 + chances.h265:
        frames = encoded(frames, "libx265", int(rng.integers(18, 36)), "ultrafast") or frames
    elif drawn < chances.h264 + chances.h265 + chances.jpeg:
        quality = int(rng.integers(45, 97))
        frames = [_jpeg(planes, quality) for planes in frames]
    frames = _cut(frames, side, rng)
    if rng.random() < 0.5:
        frames = [Planes(y[:, ::-1], uv[:, :, ::-1]) for y, uv in frames]
    return [filled(planes, side) for planes in frames]


def encoded(frames: list[Planes], codec: str, crf: int, preset: str) -> list[Planes]:
    """The frames after one round through `libx264` or `libx265`."""
    height, width = frames[0].y.shape
    encoder: Any = av.CodecContext.create(codec, "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = width, height, "yuv420p", Fraction(1, 25)
    options = {"crf": str(crf), "preset": preset, "tune": "zerolatency"}
    if codec == "libx265":
        options["x265-params"] = "log-level=none:pools=none:frame-threads=1"
    encoder.options, encoder.thread_count = options, 1
    decoder: Any = av.CodecContext.create("h264" if codec == "libx264" else "hevc", "r")
    decoder.thread_count = 1
    packets = []
    for number, planes in enumerate(frames):
        frame = av.VideoFrame.from_ndarray(planes.flat(), format="yuv420p")
        frame.pts = number
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    decoded = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
    return [Planes.of_flat(frame.to_ndarray(), height, width) for frame in decoded]


def to_rgb(planes: Planes) -> NDArray[np.uint8]:
    """(H, W, 3) uint8, as frames reach an analysis."""
    frame = av.VideoFrame.from_ndarray(planes.flat(), format="yuv420p")
    return VideoReformatter().reformat(frame, format="rgb24", threads=1).to_ndarray().astype(np.uint8, copy=False)


def filled(planes: Planes, side: int) -> Planes:
    """At least `side` pixels each way: a smaller picture is mirrored at its right and lower edge."""
    down, across = (max(0, side - length) for length in planes.y.shape)
    if not down and not across:
        return planes
    y = np.pad(planes.y, ((0, down), (0, across)), mode="reflect")
    return Planes(y, np.pad(planes.uv, ((0, 0), (0, down // 2), (0, across // 2)), mode="reflect"))


def _jpeg(planes: Planes, quality: int) -> Planes:
    """One frame after JPEG, plane by plane, which is what a 4:2:0 file stores."""
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    y, u, v = (
        cv2.imdecode(cv2.imencode(".jpg", np.ascontiguousarray(plane), options)[1], cv2.IMREAD_GRAYSCALE)
        for plane in (planes.y, *planes.uv)
    )
    return Planes(y.astype(np.uint8), np.stack([u, v]).astype(np.uint8))


def _scaled(planes: Planes, factor: float, way: int) -> Planes:
    """One frame, smaller or larger, with even sides."""
    height, width = (int(side * factor) // 2 * 2 for side in planes.y.shape)
    y = cv2.resize(planes.y, (width, height), interpolation=way)
    uv = np.stack([cv2.resize(side, (width // 2, height // 2), interpolation=way) for side in planes.uv])
    return Planes(y.astype(np.uint8), uv.astype(np.uint8))


def _noisy(planes: Planes, sigma: float, rng: np.random.Generator) -> Planes:
    y, uv = (
        np.clip(plane + share * sigma * rng.standard_normal(plane.shape, np.float32), 0, 255).round().astype(np.uint8)
        for plane, share in ((planes.y, 1.0), (planes.uv, 0.5))
    )
    return Planes(y, uv)


def _toned(planes: Planes, gain: float, gamma: float) -> Planes:
    curve = np.clip(255 * gain * (np.arange(256) / 255) ** gamma, 0, 255).round().astype(np.uint8)
    return Planes(curve[planes.y], planes.uv)


def _cut(frames: list[Planes], side: int, rng: np.random.Generator) -> list[Planes]:
    """The same random square of every frame, at an even place; all of it where it is no larger."""
    height, width = frames[0].y.shape
    y0 = int(rng.integers(0, max(0, height - side) // 2 + 1)) * 2
    x0 = int(rng.integers(0, max(0, width - side) // 2 + 1)) * 2
    return [planes.cut(x0, y0, side, side) for planes in frames]
