"""Pseudo-fakes by blending: self-blended faces, swaps between people, repainted mouths.

Self-blended images follow Shiohara & Yamasaki, "Detecting Deepfakes with Self-Blended Images", CVPR 2022: a picture is
blended with a slightly altered copy of itself inside a face mask, so only the traces of blending differ.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.synthesis.clip_space import follow
from detector.synthesis.degrade import Image, colour_shift, hue_shift, jpeg, rescale, sharpen
from detector.synthesis.regions import COARSE_REGIONS, REGIONS, elastic_field, region_mask, soft_mask
from detector.synthesis.types import FaceImage, FakeImage

_LEAST_CHANGE = 2.5  # grey levels: less does not survive ordinary compression


def face_width_px(landmarks: NDArray[np.float32]) -> float:
    """Longer side of the landmarks' bounding box, in pixels."""
    return float(np.ptp(landmarks, axis=0).max())


def transfer_colour(source: Image, target: Image, mask: NDArray[np.float32]) -> Image:
    """Match mean and spread of `source` to `target` in Lab inside `mask` (Reinhard et al., 2001)."""
    inside = mask > 0.5
    if inside.sum() < 16:
        return source
    lab_source = cv2.cvtColor(source, cv2.COLOR_RGB2LAB).astype(np.float32)
    lab_target = cv2.cvtColor(target, cv2.COLOR_RGB2LAB).astype(np.float32)
    mean_s, std_s = lab_source[inside].mean(0), lab_source[inside].std(0) + 1e-3
    mean_t, std_t = lab_target[inside].mean(0), lab_target[inside].std(0) + 1e-3
    matched = (lab_source - mean_s) * np.clip(std_t / std_s, 0.5, 2.0) + mean_t
    return cv2.cvtColor(np.clip(matched, 0, 255).astype(np.uint8), cv2.COLOR_LAB2RGB).astype(np.uint8)


def _alter(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """A copy that differs in colour, sharpness or resolution: what a generator's output differs in."""
    if rng.random() < 0.3:
        image = hue_shift(image, float(rng.uniform(-10, 10) * strength), 2 ** float(rng.uniform(-0.4, 0.4) * strength))
    if rng.random() < 0.8:
        gain = 1 + rng.uniform(-0.12, 0.12, 3) * strength
        image = colour_shift(image, gain, rng.uniform(-14, 14, 3) * strength, 2 ** (rng.uniform(-0.3, 0.3) * strength))
    choice = rng.random()
    if choice < 0.35:
        kind = int(rng.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST], p=[0.5, 0.4, 0.1]))
        image = rescale(image, float(rng.uniform(0.25, 0.7)), kind)
    elif choice < 0.55:
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.5, 1.8))).astype(np.uint8)
    elif choice < 0.75:
        image = sharpen(image, float(rng.uniform(0.5, 1.8)))
    if rng.random() < 0.25:
        image = jpeg(image, int(rng.integers(30, 80)))
    return image


