"""Pseudo-fakes of one cue each: background and light, compression, resolution, low light. With ground-truth masks.

One draw gives four pictures of one scene. Two are genuine: version A of the whole picture, and version B. Two are
manipulated: the face of B in A, and the face of A in B. Whatever can be measured on the whole picture, on the face
alone or on the surroundings alone is alike in both labels; only that face and surroundings differ tells them apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.synthesis.cue_edits import (
    EDITS,
    SynthesisCue,
    Versions,
    darkened,
    light_field,
    sensor_noise,
)
from detector.synthesis.degrade import Degradation, Image, colour_shift, h264, jpeg, rescale
from detector.synthesis.regions import region_mask, soft_mask
from detector.synthesis.types import FaceImage

Rng = np.random.Generator
# Grey levels by which A and B must differ inside the face, or the draw would carry a false label.
_LEAST_CHANGE = {"BG": 7.0, "CM": 1.8, "RR": 1.8, "LL": 1.8}


@dataclass(frozen=True, slots=True)
class CueQuad:
    """`images` (4, H, W, 3) uint8: genuine A, genuine B, B's face in A, A's face in B. `labels` 0, 0, 1, 1. `masks`
    (4, H, W) float32 in [0, 1], where the foreign part lies (the face, or the person before another background), zero
    for genuine pictures. `module` is the specialist's module that `kind` belongs to; `strength` 0..1."""

    images: NDArray[np.uint8]
    masks: NDArray[np.float32]
    cue: SynthesisCue
    kind: str
    module: str
    strength: float

    @property
    def labels(self) -> NDArray[np.uint8]:
        """(4,) uint8: two genuine, two with the cue."""
        return np.array([0, 0, 1, 1], np.uint8)


def draw_cue(
    face: FaceImage,
    donor: Callable[[], FaceImage],
    cue: SynthesisCue,
    rng: Rng,
    *,
    kind: str | None = None,
    least_strength: float = 0.2,
) -> CueQuad | None:
    """One quad of `cue`, of a `kind` drawn evenly unless given, at a strength drawn from `least_strength` to 1.

    Deterministic by `rng`. None where the face shows no difference, e.g. because it has no detail to lose; take another
    face then. `donor` gives the second person for a replaced background.
    """
    kind = kind or str(rng.choice(list(EDITS[cue])))
    module, edit = EDITS[cue][kind]
    strength = float(rng.uniform(least_strength, 1.0))
    base = FaceImage(draw_nuisance(face, cue, rng)(face.image), face.landmarks)
    if edit is None:
        other = _aligned(donor(), base)
        if other is None:
            return None
        versions = Versions(base.image, other.image)
        inside_b, inside_a = person_matte(base, rng), person_matte(other, rng)  # A's person into B, B's into A
    else:
        versions = edit(base, strength, rng)
        hard = region_mask(base.landmarks, base.image.shape[:2], _draw_region(rng))
        inside_b = inside_a = soft_mask(hard, float(np.ptp(base.landmarks, axis=0).max()), rng, coarse=True)
    if _difference(versions, inside_a) < _LEAST_CHANGE[cue]:
        return None
    finish = draw_finish(cue, rng)
    pictures = (
        versions.a,
        versions.b,
        _composite(versions.a, versions.b, inside_a),
        _composite(versions.b, versions.a, inside_b),
    )
    nothing = np.zeros_like(inside_a)
    masks = np.stack([nothing, nothing, inside_a, inside_b]).astype(np.float32)
    return CueQuad(np.stack([finish(image) for image in pictures]), masks, cue, kind, module, strength)


def _draw_region(rng: Rng) -> str:
    return str(rng.choice(["face", "inner_face", "lower_face"], p=[0.84, 0.08, 0.08]))


def _composite(target: Image, source: Image, mask: NDArray[np.float32]) -> Image:
    weight = mask[..., None]
    return np.clip(source * weight + target * (1 - weight) + 0.5, 0, 255).astype(np.uint8)


def _difference(versions: Versions, mask: NDArray[np.float32]) -> float:
    """Mean absolute difference in grey levels inside the mask."""
    difference = np.abs(versions.a.astype(np.float32) - versions.b).mean(2)
    return float((difference * mask).sum() / max(float(mask.sum()), 1.0))


