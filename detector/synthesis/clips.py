"""Genuine face clips and what video does to them whether or not anybody manipulated them.

A clip is a window of a video around one face, with the face's mesh in every frame. Compression, exposure, stutter and
loss of resolution are drawn once and applied alike to a genuine clip and its manipulated twins, so that none of them
gives the label away. The manipulations are in `detector.synthesis.clip_fakes`.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from detector.synthesis.degrade import Image, colour_shift

Images = NDArray[np.uint8]
Points = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FaceClip:
    """`images` (T, H, W, 3) uint8 RGB, H and W even; `landmarks` (T, 468, 2) float32 pixels; `times_s` (T,) ascending
    seconds, the first 0. `pairs` where frames 2i and 2i + 1 follow each other in the video and what lies between pairs
    was left out."""

    images: Images
    landmarks: Points
    times_s: NDArray[np.float64]
    pairs: bool = False

    def __post_init__(self) -> None:
        count = len(self.times_s)
        if self.images.ndim != 4 or self.images.dtype != np.uint8 or self.images.shape[0::3] != (count, 3):
            raise ValueError(f"expected ({count}, H, W, 3) uint8 images, found {self.images.shape} {self.images.dtype}")
        if self.images.shape[1] % 2 or self.images.shape[2] % 2:
            raise ValueError(f"expected even sides, found {self.images.shape[1:3]}")
        if self.landmarks.shape != (count, 468, 2):
            raise ValueError(f"expected ({count}, 468, 2) landmarks, found {self.landmarks.shape}")
        if count < 2 or (np.diff(self.times_s) <= 0).any():
            raise ValueError("expected at least two frames at ascending times")

    @property
    def face_px(self) -> float:
        """Longer side of the face's bounding box, median over the frames."""
        return float(np.median(np.ptp(self.landmarks, axis=1).max(1)))

    @property
    def duration_s(self) -> float:
        """From the first frame to the end of the last."""
        return float(self.times_s[-1] + np.median(np.diff(self.times_s)))

    @property
    def ticks(self) -> NDArray[np.int64]:
        """(T,) the number of each frame, counted in typical steps from one frame of the video to the next."""
        steps = np.diff(self.times_s)
        return np.round((self.times_s - self.times_s[0]) / np.median(steps[::2] if self.pairs else steps)).astype(int)

    def part(self, index: NDArray[np.int64], *, face_px: float, pairs: bool = False) -> FaceClip:
        """The frames at ascending `index`, shrunk so that the face is at most `face_px`."""
        scale = min(1.0, face_px / self.face_px)
        height, width = (round(side * scale / 2) * 2 for side in self.images.shape[1:3])
        images = [cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA) for image in self.images[index]]
        factor = np.array([width / self.images.shape[2], height / self.images.shape[1]], np.float32)
        times = self.times_s[index]
        return FaceClip(np.stack(images).astype(np.uint8), self.landmarks[index] * factor, times - times[0], pairs)


@dataclass(frozen=True, slots=True)
class FakeClip:
    """A manipulated clip. `masks` (T, H, W) uint8, 255 where a pixel was replaced; `intervals_s` (start, end) seconds
    in which frames are manipulated; `kind` names the manipulation and how it behaves over time."""

    clip: FaceClip
    masks: NDArray[np.uint8]
    intervals_s: tuple[tuple[float, float], ...]
    kind: str

    @property
    def frame_labels(self) -> NDArray[np.bool_]:
        """(T,) whether each frame lies in an interval."""
        times = self.clip.times_s
        inside = np.zeros(len(times), bool)
        for start, end in self.intervals_s:
            inside |= (times >= start) & (times < end)
        return inside


@dataclass(frozen=True, slots=True)
class Transmission:
    """Transmission of a clip after the picture is made: drawn once, then equal for genuine and manipulated twins.

    `scale` (0, 1] of the sides; `gain`, `bias`, `gamma` of the whole picture; `exposure` (T,) gain of each frame;
    `noise` sigma in grey levels; `index` (T,) which frame is shown in each place (repeats are dropped frames);
    `crf` of the last H.264 pass and of one before it, where there was one."""

    scale: float
    gain: tuple[float, float, float]
    bias: float
    gamma: float
    exposure: NDArray[np.float64]
    noise: float
    index: NDArray[np.int64]
    crf: int
    first_crf: int | None
    seed: int

    def __call__(self, clip: FaceClip) -> FaceClip:
        """The clip as it arrives. Times are kept, as they are where a frame is shown twice."""
        images, landmarks = np.asarray(clip.images[self.index]), clip.landmarks[self.index]
        height, width = (max(32, round(side * self.scale / 2) * 2) for side in images.shape[1:3])
        shrunk = (height, width) != images.shape[1:3]
        rng = np.random.default_rng(self.seed)
        shown = []
        for image, gain in zip(images, self.exposure, strict=True):
            if shrunk:
                image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
            image = colour_shift(image, np.multiply(self.gain, gain), (self.bias,) * 3, self.gamma)
            if self.noise:
                grain = rng.standard_normal(image.shape, dtype=np.float32) * self.noise
                image = np.clip(image + grain, 0, 255).astype(np.uint8)
            shown.append(image)
        moving = np.stack(shown)
        for crf in (self.first_crf, self.crf):
            if crf is not None:
                moving = compress_clip(moving, crf)
        factor = np.array([width / images.shape[2], height / images.shape[1]], np.float32)
        return replace(clip, images=moving, landmarks=landmarks * factor)

    def shown(self, fake: FakeClip) -> FakeClip:
        """As `__call__`, with masks that follow. A frame shown later than it was made keeps its place's label."""
        clip = self(fake.clip)
        size = (clip.images.shape[2], clip.images.shape[1])
        masks = [cv2.resize(mask, size, interpolation=cv2.INTER_AREA) for mask in fake.masks[self.index]]
        return replace(fake, clip=clip, masks=np.stack(masks).astype(np.uint8))


