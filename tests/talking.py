"""A talking astronaut: her mouth opens by a known curve and the sound swells with it, or later, or not at all."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

FPS, RATE_HZ = 25, 16_000
# Her mouth in the cut below, in pixels.
_MOUTH_XY = (125.0, 138.0)


def syllables(seconds: float, seed: int = 0) -> NDArray[np.float64]:
    """Mouth opening in [0, 1] at 25 Hz: irregular bumps, about four a second."""
    noise = np.random.default_rng(seed).standard_normal(round(seconds * FPS) + 40)
    curve = gaussian_filter1d(noise, 1.6)[20:-20]
    return np.clip((curve - curve.min()) / np.ptp(curve) * 1.6 - 0.4, 0, 1)


def pictures(opening: NDArray[np.float64]) -> list[NDArray[np.uint8]]:
    """Frames (240, 240, 3): below her upper lip the face moves down by up to 9 pixels, and the gap is dark."""
    image = np.ascontiguousarray(skimage.data.astronaut()[0:240, 100:340])
    columns, rows = np.meshgrid(np.arange(240, dtype=np.float32), np.arange(240, dtype=np.float32))
    across = np.exp(-(((columns - _MOUTH_XY[0]) / 16) ** 2))
    below = rows - _MOUTH_XY[1]
    frames = []
    for open_by in opening:
        gap = 9 * float(open_by) * across
        fade = np.clip(1 - (below - gap) / 45, 0, 1)
        moved = cv2.remap(
            image, columns, np.where(below > gap, rows - gap * fade, rows).astype(np.float32), cv2.INTER_LINEAR
        )
        inside = ((below > 0) & (below <= gap))[..., None]
        frames.append(np.where(inside, np.array([50, 16, 18], np.uint8), moved).astype(np.uint8))
    return frames


def voice(opening: NDArray[np.float64], *, late_s: float = 0.0, seed: int = 1) -> NDArray[np.float32]:
    """A buzz of 140 Hz with overtones and breath, as loud as the mouth is open, `late_s` after it."""
    count = round(len(opening) / FPS * RATE_HZ)
    times = np.arange(count) / RATE_HZ
    loud = np.interp(times - late_s, np.arange(len(opening)) / FPS, opening, left=0, right=0) ** 1.5
    buzz = sum(np.sin(2 * np.pi * 140 * k * times + k) / k for k in range(1, 20))
    breath = np.random.default_rng(seed).standard_normal(count)
    return (0.12 * loud * (buzz + 0.4 * breath) + 1e-4 * breath).astype(np.float32)


def write_talk(
    path: Path,
    frames: list[NDArray[np.uint8]],
    samples: NDArray[np.float32] | None,
    *,
    sound_start_s: float = 0.0,
    codec: str = "aac",
    fps: int = FPS,
) -> Path:
    """H.264 and, unless `samples` is None, 16-kHz mono sound that starts `sound_start_s` after the first frame."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("libx264", rate=fps, options={"preset": "ultrafast", "crf": "18"})
        video.codec_context.thread_count = 1
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt = "yuv420p"
        sound = None if samples is None else out.add_stream(codec, rate=RATE_HZ, layout="mono")
        for number, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, fps)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if sound is not None and samples is not None:
            write_samples(out, sound, samples, sound_start_s)
            out.mux(sound.encode(None))
    return path


def write_samples(out: object, stream: object, samples: NDArray[np.float32], start_s: float) -> None:
    """Encode samples so that the first sounds at `start_s`."""
    kind = stream.codec_context.format.name  # type: ignore[attr-defined]
    data = samples[None] if kind.startswith("flt") else (np.clip(samples, -1, 1) * 32767).astype(np.int16)[None]
    frame = av.AudioFrame.from_ndarray(data, format=kind, layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, round(start_s * RATE_HZ), Fraction(1, RATE_HZ)
    out.mux(stream.encode(frame))  # type: ignore[attr-defined]
