"""Faces painted anew as a whole: stand-ins for whole-face generators, whose pictures hold no blending seam.

A genuine face goes through a small network (`networks`), or is moved as portrait animation moves it (`reenact`), or
both. The genuine twin loses the same resolution, so that only the painter's own traces differ.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from detector.synthesis.blend import composite
from detector.synthesis.degrade import Image
from detector.synthesis.reconstruction import PX_MULTIPLE
from detector.synthesis.reenact import reenact
from detector.synthesis.regions import region_mask, soft_mask
from detector.synthesis.types import FaceImage, FakeImage


@torch.inference_mode()
def repaint(network: nn.Module, image: Image, network_px: int) -> Image:
    """The whole picture (H, W, 3) through a network of `networks`, its longer side brought to about `network_px`
    before and back after."""
    height, width = image.shape[:2]
    scale = network_px / max(height, width)
    rows, columns = (max(4, round(side * scale / PX_MULTIPLE)) * PX_MULTIPLE for side in (height, width))
    tensor = torch.from_numpy(_resized(image, columns, rows)).permute(2, 0, 1).unsqueeze(0).float() / 255
    painted = network(tensor.contiguous(memory_format=torch.channels_last))
    pixels = (painted[0].permute(1, 2, 0) * 255 + 0.5).to(torch.uint8).numpy()
    return _resized(pixels, width, height)


def _resized(image: Image, width: int, height: int) -> Image:
    if image.shape[:2] == (height, width):
        return np.ascontiguousarray(image)
    interpolation = cv2.INTER_AREA if width < image.shape[1] else cv2.INTER_CUBIC
    return cv2.resize(image, (width, height), interpolation=interpolation).astype(np.uint8)


def match_colour(painted: Image, model: Image) -> Image:
    """`painted` with the slow colour and light of `model`, as pipelines around generators correct their drift."""
    height, width = painted.shape[:2]
    small = (max(2, width // 16), max(2, height // 16))
    drift = cv2.resize(model, small, interpolation=cv2.INTER_AREA).astype(np.float32)
    drift -= cv2.resize(painted, small, interpolation=cv2.INTER_AREA)
    slow = cv2.resize(drift, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(painted + slow + 0.5, 0, 255).astype(np.uint8)


def _resampled(image: Image, rng: np.random.Generator) -> Image:
    """Moved by a fraction of a pixel: the innocent twin of a warp's softness."""
    height, width = image.shape[:2]
    move = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.normal(0, 1.5)), float(rng.uniform(0.99, 1.01)))
    move[:, 2] += rng.uniform(-0.5, 0.5, 2)
    return cv2.warpAffine(
        image, move, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    ).astype(np.uint8)


def draw_whole_face(
    face: FaceImage, networks: Sequence[nn.Module], rng: np.random.Generator
) -> tuple[FaceImage, FakeImage]:
    """A genuine picture and its twin painted anew: by a network (half), animated (a fifth), or animated and then
    painted by a network (the rest); without networks always animated. Seven in ten are painted over the whole picture,
    the others inside a face mask. The networks see the picture at 0.5 to 1.3 times its size."""
    height, width = face.image.shape[:2]
    choice = rng.random() if networks else 0.6
    painted, real = face, face.image
    if choice >= 0.5:
        painted = reenact(face, rng)
        if rng.random() < 0.6:
            real = _resampled(real, rng)
    image = painted.image
    if networks and (choice < 0.5 or choice >= 0.7):
        network_px = round(max(height, width) * float(np.exp(rng.uniform(np.log(0.5), np.log(1.3)))))
        repainted = repaint(networks[int(rng.integers(len(networks)))], image, network_px)
        image = match_colour(repainted, image) if rng.random() < 0.9 else repainted
        if network_px < max(height, width):
            scale = network_px / max(height, width)
            real = _resized(_resized(real, round(width * scale), round(height * scale)), width, height)
    mask: NDArray[np.float32] = np.ones((height, width), np.float32)
    if rng.random() < 0.3:
        face_px = float(np.ptp(face.landmarks, axis=0).max())
        mask = soft_mask(region_mask(painted.landmarks, (height, width), "face"), face_px, rng)
    blended = composite(real, image, mask)
    kind = "resynthesis" if choice < 0.5 else "animation" if choice < 0.7 else "animated_resynthesis"
    return FaceImage(real, face.landmarks), FakeImage(blended, mask, kind)
