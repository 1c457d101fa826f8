"""What gives a label away without being manipulation: how sharp, noisy, compressed and still a clip is.

Clips are drawn by overlap weights (`detector.training.data.overlap`) of a few dozen plain statistics of the patches.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.training.engine.progress import tracked
from detector.training.residual.bank import Planes
from detector.training.residual.clips import Clip, plane_patches

_SIDE, _MOMENTS, _HOLD = 128, 5, 12.0
_SPREAD: Final = ("strength", "kept", "changed")


def clip_statistics(clips: Sequence[Clip], cache: Path) -> pd.DataFrame:
    """One row a clip (index `id`), kept in the CSV file `cache`: means over the patches of the face, and the
    spread over time of three."""
    known = pd.read_csv(cache, index_col="id") if cache.is_file() else pd.DataFrame()
    missing = [clip for clip in clips if clip.id not in known.index]
    if missing:
        rows = [{"id": clip.id, **_of_clip(clip)} for clip in tracked(missing, "measuring clips")]
        known = pd.concat([known, pd.DataFrame(rows).set_index("id")])
        known.to_csv(cache)
    return known.loc[[clip.id for clip in clips]].fillna(0.0)


def _of_clip(clip: Clip) -> dict[str, float]:
    patches = plane_patches(clip, _SIDE, _MOMENTS)
    table = pd.DataFrame([patch_statistics(frames) for _, frames in patches])
    places = np.array([place for place, _ in patches])
    means = {str(name): float(value) for name, value in table.mean().items()}
    middle = table[places == "middle"]
    return {**means, **{f"{name}_spread": float(middle[name].std()) for name in _SPREAD if name in middle}}


def patch_statistics(frames: list[Planes]) -> dict[str, float]:
    """Strength, shape, correlations and 2-, 4- and 8-pixel periods of the high-pass, colour's part, and change over the
    frames where there are several."""
    y, uv = frames[min(1, len(frames) - 1)]
    high = _high(y)
    strength = float(high.std())
    found = {"strength": np.log(strength + 0.1), "tails": np.log((high**4).mean() / (strength**4 + 1e-3) + 0.1)}
    for lag in (1, 2, 3, 4):
        found[f"across_{lag}"] = _alike(high[:, lag:], high[:, :-lag])
        found[f"down_{lag}"] = _alike(high[lag:], high[:-lag])
    found["aslant"] = _alike(high[1:, 1:], high[:-1, :-1])
    for period in (2, 4, 8):
        phases = np.array([(high[i::period, j::period] ** 2).mean() for i in range(period) for j in range(period)])
        found[f"period_{period}"] = np.log(phases.std() / (phases.mean() + 0.05) + 1e-3)
    u, v = _high(uv[0]), _high(uv[1])
    found["colour"] = np.log((u.std() + v.std() + 0.05) / (strength + 0.1))
    found["colours_alike"] = _alike(u, v)
    local = cv2.blur(high * high, (8, 8))
    low, top = np.quantile(local, 0.1), np.quantile(local, 0.9)
    found["flat"], found["uneven"] = np.log(low + 0.02), np.log((top + 0.05) / (low + 0.05))
    if len(frames) > 1:
        other, apart = _high(frames[0].y), np.abs(y.astype(np.float32) - frames[0].y)
        found["kept"] = _alike(high, other)
        found["changed"] = np.log((np.abs(high - other).mean() + 0.02) / (np.abs(high).mean() + 0.05))
        found["skipped"], found["moving"] = (apart == 0).mean(), np.log(apart.mean() + 0.05)
    return {name: float(value) for name, value in found.items()}


def _high(plane: NDArray[np.uint8]) -> NDArray[np.float32]:
    values = plane.astype(np.float32)
    return np.clip(values - cv2.blur(values, (3, 3)), -_HOLD, _HOLD)


def _alike(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).mean() / np.sqrt((a * a).mean() * (b * b).mean() + 1e-6))
