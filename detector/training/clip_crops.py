"""Face crops of genuine clips and of their manipulated twins, made once: they depend on no network's weights.

Each reading of a genuine clip is drawn from several times: which frames at what rate, what transmission does to them,
and what manipulations the twins have. Twins share everything but the manipulation. A folder of shards, one a reading;
a shard is visible only once complete, so an interrupted run goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import nn

from detector.faces import CropSpec, crop_face
from detector.synthesis.clip_fakes import draw_fake_clip
from detector.synthesis.clips import FaceClip, draw_transmission
from detector.training.readings import Reading, open_readings

SLOWEST_FPS = 2.0


@dataclass(frozen=True, slots=True)
class CropPlan:
    """How much to draw. `draws` of each reading; in each `fakes` manipulated twins of one genuine clip, of which every
    second is manipulated for a part of the time only; up to `frames` frames; faces at most `face_px` before
    transmission."""

    draws: int = 2
    fakes: int = 3
    frames: int = 36
    face_px: tuple[float, float] = (110.0, 170.0)
    seed: int = 7


@dataclass(frozen=True, slots=True)
class CropShard:
    """All clips drawn from one reading. `crops` (N, S, S, 3) uint8, clip after clip; `clip` (N,) which clip each is of;
    `times_s` (N,); `manipulated` (N,) bool. `clips`: a row a clip with name, label, kind, intervals_s, crf, and the
    file, group, source and split it comes from."""

    crops: NDArray[np.uint8]
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
    others = list(open_readings(readings, split))
    for reading in open_readings(readings, split):
        path = folder / f"{reading.name}.npz"
        if path.is_file():
            continue
        candidates = [other for other in others if other.group != reading.group]
        write_shard(path, draw_shard(reading, candidates, plan, networks, spec))


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
        genuine = reading.clip.part(draw_frames(reading.clip.times_s, plan.frames, rng), face_px=face_px)
        donor = _donor(donors, plan.frames, face_px, rng)
        drawn += draw_twins(genuine, donor, f"{reading.name}.{draw}", facts, plan.fakes, networks, rng, spec)
    return gather(drawn)


class DrawnClip(NamedTuple):
    """One clip as it arrives, cut: `crops` (T, S, S, 3), `times_s` (T,), `manipulated` (T,), and its row."""

    crops: NDArray[np.uint8]
    times_s: NDArray[np.float64]
    manipulated: NDArray[np.bool_]
    row: dict[str, Any]


def draw_twins(
    genuine: FaceClip,
    donor: Callable[[], FaceClip],
    name: str,
    facts: Mapping[str, str],
    fakes: int,
    networks: Sequence[nn.Module],
    rng: np.random.Generator,
    spec: CropSpec,
) -> list[DrawnClip]:
    """A genuine clip and `fakes` manipulated twins through one transmission, cut with one jitter of the box."""
    count = len(genuine.times_s)
    transmission = draw_transmission(genuine, rng)
    noise = rng.standard_normal((count, 2)) * rng.uniform(0, 0.006) * genuine.face_px * transmission.scale
    drawn = []
    for twin in range(fakes + 1):
        row = {"name": f"{name}.{twin}", "label": int(twin > 0), "kind": "genuine", "intervals_s": (), **facts}
        row["crf"] = transmission.crf
        if twin == 0:
            clip, labels = transmission(genuine), np.zeros(count, bool)
        else:
            made = draw_fake_clip(genuine, donor, networks, rng, spliced=twin % 2 == 0)
            fake = transmission.shown(made)
            clip, labels = fake.clip, fake.frame_labels
            row |= {"kind": fake.kind, "intervals_s": fake.intervals_s}
        drawn.append(DrawnClip(_cut(clip, noise, spec), clip.times_s, labels, row))
    return drawn


def gather(drawn: Sequence[DrawnClip]) -> CropShard:
    """Clips one after another in one shard."""
    return CropShard(
        np.concatenate([one.crops for one in drawn]),
        np.repeat(np.arange(len(drawn)), [len(one.times_s) for one in drawn]),
        np.concatenate([one.times_s for one in drawn]),
        np.concatenate([one.manipulated for one in drawn]),
        [one.row for one in drawn],
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


def _donor(donors: Sequence[Reading], frames: int, face_px: float, rng: np.random.Generator) -> Callable[[], FaceClip]:
    def draw() -> FaceClip:
        clip = donors[int(rng.integers(len(donors)))].clip
        return clip.part(np.arange(min(frames, len(clip.times_s))), face_px=face_px)

    return draw


def _cut(clip: FaceClip, noise: NDArray[np.float64], spec: CropSpec) -> NDArray[np.uint8]:
    crops = []
    for image, points, shift in zip(clip.images, clip.landmarks, noise, strict=True):
        low, high = points.min(0) + shift, points.max(0) + shift
        box = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
        crops.append(crop_face(image, box, None, spec))
    return np.stack(crops)


def write_shard(path: Path, shard: CropShard) -> None:
    partial = path.with_name(f".{path.stem}.partial.npz")
    np.savez(
        partial,
        crops=shard.crops,
        clip=shard.clip,
        times_s=shard.times_s,
        manipulated=shard.manipulated,
        clips=np.array(json.dumps(shard.clips)),
    )
    os.replace(partial, path)


def read_shards(folder: Path) -> Iterator[tuple[Path, CropShard]]:
    """Every complete shard in a fixed order, one in memory at a time."""
    for path in sorted(folder.glob("[!.]*.npz")):
        with np.load(path) as data:
            rows = json.loads(str(data["clips"]))
            yield path, CropShard(data["crops"], data["clip"], data["times_s"], data["manipulated"], rows)
