"""The samples of a frame model: batches cut from a pool of shards, and the hardest of what it has seen shown again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from detector.training.data.pool import MASK_STRIDE, Shard, read_shard, shard_paths
from detector.training.frame.config import FrameConfig
from detector.training.frame.hard_negatives import HardSamples


class Batch(NamedTuple):
    """`images` (B, 3, S, S) float32 normalised, `labels` (B,), `masks` (B, S/8, S/8), `has_mask` (B,), all float32;
    `names` say which row of which shard each came from, `groups` whether it is of a pair or a labelled crop."""

    images: Tensor
    labels: Tensor
    masks: Tensor
    has_mask: Tensor
    names: list[str]
    groups: list[str]


class Row(NamedTuple):
    """One row of a batch, kept to be shown again; the picture in half precision to save memory."""

    image: Tensor
    mask: Tensor
    has_mask: float
    group: str


def batches(shard: Shard, config: FrameConfig, rng: np.random.Generator | None, name: str = "") -> Iterator[Batch]:
    """Cut a shard into batches: pairs stay together, labelled crops fill the rest.

    With `rng`: shuffled, the input window placed at random in the stored crop; without: in order, centred."""
    single = np.arange(shard.pair_rows, len(shard.labels))
    pairs = np.arange(shard.pair_rows // 2)
    if rng is not None:
        rng.shuffle(single)
        rng.shuffle(pairs)
    count = round(config.fit.batch_size * config.labelled_share) if len(single) else 0
    pair_count = max(1, (config.fit.batch_size - count) // 2)
    total = min(len(pairs) // pair_count, len(single) // count) if count else len(pairs) // pair_count
    for step in range(total):
        chosen = pairs[step * pair_count : (step + 1) * pair_count]
        rows = np.concatenate([2 * chosen, 2 * chosen + 1, single[step * count : (step + 1) * count]])
        yield collate(shard, rows, config, rng, name)


def collate(
    shard: Shard, rows: NDArray[np.int64], config: FrameConfig, rng: np.random.Generator | None, name: str = ""
) -> Batch:
    """The named rows as a batch, normalised, masks at stride 8."""
    ratio = MASK_STRIDE
    slack = (shard.images.shape[1] - config.input_px) // ratio
    dy, dx = rng.integers(0, slack + 1, 2) if rng is not None else (slack // 2, slack // 2)
    top, left, side, cells = ratio * dy, ratio * dx, config.input_px, config.input_px // ratio
    images = torch.from_numpy(shard.images[rows, top : top + side, left : left + side]).permute(0, 3, 1, 2)
    masks = torch.from_numpy(shard.masks[rows, dy : dy + cells, dx : dx + cells]).float() / 255
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (config.mean, config.std))
    pixels = images.float() / 255
    return Batch(
        ((pixels - mean) / std).contiguous(memory_format=torch.channels_last),
        torch.from_numpy(shard.labels[rows]).float(),
        nn.functional.avg_pool2d(masks.unsqueeze(1), 8 // ratio).squeeze(1),
        torch.from_numpy(shard.has_mask[rows]).float(),
        [f"{name}:{row}" for row in rows],
        ["pairs" if row < shard.pair_rows else "labelled" for row in rows],
    )


class PoolBatches:
    """`steps_per_epoch` batches an epoch from shards drawn at random, the newest more often.

    The first shards of a pool hold coarse fakes (`coarse_shards`) and are dropped as the pool fills: the curriculum
    from coarse to fine. With `hard_share` that part of a batch is replaced by samples of high loss from earlier ones.
    What an epoch draws depends on its number, the seed and what the pool then holds.
    """

    def __init__(self, pool: Path, config: FrameConfig, hard: HardSamples[Row] | None = None) -> None:
        self._pool, self._config, self._hard = pool, config, hard
        self._epoch = 0

    def __len__(self) -> int:
        return self._config.steps_per_epoch

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, which seeds what is drawn."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[Batch]:
        rng = np.random.default_rng((self._config.fit.seed, self._epoch))
        made = 0
        while made < len(self):
            paths = shard_paths(self._pool)
            if not paths:
                raise FileNotFoundError(f"No training shards in {self._pool}.")
            weights = np.linspace(0.5, 1.5, len(paths))
            path = paths[int(rng.choice(len(paths), p=weights / weights.sum()))]
            try:
                shard = read_shard(path)
            except FileNotFoundError:  # the writer dropped it between listing and opening
                continue
            for batch in batches(shard, self._config, rng, path.stem):
                yield self._harder(batch, rng)
                made += 1
                if made >= len(self):
                    return

    def _harder(self, batch: Batch, rng: np.random.Generator) -> Batch:
        if self._hard is None:
            return batch
        drawn = self._hard.draw(round(self._config.hard_share * len(batch.names)), rng)
        if not drawn:
            return batch
        # Each replaces a row of its own label, so that a batch stays as balanced as it was.
        labels = batch.labels.numpy()
        free = {label: list(rng.permutation(np.flatnonzero(labels == label))) for label in (0, 1)}
        images, masks, has_mask = batch.images.clone(), batch.masks.clone(), batch.has_mask.clone()
        names, groups = list(batch.names), list(batch.groups)
        for name, label, row in drawn:
            if free[label]:
                place = int(free[label].pop())
                images[place], masks[place], has_mask[place] = row.image.float(), row.mask, row.has_mask
                names[place], groups[place] = name, row.group
        return Batch(images, batch.labels, masks, has_mask, names, groups)


class ShardBatches:
    """A whole shard in order, centred: what is validated on."""

    def __init__(self, shard: Shard, config: FrameConfig) -> None:
        self._shard, self._config = shard, config

    def __iter__(self) -> Iterator[Batch]:
        order = np.arange(len(self._shard.labels))
        for rows in np.array_split(order, max(1, len(order) // 64)):
            yield collate(self._shard, rows, self._config, None, "validation")
