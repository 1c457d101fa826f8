"""A still face moved as portrait animation moves it: one dense flow over the picture, sampled again, mouth and eyes
redrawn.

First-order motion (Siarohin et al., NeurIPS 2019) and its successors move a portrait by a dense flow and let a decoder
repair it. What they leave is smooth stretching, softness of repeated sampling and invented mouth and eye detail. The
flow here is a head turn over an ellipsoid, a tilt, expressions, and a little unsteadiness.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.synthesis.degrade import Image, rescale, sharpen
from detector.synthesis.regions import REGIONS
from detector.synthesis.types import FaceImage

INNER_LIPS: Final = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
_LEFT_EYE: Final = (33, 160, 158, 133, 153, 144)
_RIGHT_EYE: Final = (362, 385, 387, 263, 373, 380)
_GRID_PX: Final = 4  # the flow is smooth: it is worked out on every fourth pixel


@dataclass(frozen=True, slots=True)
class Pose:
    """Distance from the still. All but `tilt` are shares of the face: `yaw`, `pitch` shift its middle (about ±0.1 for a
    visible turn), `mouth` opens (0..0.12), `smile` widens (-0.06..0.08), `blink` closes the eyes (0..1), `brow` lifts;
    `tilt` in degrees."""

    yaw: float = 0.0
    pitch: float = 0.0
    tilt: float = 0.0
    mouth: float = 0.0
    smile: float = 0.0
    blink: float = 0.0
    brow: float = 0.0

    def scaled(self, factor: float) -> Pose:
        """The pose with every part scaled."""
        return Pose(*(factor * getattr(self, name) for name in self.__slots__))


def draw_pose(rng: np.random.Generator, strength: float = 1.0) -> Pose:
    """A plausible pose, `strength` 1 for the range of a talking head."""
    yaw, pitch, tilt, smile, brow = rng.normal(0, 1, 5).clip(-2, 2) * (0.05, 0.035, 3.0, 0.03, 0.02) * strength
    mouth = max(0.0, float(rng.normal(0.02, 0.03))) * strength
    blink = float(rng.uniform(0, 1)) * strength if rng.random() < 0.3 else 0.0
    return Pose(float(yaw), float(pitch), float(tilt), min(mouth, 0.13), float(smile), min(blink, 1.0), float(brow))


def flow_of(face: FaceImage, pose: Pose) -> NDArray[np.float32]:
    """Backward flow, the source of each pixel of the moved picture minus its place: (H, W, 2) float32 pixels."""
    height, width = face.image.shape[:2]
    low, high = face.landmarks.min(0), face.landmarks.max(0)
    centre, half = (low + high) / 2, (high - low) / 2
    face_px = float(2 * half.max())
    columns, rows = np.meshgrid(
        np.arange(0, width + _GRID_PX, _GRID_PX, dtype=np.float32),
        np.arange(0, height + _GRID_PX, _GRID_PX, dtype=np.float32),
    )
    u, v = (columns - centre[0]) / half[0], (rows - centre[1]) / half[1]
    radius = u**2 + v**2
    head = np.exp(-((radius / 3.5) ** 2))  # the head moves whole, the far background hardly
    depth = np.sqrt(np.maximum(0, 1.15 - radius / 1.6)) - 0.55  # its middle turns one way, its rim the other
    turn = np.radians(pose.tilt)
    dx = head * (pose.yaw * face_px * depth - turn * (rows - centre[1]))
    dy = head * (pose.pitch * face_px * depth + turn * (columns - centre[0]))
    lips = face.landmarks[list(REGIONS["mouth"])]
    mouth, spread = lips.mean(0), np.maximum(np.ptp(lips, axis=0), 2)
    mu, mv = (columns - mouth[0]) / spread[0], (rows - mouth[1]) / spread[1]
    near = np.exp(-(1.6 * mu**2 + 0.9 * mv**2))
    dy = dy + near * face_px * pose.mouth * np.where(mv > 0, 1.0, 0.25) * np.tanh(2.5 * mv)
    dx = dx + near * face_px * pose.smile * np.tanh(2 * mu)
    dy = dy - near * face_px * 0.5 * pose.smile * (mu**2).clip(0, 1)
    for eye in (_LEFT_EYE, _RIGHT_EYE):
        points = face.landmarks[list(eye)]
        middle, size = points.mean(0), np.maximum(np.ptp(points, axis=0), 2)
        eu, ev = (columns - middle[0]) / size[0], (rows - middle[1]) / (size[0] * 0.5)
        lid = np.exp(-(1.5 * eu**2 + ev**2))
        dy = dy - lid * pose.blink * 0.45 * size[1] * np.tanh(3 * ev)
        above = np.exp(-(eu**2 + (ev + 1.6) ** 2))
        dy = dy - above * face_px * pose.brow
    small = np.stack([-dx, -dy], 2).astype(np.float32)
    full = cv2.resize(small, None, fx=_GRID_PX, fy=_GRID_PX, interpolation=cv2.INTER_LINEAR)
    return full[:height, :width]


def apply_flow(image: Image, flow: NDArray[np.float32], interpolation: int = cv2.INTER_LINEAR) -> Image:
    """Sample the picture along a flow of `flow_of`."""
    height, width = image.shape[:2]
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return cv2.remap(
        image, columns + flow[..., 0], rows + flow[..., 1], interpolation, borderMode=cv2.BORDER_REFLECT_101
    ).astype(np.uint8)


def moved_points(points: NDArray[np.float32], flow: NDArray[np.float32]) -> NDArray[np.float32]:
    """Points of the still after the flow: (N, 2), to first order."""
    limit = np.array(flow.shape[1::-1]) - 1
    where = np.clip(np.round(points), 0, limit).astype(int)
    return (points - flow[where[:, 1], where[:, 0]]).astype(np.float32)


def redraw_mouth(image: Image, landmarks: NDArray[np.float32], opening: float, rng: np.random.Generator) -> Image:
    """Paint the inside of an open mouth: dark, with a blurred row of teeth. `opening` as in `Pose.mouth`; the inner
    lips of `landmarks` are moved apart by it, and what is painted shows the more the wider they are."""
    face_px = float(np.ptp(landmarks, axis=0).max())
    lips = landmarks[list(INNER_LIPS)].copy()
    middle = lips.mean(0)
    lips[:, 1] += np.sign(lips[:, 1] - middle[1]) * opening * face_px * np.where(lips[:, 1] > middle[1], 0.9, 0.2)
    height = float(np.ptp(lips[:, 1]))
    if height < 2:
        return image
    shape = image.shape[:2]
    inside, teeth = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    hull = cv2.convexHull(lips.astype(np.int32))
    cv2.fillConvexPoly(inside, hull, 255)
    skin = image[inside > 0].mean(0) if inside.any() else np.full(3, 120.0)
    cv2.fillConvexPoly(teeth, hull, 255)
    teeth[round(float(lips[:, 1].min() + height * rng.uniform(0.3, 0.5))) :] = 0
    sigma = max(0.6, face_px * float(rng.uniform(0.006, 0.015)))
    dark = skin * rng.uniform(0.25, 0.5) * (1.0, 0.75, 0.75)
    bright = np.clip(skin * rng.uniform(1.0, 1.3) + 15, 0, 235)
    painted, shown = image.astype(np.float32), min(1.0, opening / 0.006)
    for region, colour, weight in ((inside, dark, 0.9), (teeth, bright, float(rng.uniform(0.3, 0.9)))):
        alpha = cv2.GaussianBlur(region, (0, 0), sigma)[..., None].astype(np.float32) * (weight * shown / 255)
        painted = painted * (1 - alpha) + np.float32(colour) * alpha
    return np.clip(painted + 0.5, 0, 255).astype(np.uint8)


def redraw_eyes(image: Image, landmarks: NDArray[np.float32], rng: np.random.Generator) -> Image:
    """The eyes as a decoder paints them: at lower resolution, then crisp."""
    face_px = float(np.ptp(landmarks, axis=0).max())
    mask = np.zeros(image.shape[:2], np.uint8)
    for eye in (_LEFT_EYE, _RIGHT_EYE):
        points = landmarks[list(eye)]
        middle, width = points.mean(0), float(np.ptp(points[:, 0]))
        axes = (max(2, round(0.75 * width)), max(2, round(0.5 * width)))
        cv2.ellipse(mask, tuple(int(c) for c in np.round(middle)), axes, 0, 0, 360, 255, -1)
    alpha = cv2.GaussianBlur(mask, (0, 0), max(0.8, 0.015 * face_px))[..., None].astype(np.float32) / 255
    drawn = sharpen(rescale(image, float(rng.uniform(0.35, 0.7)), cv2.INTER_CUBIC), float(rng.uniform(0.5, 2.0)), 1.2)
    return np.clip(drawn * alpha + image * (1 - alpha) + 0.5, 0, 255).astype(np.uint8)


def reenact(face: FaceImage, rng: np.random.Generator) -> FaceImage:
    """The face in another pose: moved once, or there and part of the way back, and its mouth or eyes redrawn."""
    pose = draw_pose(rng, float(rng.uniform(0.6, 1.5)))
    interpolation = cv2.INTER_LINEAR if rng.random() < 0.75 else cv2.INTER_CUBIC
    flow = flow_of(face, pose)
    image, points = apply_flow(face.image, flow, interpolation), moved_points(face.landmarks, flow)
    if rng.random() < 0.4:
        back = flow_of(FaceImage(image, points), pose.scaled(-float(rng.uniform(0.3, 1.0))))
        image, points = apply_flow(image, back, interpolation), moved_points(points, back)
    if pose.mouth > 0.02 and rng.random() < 0.6:
        image = redraw_mouth(image, points, 0.3 * pose.mouth, rng)
    if rng.random() < 0.4:
        image = redraw_eyes(image, points, rng)
    return FaceImage(image, points)