def draw_transmission(clip: FaceClip, rng: np.random.Generator) -> Transmission:
    """Half the clips lose resolution (face 90 px at least, where it had them), a third are noisy, a quarter stutter, a
    quarter change in exposure, a third were compressed before."""
    ticks = clip.ticks
    scale = 1.0
    if rng.random() < 0.5:
        scale = float(min(1.0, np.exp(rng.uniform(np.log(min(1.0, 90 / clip.face_px)), 0.0))))
    plain = rng.random() < 0.5
    gain = (1.0, 1.0, 1.0) if plain else tuple(float(g) for g in rng.uniform(0.85, 1.15) * rng.uniform(0.95, 1.05, 3))
    return Transmission(
        scale=scale,
        gain=gain,  # type: ignore[arg-type]
        bias=0.0 if plain else float(rng.uniform(-8, 8)),
        gamma=1.0 if plain else float(2 ** rng.uniform(-0.25, 0.25)),
        exposure=1 + (rng.uniform(0.01, 0.06) * wander(ticks, rng, 0.95) if rng.random() < 0.25 else 0.0 * ticks),
        noise=float(rng.uniform(0.5, 5)) if rng.random() < 0.33 else 0.0,
        index=_stutter(clip, rng) if rng.random() < 0.25 else np.arange(len(ticks)),
        crf=int(rng.integers(17, 33)),
        first_crf=int(rng.integers(17, 28)) if rng.random() < 0.33 else None,
        seed=int(rng.integers(2**31)),
    )


def wander(ticks: NDArray[np.int64], rng: np.random.Generator, memory: float) -> NDArray[np.float64]:
    """A random walk drawn back to 0, at ascending `ticks` (T,): (T,) of about unit spread; `memory` 0 is white noise,
    near 1 it is slow."""
    count = int(ticks[-1]) + 1
    steps = rng.standard_normal(count) * np.sqrt(1 - memory**2)
    value, path = float(rng.standard_normal()), np.empty(count)
    for index, step in enumerate(steps):
        value = memory * value + step
        path[index] = value
    return path[ticks]


def _stutter(clip: FaceClip, rng: np.random.Generator) -> NDArray[np.int64]:
    """Index of the frame that is shown in each place where up to one frame in seven is lost and the one before it
    shown on."""
    index = np.arange(len(clip.times_s))
    for lost in np.flatnonzero(rng.random(len(index)) < rng.uniform(0.02, 0.14)):
        if not clip.pairs or lost % 2:  # what came before the first of a pair is not there to be shown
            index[lost] = index[max(0, lost - 1)]
    return index


def compress_clip(images: Images, crf: int) -> Images:
    """H.264 round trip of the whole clip (libx264, yuv420p, 25 frames a second): (T, H, W, 3) -> the same shape.
    Equal pictures give equal pictures."""
    return np.stack(list(_decoded(_encoded(images, crf))))


def _encoded(images: Iterable[Image], crf: int) -> io.BytesIO:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        # Without macroblock-tree rate control: its assembly reads memory it never set, and results vary with that.
        options = {"crf": str(crf), "preset": "veryfast", "threads": "1", "x264-params": "mbtree=0"}
        stream = out.add_stream("libx264", rate=25, options=options)
        stream.pix_fmt = "yuv420p"
        for number, image in enumerate(images):
            if number == 0:
                stream.height, stream.width = image.shape[:2]
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")))
        out.mux(stream.encode(None))
    buffer.seek(0)
    return buffer


def _decoded(buffer: io.BytesIO) -> Iterator[Image]:
    with av.open(buffer, "r") as source:
        source.streams.video[0].codec_context.thread_count = 1
        for frame in source.decode(video=0):
            yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
