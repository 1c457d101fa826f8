"""The pointing game: does the peak of a frame model's blend map lie inside the manipulated region."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from scipy.ndimage import maximum_filter, uniform_filter

from detector.registry import FrameModel
from detector.training.data.facebank import FaceBank
from detector.training.data.pool import MASK_STRIDE, STORED_SLACK_PX, SampleMaker

WHOLE_SHARE: Final = 0.8  # a region larger than this cannot be missed
_CELL_PX = 8
_AT_ONCE = 64


def pointing_game(
    model: FrameModel, bank: FaceBank, *, split: str = "val", pairs: int = 512, seed: int = 5
) -> dict[str, Any]:
    """Share of pseudo-fakes of unseen people in which the map points at the manipulated region: the middle of the three
    by three cells of the highest mean lies on it or next to it (Zhang et al., IJCV 2018, whose tolerance is 15 pixels;
    here 8). Raises ValueError without a map head.

    Beside it `chance`: the share that a cell drawn at random would hit. Fakes whose region fills more than 80 % of the
    crop are left out.
    """
    spec = model.card.crop
    shard = SampleMaker(bank, split, spec.margin, spec.size_px, seed=seed).shard(0, pairs=pairs, labelled=0)
    offset = STORED_SLACK_PX // 2
    fakes = np.flatnonzero(shard.labels == 1)
    inside = slice(offset, offset + spec.size_px)
    cells = slice(offset // MASK_STRIDE, (offset + spec.size_px) // MASK_STRIDE)
    step = _CELL_PX // MASK_STRIDE
    hits, chances = [], []
    for start in range(0, len(fakes), _AT_ONCE):
        rows = fakes[start : start + _AT_ONCE]
        maps = model.blend_map(np.ascontiguousarray(shard.images[rows, inside, inside]))
        if maps is None:
            raise ValueError(f"{model.card.model_id} has no map head.")
        masks = shard.masks[rows, cells, cells].astype(np.float32) / 255
        count, side = len(rows), masks.shape[1] // step
        coarse = masks.reshape(count, side, step, side, step).mean((2, 4)) >= 0.5  # (B, S/8, S/8)
        near = maximum_filter(coarse, size=(1, 3, 3))
        for heat, region, close in zip(maps, coarse, near, strict=True):
            if 0 < region.mean() <= WHOLE_SHARE:
                hits.append(bool(close.flat[int(uniform_filter(heat, 3).argmax())]))
                chances.append(float(close.mean()))
    return {
        "hit_share": round(float(np.mean(hits)), 4) if hits else None,
        "chance": round(float(np.mean(chances)), 4) if hits else None,
        "fakes": len(hits),
        "split": split,
    }
