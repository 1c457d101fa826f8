"""Clips from one still portrait: genuine under a moving camera, or a talking head animated out of it.

The genuine clip is the portrait under a drifting camera and sensor noise, nothing else. The talking head is the same
clip in which the face turns, blinks and speaks (`reenact`), its mouth painted anew, then redrawn by a network where
there is one, as portrait animation does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import nn

from detector.synthesis.clips import FaceClip, FakeClip, wander
from detector.synthesis.reenact import Pose, apply_flow, flow_of, moved_points, redraw_mouth
from detector.synthesis.resynthesis import match_colour, repaint
from detector.synthesis.types import FaceImage

_GRAIN = 1.5
_BLINK_S, _BLINKS_PER_S = 0.25, 0.3


def still_clip(
    face: FaceImage, *, seconds: float = 6.0, fps: float = 25, size_px: int = 480, seed: int = 0
) -> FaceClip:
    """The genuine clip: (T, size_px, size_px, 3). Equal arguments give equal pixels."""
    return _filmed(face, [face] * _count(seconds, fps), fps, size_px, seed)


def talking_head(
    face: FaceImage,
    *,
    seconds: float = 6.0,
    fps: float = 25,
    size_px: int = 480,
    seed: int = 0,
    strength: float = 1.0,
    networks: Sequence[nn.Module] = (),
) -> FakeClip:
    """The manipulated twin of `still_clip` with equal arguments. The whole picture is animated: the masks are full."""
    count = _count(seconds, fps)
    rng = np.random.default_rng((seed, 1))
    network = networks[int(rng.integers(len(networks)))] if networks else None
    inner = int(rng.integers(2**31))
    frames = []
    for pose in pose_path(np.arange(count) / fps, rng, strength):
        flow = flow_of(face, pose)
        image, points = apply_flow(face.image, flow), moved_points(face.landmarks, flow)
        image = redraw_mouth(image, points, 0.3 * pose.mouth, np.random.default_rng(inner))
        if network is not None:
            image = match_colour(repaint(network, image, max(image.shape[:2])), image)
        frames.append(FaceImage(image, points))
    clip = _filmed(face, frames, fps, size_px, seed)
    return FakeClip(clip, np.full(clip.images.shape[:3], 255, np.uint8), ((0.0, clip.duration_s),), "talking_head")


def pose_path(times_s: NDArray[np.float64], rng: np.random.Generator, strength: float) -> list[Pose]:
    """Poses of somebody who speaks: slow turns, syllables at about 4 Hz under a slower phrase, a blink now and then.
    `strength` 1 is lively."""
    count = len(times_s)
    step_s = float(np.median(np.diff(times_s))) if count > 1 else 0.04
    slow = math.exp(-step_s / 0.6)
    yaw, pitch, tilt, smile, brow = (
        wander(np.arange(count), rng, slow) * reach for reach in (0.04, 0.025, 2.0, 0.02, 0.01)
    )
    phase = rng.uniform(0, 2 * math.pi, 2)
    syllables = np.maximum(0, np.sin(2 * math.pi * 3.9 * times_s + phase[0]))
    mouth = 0.06 * syllables * (0.6 + 0.4 * np.sin(2 * math.pi * 0.7 * times_s + phase[1]))
    blink = np.zeros(count)
    for start in np.flatnonzero(rng.random(count) < _BLINKS_PER_S * step_s):
        blink = np.maximum(blink, 1 - np.abs(times_s - times_s[start] - _BLINK_S / 2) / (_BLINK_S / 2))
    paths = zip(yaw, pitch, tilt, mouth, smile, blink, brow, strict=True)
    return [Pose(*(float(value) for value in pose)).scaled(strength) for pose in paths]


def _count(seconds: float, fps: float) -> int:
    return max(2, round(seconds * fps))


def _filmed(face: FaceImage, frames: Sequence[FaceImage], fps: float, size_px: int, seed: int) -> FaceClip:
    """Pictures of the portrait, one a frame, under the camera that `seed` draws."""
    phases = np.random.default_rng(seed).uniform(0, 2 * math.pi, 6)
    images, landmarks = [], []
    for number, shown in enumerate(frames):
        camera = _camera(face, size_px, number / fps, phases)
        moved = cv2.warpAffine(
            shown.image, camera, (size_px, size_px), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
        )
        grain = np.random.default_rng((seed, number)).standard_normal(moved.shape, dtype=np.float32) * _GRAIN
        images.append(np.clip(moved + grain + 0.5, 0, 255).astype(np.uint8))
        landmarks.append((shown.landmarks @ camera[:, :2].T + camera[:, 2]).astype(np.float32))
    return FaceClip(np.stack(images), np.stack(landmarks), np.arange(len(frames)) / fps)


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
