"""Manipulations of a genuine face clip, with the truth about when and where.

What is painted (`BASES`) and how it behaves over time (`DYNAMICS`) are drawn apart: a face swap may sit still, flicker,
wobble, change in brightness, or be there for a second only. Everything is painted on the face in its own coordinates
(an affine fit of the face mesh), so a steady fake is as steady as a good face swap; deterministic by seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import nn

from detector.synthesis.blend import transfer_colour
from detector.synthesis.clip_space import FaceSpace, draw_look, follow
from detector.synthesis.clips import FaceClip, FakeClip, Points, wander
from detector.synthesis.degrade import Image, colour_shift
from detector.synthesis.regions import region_mask, soft_mask
from detector.synthesis.resynthesis import repaint

BASES: Final = ("swap", "self_blend", "redraw", "redraw_whole", "mouth", "frozen", "animated", "animated_whole", "same")
DYNAMICS: Final = ("steady", "flicker", "wobble", "gain", "dropout")
_WHOLE: Final = ("redraw_whole", "animated_whole")
_LEAST_CHANGE = 2.0  # grey levels inside the mask: less does not survive compression
_LEAST_INTERVAL_S, _LEAST_CLIP_S = 0.6, 1.5


@dataclass(frozen=True, slots=True)
class Plan:
    """Plan of a manipulated clip. `base` of `BASES`, `dynamics` of `DYNAMICS`; `interval_s` None for the whole clip."""

    base: str
    dynamics: str
    interval_s: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.base not in BASES or self.dynamics not in DYNAMICS:
            raise ValueError(f"expected a base of {BASES} and dynamics of {DYNAMICS}, found {self}")
        if self.base == "same" and self.dynamics not in ("wobble", "gain"):
            raise ValueError("the same face pasted steadily is no manipulation")

    @property
    def kind(self) -> str:
        """The name of the manipulation, with what it does over time."""
        return f"{self.base}+{self.dynamics}" + ("" if self.interval_s is None else "+spliced")


def draw_plan(clip: FaceClip, rng: np.random.Generator, *, networks: bool, spliced: bool) -> Plan:
    """A plan at random; `spliced` only where the clip is long enough for an interval."""
    bases = [base for base in BASES if networks or not base.startswith("redraw")]
    base = str(rng.choice(bases))
    if base == "same":
        dynamics = str(rng.choice(["wobble", "gain"]))
    else:
        dynamics = str(rng.choice(DYNAMICS, p=[0.5, 0.15, 0.15, 0.1, 0.1]))
    interval = None
    if spliced and clip.duration_s >= _LEAST_CLIP_S:
        length = max(_LEAST_INTERVAL_S, rng.uniform(0.2, 0.6) * clip.duration_s)
        start = rng.uniform(0, clip.duration_s - length)
        interval = (float(start), float(start + length))
    return Plan(base, dynamics, interval)


def draw_fake_clip(
    clip: FaceClip,
    donor: Callable[[], FaceClip],
    networks: Sequence[nn.Module],
    rng: np.random.Generator,
    *,
    spliced: bool = False,
) -> FakeClip:
    """A manipulation drawn at random; one that changes next to nothing is drawn again, up to five times."""
    for _ in range(6):
        plan = draw_plan(clip, rng, networks=bool(networks), spliced=spliced)
        fake = manipulate(clip, plan, rng, donor=donor() if plan.base == "swap" else None, networks=networks)
        if visible_change(clip, fake) >= _LEAST_CHANGE:
            break
    return fake


def visible_change(clip: FaceClip, fake: FakeClip) -> float:
    """Mean absolute difference in grey levels inside the masks, over a dozen of the manipulated frames."""
    inside = np.flatnonzero(fake.frame_labels)
    chosen = inside[:: max(1, len(inside) // 12)]
    weight = fake.masks[chosen].astype(np.float32)
    if not weight.sum():
        return 0.0
    difference = np.abs(fake.clip.images[chosen].astype(np.int16) - np.asarray(clip.images[chosen])).mean(3)
    return float((difference * weight).sum() / weight.sum())


def manipulate(
    clip: FaceClip,
    plan: Plan,
    rng: np.random.Generator,
    *,
    donor: FaceClip | None = None,
    networks: Sequence[nn.Module] = (),
) -> FakeClip:
    """Carry out `plan`. Raises ValueError where a swap has no donor, or a redrawing no network."""
    if plan.base == "swap" and donor is None:
        raise ValueError("a swap needs a donor clip")
    if plan.base.startswith("redraw") and not networks:
        raise ValueError("redrawing a face needs a network")
    space = FaceSpace.of(clip)
    painter = _Painter(clip, space, plan, rng, donor, networks)
    motion = _Motion.draw(plan.dynamics, clip.ticks, space.face_px, rng)
    start, end = plan.interval_s or (0.0, clip.duration_s)
    images, landmarks = np.array(clip.images), clip.landmarks.copy()
    masks = np.zeros(images.shape[:3], np.uint8)
    for index in np.flatnonzero((clip.times_s >= start) & (clip.times_s < end)):
        painted, points = painter.paint(int(index))
        painted = colour_shift(painted, motion.gain[index], (0, 0, 0), 1.0)
        if plan.base in _WHOLE:
            images[index], landmarks[index] = painted, points
            masks[index] = 255
            continue
        opacity = painter.mask * motion.opacity[index]
        move = motion.matrix(int(index), space.size_px)
        images[index], masks[index] = space.paste(images[index], painted, opacity, int(index), move)
        landmarks[index] = space.moved(clip.landmarks[index], points, painter.mask, int(index), move)
    return FakeClip(replace(clip, images=images, landmarks=landmarks), masks, ((start, end),), plan.kind)


class _Painter:
    """Paints the face of one frame after another: in the face's own coordinates, or the whole picture."""

    def __init__(
        self,
        clip: FaceClip,
        space: FaceSpace,
        plan: Plan,
        rng: np.random.Generator,
        donor: FaceClip | None,
        networks: Sequence[nn.Module],
    ) -> None:
        self._clip, self._space, self._plan, self._rng, self._donor = clip, space, plan, rng, donor
        count = len(clip.times_s)
        self._still = int(rng.integers(count))
        self._follows = rng.random() < 0.5
        self._source = _source_frames(plan.base, clip, rng)
        strength = {"self_blend": 1.0, "same": 0.0}.get(plan.base, 0.5 if rng.random() < 0.6 else 0.0)
        self._looks = [draw_look(rng, strength) for _ in range(8 if plan.dynamics == "flicker" else 1)]
        self._network = networks[int(rng.integers(len(networks)))] if len(networks) else None
        # Portrait animation and lip-sync are drawn by a decoder more often than not, mouths at a low resolution.
        drawn = plan.base in ("mouth", "animated", "animated_whole") and rng.random() < 0.6
        self._redraws = plan.base.startswith("redraw") or drawn
        least_share = 0.35 if plan.base == "mouth" else 0.55
        self._redraw_share = float(np.exp(rng.uniform(np.log(least_share), 0.0)))
        region = "face"
        if plan.base == "mouth":
            region = str(rng.choice(["mouth", "lower_face"]))
        elif plan.base in ("swap", "self_blend", "same"):
            region = str(rng.choice(["face", "face", "inner_face", "lower_face", "eyes_nose"]))
        hard = region_mask(space.shape, (space.size_px,) * 2, region)
        self.mask: NDArray[np.float32] = soft_mask(hard, space.face_px, rng)
        self._hard = hard

    def paint(self, index: int) -> tuple[Image, Points]:
        """The painted picture, and where its landmarks are, in the same coordinates."""
        base = self._plan.base
        if base in _WHOLE:
            picture, points = np.asarray(self._clip.images[index]), self._clip.landmarks[index]
            if base == "animated_whole":
                still = np.asarray(self._clip.images[self._still])
                picture = follow(still, self._clip.landmarks[self._still], points)
        elif base == "swap":
            picture, points = self._donated(index)
        elif base == "animated":
            still, points = self._space.image(self._still), self._space.points(index)
            picture = follow(still, self._space.points(self._still), points)
        else:
            source = int(self._source[index])
            picture, points = self._space.image(source), self._space.points(source)
        if self._redraws and self._network is not None:
            picture = repaint(self._network, picture, max(64, round(max(picture.shape[:2]) * self._redraw_share)))
        look = self._looks[int(self._rng.integers(len(self._looks)))]
        return look(picture), points

    def _donated(self, index: int) -> tuple[Image, Points]:
        """Another person's face: their own video running along, or one picture that follows this face's expression."""
        donor = self._donor
        assert donor is not None
        at = self._still % len(donor.times_s) if self._follows else index % len(donor.times_s)
        target = self._space.points(index)
        matrix = FaceSpace.affine(donor.landmarks[at], target)
        size = (self._space.size_px,) * 2
        picture = cv2.warpAffine(
            np.asarray(donor.images[at]), matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
        ).astype(np.uint8)
        points = (donor.landmarks[at] @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
        if self._follows:
            picture, points = follow(picture, points, target), target
        return transfer_colour(picture, self._space.image(index), self._hard), points


def _source_frames(base: str, clip: FaceClip, rng: np.random.Generator) -> NDArray[np.int64]:
    """The frame that each frame's face or mouth is taken from: itself, one for all, or (mouths) other times. Frames of
    a pair are taken from a pair."""
    count = len(clip.times_s)
    own = np.arange(count)
    size = 1 + clip.pairs
    choice = rng.random()
    if base == "frozen" or (base == "mouth" and choice < 0.25):
        return np.full(count, int(rng.integers(count)))
    if base != "mouth":
        return own
    if choice < 0.65:  # shifted by a tenth of the clip to half of it
        return np.roll(own, int(rng.integers(max(2, count // 10), max(3, count // 2))) // size * size)
    if choice < 0.85:  # backwards
        return own[::-1].copy()
    return (own // size * int(rng.integers(2, 4))) % (count // size) * size + own % size  # in haste


@dataclass(frozen=True, slots=True)
class _Motion:
    """The paint over T frames: `shift_px` (T, 2), `turn_deg` (T,), `zoom` (T,), `gain` (T, 3), `opacity` (T,)."""

    shift_px: NDArray[np.float64]
    turn_deg: NDArray[np.float64]
    zoom: NDArray[np.float64]
    gain: NDArray[np.float64]
    opacity: NDArray[np.float64]

    @classmethod
    def draw(cls, dynamics: str, ticks: NDArray[np.int64], face_px: float, rng: np.random.Generator) -> _Motion:
        memory = float(rng.choice([0.0, 0.5, 0.8]))
        amount = float(rng.uniform(0.006, 0.025)) if dynamics == "wobble" else 0.0015
        paths = [wander(ticks, rng, memory) for _ in range(4)]
        count = int(ticks[-1]) + 1
        gain = np.zeros((len(ticks), 3))
        if dynamics in ("gain", "flicker"):
            common, tint = wander(ticks, rng, memory), rng.standard_normal((len(ticks), 3))
            gain = rng.uniform(0.03, 0.1) * (common[:, None] + 0.3 * tint)
        opacity = np.full(count, float(rng.choice([1.0, 1.0, 0.8])))
        if dynamics == "flicker":
            opacity = rng.uniform(0.3, 1.0, count)
        if dynamics == "dropout":  # the swap misses the face for a moment
            for start in np.flatnonzero(rng.random(count) < rng.uniform(0.03, 0.12)):
                opacity[start : start + int(rng.integers(1, 4))] = 0.0
        shift_px = np.stack(paths[:2], 1) * amount * face_px
        return cls(shift_px, paths[2] * amount * 40, 1 + paths[3] * amount, 1 + gain, opacity[ticks])

    def matrix(self, index: int, size_px: int) -> NDArray[np.float64]:
        centre = (size_px / 2, size_px / 2)
        move = cv2.getRotationMatrix2D(centre, float(self.turn_deg[index]), float(self.zoom[index]))
        move[:, 2] += self.shift_px[index]
        return move