def _aligned(donor: FaceImage, face: FaceImage) -> FaceImage | None:
    """The donor's picture moved so that both faces lie alike, so that the one covers the other. None where no turn and
    scale brings them together, as with opposite profiles."""
    matrix, _ = cv2.estimateAffinePartial2D(donor.landmarks, face.landmarks, method=cv2.LMEDS)
    if matrix is None:
        return None
    landmarks = (donor.landmarks @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    size = np.ptp(landmarks, axis=0) / np.ptp(face.landmarks, axis=0)
    if not (size.min() > 0.6 and size.max() < 1.6):
        return None
    height, width = face.image.shape[:2]
    image = cv2.warpAffine(donor.image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101).astype(np.uint8)
    return FaceImage(image, landmarks)


def person_matte(face: FaceImage, rng: Rng, *, working_px: int = 96) -> NDArray[np.float32]:
    """Mask of the person before the background: (H, W) float32 in [0, 1], by GrabCut (Rother et al., 2004) from the
    face mesh.

    The face is taken for certain, an ellipse about the head and the chest below as likely, the upper corners as
    background. Rough at hair, as cheap mattes are.
    """
    height, width = face.image.shape[:2]
    scale = working_px / max(height, width)
    small = cv2.resize(face.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    landmarks = face.landmarks * scale
    low, high = landmarks.min(0), landmarks.max(0)
    centre, half = (low + high) / 2, (high - low) / 2
    labels = np.full(small.shape[:2], cv2.GC_PR_BGD, np.uint8)
    chest = [round(float(v)) for v in (centre[0] - 1.6 * half[0], high[1], centre[0] + 1.6 * half[0], small.shape[0])]
    cv2.rectangle(labels, (chest[0], chest[1]), (chest[2], chest[3]), int(cv2.GC_PR_FGD), -1)
    head = (round(float(centre[0])), round(float(centre[1] - 0.2 * half[1])))
    cv2.ellipse(
        labels, head, (round(float(1.25 * half[0])), round(float(1.35 * half[1]))), 0, 0, 360, int(cv2.GC_PR_FGD), -1
    )
    border = max(2, working_px // 32)
    labels[:border] = cv2.GC_BGD
    labels[: working_px // 2, :border] = labels[: working_px // 2, -border:] = cv2.GC_BGD
    labels[region_mask(landmarks, small.shape[:2], "face") > 0] = cv2.GC_FGD
    cv2.setRNGSeed(int(rng.integers(2**31)))
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(small.astype(np.uint8), labels, None, *models, 2, cv2.GC_INIT_WITH_MASK)
    matte = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.float32)
    matte = cv2.resize(matte, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(cv2.GaussianBlur(matte, (0, 0), float(rng.uniform(0.8, 2.5))), 0, 1).astype(np.float32)


def draw_nuisance(face: FaceImage, cue: SynthesisCue, rng: Rng) -> Degradation:
    """Variations that genuine footage shows too and all four pictures share: light and colour of the scene, and in
    some a beauty filter over everything, a vignette, light from one side, a soft background, upscaling, low light."""
    steps: list[Callable[[Image], Image]] = []
    if rng.random() < 0.5:
        gain, gamma = rng.uniform(0.8, 1.15) * rng.uniform(0.94, 1.06, 3), 2 ** rng.uniform(-0.3, 0.3)
        steps.append(lambda image: colour_shift(image, gain, (0, 0, 0), gamma))
    # What would take the very traces away that a cue is about is left to the cues that do not need them.
    keeps_detail = cue in ("CM", "RR", "LL")
    hard = ["none", "vignette", "side_light", "soft_background"] + ([] if keeps_detail else ["beauty", "upscaled"])
    match str(rng.choice([*hard, "low_light"] if cue != "LL" else hard)):
        case "vignette":
            fall = vignette(face.image.shape[:2], float(rng.uniform(0.3, 1.0)))
            steps.append(lambda image: np.clip(image * fall[..., None], 0, 255).astype(np.uint8))
        case "side_light":
            field = np.exp(light_field(face, 0.3, rng) * float(rng.uniform(0.2, 0.45)))[..., None]
            steps.append(lambda image: np.clip(image * field, 0, 255).astype(np.uint8))
        case "soft_background":
            matte, sigma = person_matte(face, rng)[..., None], float(rng.uniform(1.5, 5))
            steps.append(
                lambda image: np.clip(
                    image * matte + cv2.GaussianBlur(image, (0, 0), sigma) * (1 - matte), 0, 255
                ).astype(np.uint8)
            )
        case "beauty":
            reach = float(rng.uniform(15, 45))
            steps.append(lambda image: cv2.bilateralFilter(image, 7, reach, 5).astype(np.uint8))
        case "upscaled":
            factor = float(rng.uniform(0.4, 0.8))
            steps.append(lambda image: rescale(image, factor, cv2.INTER_CUBIC))
        case "low_light":
            seed, level = int(rng.integers(2**31)), float(rng.uniform(1, 5))
            steps.append(lambda image: _low_light(image, level, seed))
        case _:
            pass
    return Degradation(tuple(steps))


def _low_light(image: Image, level: float, seed: int) -> Image:
    rng = np.random.default_rng(seed)
    return sensor_noise(darkened(image, rng), level, rng)


def vignette(shape: tuple[int, ...], depth: float) -> NDArray[np.float32]:
    """Fall of light towards the corners, (H, W) float32 in (0, 1]: cosine to the fourth power, `depth` of it."""
    height, width = shape
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return (1 / (1 + depth * 0.5 * (x**2 + y**2)) ** 2).astype(np.float32)


def draw_finish(cue: SynthesisCue, rng: Rng) -> Degradation:
    """The last step of all four pictures: scaling and compression, little where a cue is in fine traces."""
    steps: list[Callable[[Image], Image]] = []
    fine = cue in ("CM", "RR", "LL")
    if not fine and rng.random() < 0.4:
        factor = float(rng.uniform(0.5, 0.95))
        steps.append(lambda image: rescale(image, factor, cv2.INTER_CUBIC))
    match str(rng.choice(["none", "jpeg", "h264"], p=[0.3, 0.45, 0.25])):
        case "jpeg":
            quality = int(rng.integers(80 if fine else 50, 98))
            steps.append(lambda image: jpeg(image, quality))
        case "h264":
            crf = int(rng.integers(12, 22 if fine else 30))
            steps.append(lambda image: h264(image, crf))
        case _:
            pass
    return Degradation(tuple(steps))