def _jitter_warp(image: Image, face_px: float, rng: np.random.Generator, strength: float) -> Image:
    """Small similarity and elastic displacement, relative to the face."""
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D(
        (width / 2, height / 2), float(rng.uniform(-3, 3) * strength), float(1 + rng.uniform(-0.05, 0.05) * strength)
    )
    turn[:, 2] += rng.uniform(-0.03, 0.03, 2) * face_px * strength
    image = cv2.warpAffine(image, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    if rng.random() < 0.5:
        x_map, y_map = elastic_field((height, width), face_px * 0.02 * strength, face_px * 0.15, rng)
        image = cv2.remap(image, x_map, y_map, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return image.astype(np.uint8)


def _draw_region(rng: np.random.Generator, coarse: bool) -> str:
    if coarse:
        return str(rng.choice(COARSE_REGIONS))
    return str(rng.choice(list(REGIONS), p=[0.34, 0.18, 0.14, 0.12, 0.08, 0.06, 0.08]))


def composite(target: Image, source: Image, mask: NDArray[np.float32]) -> Image:
    """`source` over `target` where `mask` (H, W) in [0, 1] says, in proportion."""
    weight = mask[..., None]
    return np.clip(source * weight + target * (1 - weight) + 0.5, 0, 255).astype(np.uint8)


def self_blend(face: FaceImage, rng: np.random.Generator, *, coarse: bool = False) -> FakeImage:
    """Blend the picture with an altered copy of itself. `coarse` keeps full opacity and large regions."""
    face_px = face_width_px(face.landmarks)
    strength = 1.5 if coarse else 1.0
    if rng.random() < 0.5:
        source, target = _alter(face.image, rng, strength), face.image
    else:
        source, target = face.image, _alter(face.image, rng, strength)
    source = _jitter_warp(source, face_px, rng, strength)
    mask = soft_mask(
        region_mask(face.landmarks, face.image.shape[:2], _draw_region(rng, coarse)), face_px, rng, coarse=coarse
    )
    if not coarse:
        mask = mask * float(rng.choice([1.0, 1.0, 1.0, 0.75, 0.5]))
    return FakeImage(composite(target, source, mask), mask, "self_blend")


def swap(face: FaceImage, donor: FaceImage, rng: np.random.Generator, *, coarse: bool = False) -> FakeImage:
    """Warp another person's face onto this one by its landmarks, match colour, blend.

    The warp is affine, or in half the cases bends the face to this one's very shape and expression; one blend in eight
    solves Poisson's equation (Pérez et al., SIGGRAPH 2003), which hides the seam and spreads the difference."""
    face_px = face_width_px(face.landmarks)
    matrix, _ = cv2.estimateAffine2D(donor.landmarks, face.landmarks, method=cv2.LMEDS)
    if matrix is None:
        return self_blend(face, rng, coarse=coarse)
    height, width = face.image.shape[:2]
    source = cv2.warpAffine(
        donor.image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    ).astype(np.uint8)
    if rng.random() < 0.5:
        moved = (donor.landmarks @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
        source = follow(source, moved, face.landmarks)
    region = str(rng.choice(COARSE_REGIONS if coarse else ["face", "inner_face", "face", "lower_face", "eyes_nose"]))
    hard = region_mask(face.landmarks, (height, width), region)
    if rng.random() < 0.85:
        source = transfer_colour(source, face.image, hard)
    if rng.random() < 0.6:
        source = _alter(source, rng, 0.5)
    mask = soft_mask(hard, face_px, rng, coarse=coarse)
    if not coarse and rng.random() < 0.125:
        return FakeImage(_poisson(face.image, source, mask), mask, "swap")
    return FakeImage(composite(face.image, source, mask), mask, "swap")


def _poisson(target: Image, source: Image, mask: NDArray[np.float32]) -> Image:
    """The source's gradients inside the mask, the target's values at its border; unchanged where the mask is 0."""
    inside = (mask > 0.5).astype(np.uint8) * 255
    inside[[0, -1]] = inside[:, [0, -1]] = 0  # a region at the picture's border has no values to start from
    x, y, width, height = cv2.boundingRect(inside)
    if min(width, height) < 3:
        return composite(target, source, mask)
    centre = (x + width // 2, y + height // 2)
    cloned = cv2.seamlessClone(source, target, inside, centre, cv2.NORMAL_CLONE)
    return np.where(mask[..., None] > 0, cloned, target).astype(np.uint8)


def repaint_mouth(face: FaceImage, rng: np.random.Generator, *, donor: FaceImage | None = None) -> FakeImage:
    """Replace the mouth or lower face by a low-resolution, re-shaped version: what lip-sync generators leave.

    With `donor`, the other person's mouth is warped in; otherwise this mouth is stretched vertically about its centre.
    """
    face_px = face_width_px(face.landmarks)
    height, width = face.image.shape[:2]
    region = "mouth" if rng.random() < 0.5 else "lower_face"
    hard = region_mask(face.landmarks, (height, width), region)
    points = list(REGIONS["mouth"])
    source = face.image
    matrix = None
    if donor is not None:
        matrix, _ = cv2.estimateAffine2D(donor.landmarks[points], face.landmarks[points], method=cv2.LMEDS)
    if donor is not None and matrix is not None:
        source = cv2.warpAffine(donor.image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101).astype(
            np.uint8
        )
        source = transfer_colour(source, face.image, hard)
    else:
        centre = face.landmarks[points].mean(0)
        stretch = float(rng.uniform(0.75, 1.3))
        matrix = np.array([[1, 0, 0], [0, stretch, centre[1] * (1 - stretch)]], np.float32)
        source = cv2.warpAffine(source, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101).astype(np.uint8)
    # The generator's own resolution: 96 to 160 px for a whole face in the common lip-sync networks.
    generator_px = float(rng.uniform(48, 128))
    source = rescale(source, min(0.95, generator_px / face_px), cv2.INTER_CUBIC)
    mask = soft_mask(hard, face_px, rng)
    return FakeImage(composite(face.image, source, mask), mask, "mouth")


def visible_change(face: FaceImage, fake: FakeImage) -> float:
    """Mean absolute difference from the genuine picture in grey levels, weighted by the mask; 0 for an empty mask."""
    weight = float(fake.mask.sum())
    if weight < 1:
        return 0.0
    difference = np.abs(fake.image.astype(np.float32) - face.image).mean(2)
    return float((difference * fake.mask).sum() / weight)


def draw_fake(
    face: FaceImage, donor: Callable[[], FaceImage], rng: np.random.Generator, *, coarse: bool = False
) -> FakeImage:
    """One pseudo-fake of a kind drawn at random: 55 % self-blended, 25 % swapped, 20 % mouth (coarse: no mouths).

    A fake that changes next to nothing would carry a false label, so it is drawn again, up to five times.
    """
    for _ in range(5):
        fake = _draw_once(face, donor, rng, coarse)
        if visible_change(face, fake) >= _LEAST_CHANGE:
            break
    return fake


def _draw_once(face: FaceImage, donor: Callable[[], FaceImage], rng: np.random.Generator, coarse: bool) -> FakeImage:
    choice = rng.random()
    if choice < 0.55 or (coarse and choice >= 0.8):
        return self_blend(face, rng, coarse=coarse)
    if choice < 0.8:
        return swap(face, donor(), rng, coarse=coarse)
    return repaint_mouth(face, rng, donor=donor() if rng.random() < 0.5 else None)
