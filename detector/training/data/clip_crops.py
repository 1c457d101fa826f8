"""Face crops of genuine clips and of their manipulated twins, made once: they depend on no network's weights.

Each reading of a genuine clip is drawn from several times: which frames at what rate, what transmission does to them,
and what manipulations the twins have. Twins share everything but the manipulation. A folder of shards, one a reading;
a shard is visible only once complete, so an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from torch import nn

from detector.evidence import JUST_BEFORE_S
from detector.faces import CropSpec, crop_face
from detector.faces.temporal import THUMBNAIL_PX, thumbnail
from detector.synthesis.clip_fakes import draw_fake_clip
from detector.synthesis.clips import FaceClip, draw_transmission
from detector.training.data.readings import Reading, open_readings
from detector.training.engine.config import Seed
from detector.training.engine.progress import tracked

SLOWEST_FPS = 2.0
_STEP_S = 0.04  # from the frame just before a sampled one to that one, where the reading does not say
_ARRAYS: Final = ("crops", "before", "has_before", "clip", "times_s", "manipulated")


@dataclass(frozen=True, slots=True)
class CropPlan:
    """The amount to draw. `draws` of each reading; in each `fakes` manipulated twins of one genuine clip, every second
    of them manipulated for a part of the time only; up to `frames` frames; faces at most `face_px` before
    transmission."""

    draws: Annotated[int, Field(ge=1, le=1000)] = 2
    fakes: Annotated[int, Field(ge=1, le=1000)] = 3
    frames: Annotated[int, Field(ge=8, le=1000)] = 36
    face_px: tuple[float, float] = (110.0, 170.0)
    seed: Seed = 7


@dataclass(frozen=True, slots=True)
class CropShard:
    """All clips drawn from one reading. `crops` (N, S, S, 3) uint8, clip after clip; `before` (N, 64, 64, 3) uint8 the
    same place in the frame just before, as a thumbnail, where `has_before` (N,) bool; `clip` (N,) which clip each is
    of; `times_s` (N,); `manipulated` (N,) bool. `clips`: a row a clip with name, label, kind, intervals_s, crf, and the
    file, group, source and split it comes from."""

    crops: NDArray[np.uint8]
    before: NDArray[np.uint8]
    has_before: NDArray[np.bool_]
    clip: NDArray[np.int64]
    times_s: NDArray[np.float64]
    manipulated: NDArray[np.bool_]
    clips: list[dict[str, Any]]


def make_crops(
    readings: Path,
    folder: Path,
    split: str,
    plan: CropPlan,
    networks: Sequence[nn.Module],
    spec: CropSpec,
) -> None:
    """Draw every reading of `split` into `folder`, cut as `spec` says, one shard each; shards that are there are kept.

    People swapped in come from other groups of the same split."""
    folder.mkdir(parents=True, exist_ok=True)
    every = list(open_readings(readings, split))
    undrawn = [reading for reading in every if not (folder / f"{reading.name}.npz").is_file()]
    for reading in tracked(undrawn, f"synthesising twins of the clips of {split}"):
        donors = [other for other in every if other.group != reading.group]
        write_shard(folder / f"{reading.name}.npz", draw_shard(reading, donors, plan, networks, spec))


def draw_shard(
    reading: Reading, donors: Sequence[Reading], plan: CropPlan, networks: Sequence[nn.Module], spec: CropSpec
) -> CropShard:
    """A pure function of its arguments."""
    facts = {key: getattr(reading, key) for key in ("file", "group", "source", "split")}
    digest = int.from_bytes(hashlib.sha256(reading.name.encode()).digest()[:4], "big")
    drawn = []
    for draw in range(plan.draws):
        rng = np.random.default_rng((plan.seed, digest, draw))
        face_px = float(rng.uniform(*plan.face_px))
        real = draw_segment(reading, plan.frames, face_px, rng)
        donor = _donor(donors, real, face_px, rng)
        drawn += draw_twins(real, donor, f"{reading.name}.{draw}", facts, plan.fakes, networks, rng, spec)
    return gather(drawn)


class DrawnClip(NamedTuple):
    """One clip as it arrives, cut: arrays as in `CropShard`, and its row."""

    crops: NDArray[np.uint8]
    before: NDArray[np.uint8]
    has_before: NDArray[np.bool_]
    times_s: NDArray[np.float64]
    manipulated: NDArray[np.bool_]
    row: dict[str, Any]


class DrawnSegment(NamedTuple):
    """The origin of a genuine clip and its twins: `clip`, and which of its frames are `sampled` (T,) bool; the
    others are there because they come just before one that is."""

    clip: FaceClip
    sampled: NDArray[np.bool_]

    @property
    def has_before(self) -> NDArray[np.bool_]:
        """Of each sampled frame, whether the frame before it in the clip is the one just before it in the video."""
        return np.diff(self.clip.times_s, prepend=-np.inf)[self.sampled] <= JUST_BEFORE_S


def draw_segment(reading: Reading, most: int, face_px: float, rng: np.random.Generator) -> DrawnSegment:
    """Up to `most` frames of a reading at a rate drawn, each with the one just before it where the reading has it."""
    clip, before = reading.clip, reading.before
    if before is not None:
        both = _paired(clip, before, draw_frames(clip.times_s, most, rng), face_px)
        return DrawnSegment(both, np.arange(len(both.times_s)) % 2 == 1)
    if np.median(np.diff(clip.times_s)) > JUST_BEFORE_S:
        chosen = draw_frames(clip.times_s, most, rng)
        return DrawnSegment(clip.part(chosen, face_px=face_px), np.ones(len(chosen), bool))
    chosen = 1 + draw_frames(clip.times_s[1:], most, rng)
    index = np.union1d(chosen - 1, chosen)
    pairs = len(index) == 2 * len(chosen)
    return DrawnSegment(clip.part(index, face_px=face_px, pairs=pairs), np.isin(index, chosen))


def draw_twins(
    real: DrawnSegment,
    donor: Callable[[], FaceClip],
    name: str,
    facts: Mapping[str, str],
    fakes: int,
    networks: Sequence[nn.Module],
    rng: np.random.Generator,
    spec: CropSpec,
) -> list[DrawnClip]:
    """A genuine clip and `fakes` manipulated twins through one transmission, cut with one jitter of the box."""
    sampled, has_before = real.sampled, real.has_before
    count = int(sampled.sum())
    transmission = draw_transmission(real.clip, rng)
    noise = rng.standard_normal((count, 2)) * rng.uniform(0, 0.006) * real.clip.face_px * transmission.scale
    times = real.clip.times_s[sampled]
    drawn = []
    for twin in range(fakes + 1):
        row = {"name": f"{name}.{twin}", "label": int(twin > 0), "kind": "genuine", "intervals_s": (), **facts}
        row["crf"] = transmission.crf
        if twin == 0:
            clip, labels = transmission(real.clip), np.zeros(count, bool)
        else:
            made = draw_fake_clip(real.clip, donor, networks, rng, spliced=twin % 2 == 0)
            fake = transmission.shown(made)
            clip, labels = fake.clip, fake.frame_labels[sampled]
            intervals = [(start - times[0], end - times[0]) for start, end in fake.intervals_s]
            row |= {"kind": fake.kind, "intervals_s": intervals}
        crops, before = _cut(clip, np.flatnonzero(sampled), has_before, noise, spec)
        drawn.append(DrawnClip(crops, before, has_before, times - times[0], labels, row))
    return drawn


def gather(drawn: Sequence[DrawnClip]) -> CropShard:
    """Clips one after another in one shard."""

    def joined(name: str) -> Any:
        return np.concatenate([getattr(one, name) for one in drawn])

    return CropShard(
        **{name: joined(name) for name in ("crops", "before", "has_before", "times_s", "manipulated")},
        clip=np.repeat(np.arange(len(drawn)), [len(one.times_s) for one in drawn]),
        clips=[one.row for one in drawn],
    )


def draw_frames(times_s: NDArray[np.float64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Up to `count` frames at a rate drawn between that of the reading and two a second, from a place drawn."""
    spacing = float(np.median(np.diff(times_s)))
    # Frames enough are worth more than a slow rate: no stride leaves fewer than eight.
    widest = max(1, min(int(1 / (SLOWEST_FPS * spacing) + 1e-6), len(times_s) // 8))
    step = int(np.exp(rng.uniform(0, np.log(widest + 0.999))))
    held = min(count, (len(times_s) - 1) // step + 1)
    start = int(rng.integers(0, len(times_s) - (held - 1) * step))
    return start + step * np.arange(held)


def _donor(
    donors: Sequence[Reading], like: DrawnSegment, face_px: float, rng: np.random.Generator
) -> Callable[[], FaceClip]:
    """Draws the start of another person's reading, up to as many frames as `like` has, in pairs where it is."""
    pairs, count = like.clip.pairs, len(like.clip.times_s)

    def draw() -> FaceClip:
        reading = donors[int(rng.integers(len(donors)))]
        held = len(reading.clip.times_s)
        if pairs and reading.before is not None:
            return _paired(reading.clip, reading.before, np.arange(min(count // 2, held)), face_px)
        return reading.clip.part(np.arange(min(count, held)), face_px=face_px)

    return draw


def _paired(clip: FaceClip, before: FaceClip, index: NDArray[np.int64], face_px: float) -> FaceClip:
    """The frames at `index` of a clip, each after the one just before it."""
    times = clip.times_s[index]
    both = FaceClip(
        np.stack([before.images[index], clip.images[index]], 1).reshape(-1, *clip.images.shape[1:]),
        np.stack([before.landmarks[index], clip.landmarks[index]], 1).reshape(-1, *clip.landmarks.shape[1:]),
        np.stack([times, times + _STEP_S], 1).ravel(),
        pairs=True,
    )
    return both.part(np.arange(2 * len(index)), face_px=face_px, pairs=True)


def _cut(
    clip: FaceClip,
    rows: NDArray[np.int64],
    has_before: NDArray[np.bool_],
    noise: NDArray[np.float64],
    spec: CropSpec,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The faces in `rows` (N,), and thumbnails of the same places one frame earlier, black where there is none."""
    crops, before = [], np.zeros((len(rows), THUMBNAIL_PX, THUMBNAIL_PX, 3), np.uint8)
    for number, (row, shift) in enumerate(zip(rows, noise, strict=True)):
        points = clip.landmarks[row]
        low, high = points.min(0) + shift, points.max(0) + shift
        box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
        crops.append(crop_face(np.asarray(clip.images[row]), box, None, spec))
        if has_before[number]:
            before[number] = thumbnail(crop_face(np.asarray(clip.images[row - 1]), box, None, spec))
    return np.stack(crops), before


def write_shard(path: Path, shard: CropShard) -> None:
    """Write a shard, whole or not at all."""
    partial = path.with_name(f".{path.stem}.partial.npz")
    arrays = {name: getattr(shard, name) for name in _ARRAYS}
    np.savez(partial, **arrays, clips=np.array(json.dumps(shard.clips)))
    os.replace(partial, path)


def shard_files(folder: Path) -> list[Path]:
    """Every complete shard of a folder, in a fixed order."""
    return sorted(folder.glob("[!.]*.npz"))


def read_shard(path: Path) -> CropShard:
    """The clips in a file of `shard_files`."""
    with np.load(path) as data:
        return CropShard(**{name: data[name] for name in _ARRAYS}, clips=json.loads(str(data["clips"])))
