"""A moving clip from one still portrait, genuine or manipulated, with the truth about every pixel.

The genuine clip is the portrait under a drifting camera and sensor noise, nothing else. The manipulated one holds, from
`start_s` to `end_s`, a face at lower resolution and other colour, blended in, whose mouth moves.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from detector.synthesis.degrade import Image, colour_shift, rescale
from detector.synthesis.regions import REGIONS, region_mask, soft_mask
from detector.synthesis.types import FaceImage


@dataclass(frozen=True, slots=True)
class Manipulation:
    """What is done to the face and when: `resolution` (0..1] of the pasted face, `gain` per colour channel."""

    start_s: float = 1.5
    end_s: float = math.inf
    resolution: float = 0.42
    gain: tuple[float, float, float] = (1.08, 0.97, 0.9)


@dataclass(frozen=True, slots=True)
class AnimatedFrame:
    """`image` (S, S, 3) uint8 RGB; `mask` (S, S) uint8, 255 where the picture was replaced."""

    time_s: float
    image: Image
    mask: NDArray[np.uint8]


def animate(
    face: FaceImage,
    *,
    seconds: float = 6.0,
    fps: int = 25,
    size_px: int = 480,
    manipulation: Manipulation | None = None,
    seed: int = 0,
) -> Iterator[AnimatedFrame]:
    """Frames of the clip, one at a time. Equal arguments give equal pixels."""
    rng = np.random.default_rng(seed)
    phases = rng.uniform(0, 2 * math.pi, 6)
    pasted, mask = _paste(face, manipulation, rng) if manipulation else (face.image, np.zeros(face.image.shape[:2]))
    for number in range(round(seconds * fps)):
        time_s = number / fps
        image, shown = face.image, np.zeros(face.image.shape[:2], np.float32)
        if manipulation and manipulation.start_s <= time_s < manipulation.end_s:
            weight = mask[..., None]
            talking = _open_mouth(pasted, face.landmarks, _speech(time_s))
            image = np.clip(talking * weight + image * (1 - weight) + 0.5, 0, 255).astype(np.uint8)
            shown = mask.astype(np.float32)
        camera = _camera(face, size_px, time_s, phases)
        moved = cv2.warpAffine(
            image, camera, (size_px, size_px), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
        )
        grain = np.random.default_rng((seed, number)).standard_normal(moved.shape, dtype=np.float32) * 1.5
        truth = cv2.warpAffine(shown, camera, (size_px, size_px), borderMode=cv2.BORDER_REFLECT_101)
        yield AnimatedFrame(
            time_s, np.clip(moved + grain, 0, 255).astype(np.uint8), (np.clip(truth, 0, 1) * 255).astype(np.uint8)
        )


def _paste(face: FaceImage, manipulation: Manipulation, rng: np.random.Generator) -> tuple[Image, NDArray[np.float32]]:
    altered = colour_shift(rescale(face.image, manipulation.resolution), manipulation.gain, (0, 0, 0), 1.0)
    face_px = float(np.ptp(face.landmarks, axis=0).max())
    return altered, soft_mask(region_mask(face.landmarks, face.image.shape[:2], "face"), face_px, rng, coarse=True)


def _speech(time_s: float) -> float:
    """Mouth opening 0..1 over time: syllables at about 4 Hz under a slower phrase."""
    return max(0.0, math.sin(2 * math.pi * 3.9 * time_s)) * (0.6 + 0.4 * math.sin(2 * math.pi * 0.7 * time_s))


def _open_mouth(image: Image, landmarks: NDArray[np.float32], opening: float) -> Image:
    """Stretch the picture vertically about the mouth; `opening` 0..1 of a seventh of the face's height."""
    lips = landmarks[list(REGIONS["mouth"])]
    centre, spread = lips.mean(0), np.ptp(lips, axis=0)
    height, width = image.shape[:2]
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    u, v = (columns - centre[0]) / (spread[0] * 0.7), (rows - centre[1]) / (spread[1] * 0.9)
    falloff = np.exp(-(u**2 + v**2))
    shift = (opening * np.ptp(landmarks[:, 1]) / 7 * np.tanh(v * 2) * falloff).astype(np.float32)
    return cv2.remap(image, columns, rows - shift, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101).astype(np.uint8)


def _camera(face: FaceImage, size_px: int, time_s: float, phases: NDArray[np.float64]) -> NDArray[np.float64]:
    """A hand-held camera on the face: slow drift, slight turn and zoom. (2, 3) affine from portrait to clip pixels."""
    waves = [math.sin(2 * math.pi * (0.13 + 0.07 * i) * time_s + phase) for i, phase in enumerate(phases)]
    low, high = face.landmarks.min(0), face.landmarks.max(0)
    centre = (low + high) / 2 + (0, 0.7 * (high[1] - low[1]))  # head and shoulders
    zoom = 0.3 * size_px / float((high - low).max()) * (1 + 0.05 * waves[0])
    camera = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), 2.5 * waves[1], zoom)
    drift = np.array([waves[2] + 0.3 * waves[3], waves[4] + 0.3 * waves[5]]) * size_px / 53
    camera[:, 2] += size_px / 2 - centre + drift
    return camera


def write_clip(path: Path, images: Iterable[NDArray[np.uint8]], fps: int, *, crf: int = 20) -> None:
    """H.264 in MP4 that browsers play. `images` (H, W, 3) RGB or (H, W) grey, uint8, even sides.

    Same pixels, same bytes with the same encoder."""
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(str(path), "w", format="mp4", options=options) as out:
        stream = out.add_stream("libx264", rate=fps, options={"crf": str(crf), "preset": "medium", "threads": "1"})
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        stream.pix_fmt = "yuv420p"
        for number, image in enumerate(images):
            if number == 0:
                stream.height, stream.width = image.shape[:2]
            frame = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(image), format="rgb24" if image.ndim == 3 else "gray"
            )
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
