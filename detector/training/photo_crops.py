"""Crops of photographs as a hand-held camera films them, genuine and manipulated: people there are no clips of.

Sequence models that see some fifty people learn those people. Photographs add hundreds, though only of what shows in
every frame: their faces rest, so nothing is frozen, animated or re-timed in them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from detector.synthesis.clips import FaceClip, photograph_clip
from detector.training.clip_crops import CropPlan, draw_twins, gather, write_shard
from detector.training.facebank import FaceBank

SHARD_PHOTOS = 20


def make_photo_crops(bank: FaceBank, folder: Path, photos: int, plan: CropPlan, networks: Sequence[nn.Module]) -> None:
    """Film `photos` genuine photographs of the split `train`, sources alike up to a point, into shards of 20.

    Shards that are there are kept. Of `plan`, `draws` is not used."""
    folder.mkdir(parents=True, exist_ok=True)
    chosen = choose_photos(bank, photos, plan.seed)
    for number in range(0, len(chosen), SHARD_PHOTOS):
        path = folder / f"photos-{number:05d}.npz"
        if path.is_file():
            continue
        drawn = []
        for row in chosen[number : number + SHARD_PHOTOS]:
            rng = np.random.default_rng((plan.seed, int(row)))
            face_px, fps = float(rng.uniform(*plan.face_px)), float(np.exp(rng.uniform(np.log(2), np.log(25))))

            def film(
                index: int, rng: np.random.Generator = rng, face_px: float = face_px, fps: float = fps
            ) -> FaceClip:
                return photograph_clip(bank.face(index), rng, frames=plan.frames, fps=fps, face_px=face_px)

            record = bank.table.iloc[row]
            facts = {key: str(record[key]) for key in ("file", "group", "source", "split")}
            others = chosen[bank.table["group"].to_numpy()[chosen] != record["group"]]
            drawn += draw_twins(
                film(int(row)),
                lambda rng=rng, others=others, film=film: film(int(rng.choice(others))),  # type: ignore[misc]
                f"photo-{row}",
                facts,
                plan,
                networks,
                rng,
                moving=False,
            )
        write_shard(path, gather(drawn))


def choose_photos(bank: FaceBank, count: int, seed: int) -> NDArray[np.int64]:
    """Rows of the bank: genuine training photographs with a mesh, one a group, sources by the root of their size."""
    table = bank.table
    usable = (table["split"] == "train") & (table["label"] == "real") & (table["kind"] == "image") & bank.has_mesh
    rows = np.flatnonzero(usable.to_numpy())
    rng = np.random.default_rng(seed)
    rng.shuffle(rows)
    rows = rows[np.unique(table["group"].to_numpy()[rows], return_index=True)[1]]
    sizes = table["source"].iloc[rows].map(table["source"].iloc[rows].value_counts()).to_numpy(float)
    share = sizes**-0.5 / (sizes**-0.5).sum()
    return rng.choice(rows, min(count, len(rows)), replace=False, p=share)
