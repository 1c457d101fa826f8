"""Shards of a pool held on the device that trains, for one that is faster than any writer of samples.

A GPU asks for samples many times faster than processors make them. So what was made stays in its memory, each sample is
drawn again and again, and each time it looks a little different: twins always alike, so that nothing but the
manipulation tells them apart.
"""

from __future__ import annotations

import contextlib
import math
import queue
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

from detector.training.data.pool import MASK_STRIDE, Shard, read_shard, shard_paths
from detector.training.frame.config import FrameConfig
from detector.training.frame.samples import Batch

_READ_AHEAD = 2
_SIDES = 0.06  # how far the input's window may be smaller or larger than its nominal side
_CONTRAST, _BRIGHTNESS, _SATURATION = 0.15, 0.08, 0.2
_NOISE = 0.02
_HALF = 0.5
_LOOK_AGAIN_S = 0.2


class DeviceBuffer:
    """`steps_per_epoch` batches an epoch, on `device`, drawn evenly from the newest `keep_shards` shards of `pool`.

    Shards are read in the background as the writers finish them. Pairs stay together. Raises FileNotFoundError where
    the pool is empty. What an epoch draws depends on its number, the seed and what the pool then holds.
    """

    def __init__(self, pool: Path, config: FrameConfig, device: str) -> None:
        self._pool, self._config, self._device = pool, config, torch.device(device)
        self._epoch = 0
        self._pairs = _Ring(config.keep_shards * config.shard_pairs, self._device)
        self._singles = _Ring(config.keep_shards * config.shard_labelled, self._device)
        self._waiting: queue.Queue[Shard] = queue.Queue(_READ_AHEAD)
        self._reader: threading.Thread | None = None

    def __len__(self) -> int:
        return self._config.steps_per_epoch

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, which seeds what is drawn."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[Batch]:
        if not shard_paths(self._pool):
            raise FileNotFoundError(f"No training shards in {self._pool}.")
        if self._reader is None:
            self._reader = threading.Thread(target=self._read, daemon=True)
            self._reader.start()
            self._hold(self._waiting.get())
        draw = torch.Generator(self._device).manual_seed(self._config.fit.seed * 1_000_003 + self._epoch)
        for _ in range(len(self)):
            if not self._waiting.empty():
                self._hold(self._waiting.get())
            yield self._batch(draw)

    def _read(self) -> None:
        """Every shard once, in order, for as long as the process lives; of more than are held, the newest."""
        seen: set[str] = set()
        while True:
            new = [path for path in shard_paths(self._pool) if path.name not in seen]
            for path in new[-self._config.keep_shards :]:
                with contextlib.suppress(FileNotFoundError):  # the writer dropped it between listing and opening
                    self._waiting.put(read_shard(path))
            seen.update(path.name for path in new)
            if not new:
                time.sleep(_LOOK_AGAIN_S)

    def _hold(self, shard: Shard) -> None:
        pairs, rest = shard.pair_rows, slice(shard.pair_rows, None)
        known = torch.from_numpy(shard.has_mask)
        images, masks = torch.from_numpy(shard.images), torch.from_numpy(shard.masks)
        labels = torch.from_numpy(shard.labels)
        self._pairs.add(_twins(images[:pairs]), _twins(masks[:pairs]), _twins(labels[:pairs]), _twins(known[:pairs]))
        self._singles.add(images[rest], masks[rest], labels[rest], known[rest])

    def _batch(self, draw: torch.Generator) -> Batch:
        config = self._config
        count = round(config.fit.batch_size * config.labelled_share) if self._singles.held else 0
        pairs = self._pairs.draw(max(1, (config.fit.batch_size - count) // 2), draw)
        singles = self._singles.draw(count, draw) if count else None
        parts = [varied(pairs[0], pairs[1], config.input_px, draw)]
        labels, known = [pairs[2].flatten()], [pairs[3].flatten()]
        if singles is not None:
            parts.append(varied(singles[0].unsqueeze(1), singles[1].unsqueeze(1), config.input_px, draw))
            labels.append(singles[2])
            known.append(singles[3])
        pixels, masks = (torch.cat(group) for group in zip(*parts, strict=True))
        mean, std = (pixels.new_tensor(values).view(1, 3, 1, 1) for values in (config.mean, config.std))
        groups = ["pairs"] * len(labels[0]) + ["labelled"] * count
        return Batch(
            ((pixels - mean) / std).contiguous(memory_format=torch.channels_last),
            torch.cat(labels).float(),
            masks,
            torch.cat(known).float(),
            [""] * len(groups),
            groups,
        )


class _Ring:
    """Rows of pictures, masks, labels and whether the mask is known; the newest replace the oldest beyond `most`."""

    def __init__(self, most: int, device: torch.device) -> None:
        self._most, self._device = most, device
        self._rows: tuple[Tensor, ...] = ()
        self._added = 0

    @property
    def held(self) -> int:
        return min(self._added, self._most)

    def add(self, *rows: Tensor) -> None:
        count = len(rows[0])
        if not count:
            return
        if not self._rows:
            shapes = [(self._most, *row.shape[1:]) for row in rows]
            self._rows = tuple(
                torch.empty(shape, dtype=row.dtype, device=self._device)
                for shape, row in zip(shapes, rows, strict=True)
            )
        places = (torch.arange(self._added, self._added + count) % self._most).to(self._device)
        for held, row in zip(self._rows, rows, strict=True):
            held[places] = row.to(self._device)
        self._added += count

    def draw(self, count: int, draw: torch.Generator) -> tuple[Tensor, ...]:
        chosen = torch.randint(self.held, (count,), generator=draw, device=self._device)
        return tuple(rows[chosen] for rows in self._rows)


def _twins(rows: Tensor) -> Tensor:
    """(2N, ...) -> (N, 2, ...)."""
    return rows.unflatten(0, (-1, 2))


def varied(images: Tensor, masks: Tensor, side_px: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """Input windows of stored crops, each set of twins changed in one way: mirrored, contrast, brightness, saturation
    and grain; all of them windows of one size, drawn, at one place.

    `images` (N, K, S, S, 3) uint8, `masks` (N, K, S/4, S/4) uint8 -> (N * K, 3, side, side) float32 0..1 and
    (N * K, side/8, side/8) float32 0..1.
    """
    count, stored = len(images), images.shape[2]

    def uniform(low: float, high: float) -> Tensor:
        return torch.empty((count, 1, 1, 1, 1), device=images.device).uniform_(low, high, generator=draw)

    # One window a batch: half of the time of the very size the network reads, so that nothing is resampled.
    cells, most = side_px // MASK_STRIDE, stored // MASK_STRIDE
    if float(torch.rand((), generator=draw, device=images.device)) < _HALF:
        spread = math.floor(cells * _SIDES)
        high = min(most, cells + spread)
        cells = int(torch.randint(cells - spread, high + 1, (), generator=draw, device=images.device))
    slack = most - cells
    top, left = (int(torch.randint(0, slack + 1, (), generator=draw, device=images.device)) for _ in range(2))
    side = cells * MASK_STRIDE
    rows, columns = (slice(at * MASK_STRIDE, at * MASK_STRIDE + side) for at in (top, left))
    pixels = images[:, :, rows, columns].permute(0, 1, 4, 2, 3).float() / 255  # (N, K, 3, side, side)
    places = masks[:, :, top : top + cells, left : left + cells].float() / 255

    mirrored = uniform(0, 1) < _HALF
    pixels = torch.where(mirrored, pixels.flip(4), pixels)
    places = torch.where(mirrored[..., 0], places.flip(3), places)
    grey = pixels.mean(2, keepdim=True)
    pixels = grey + (pixels - grey) * uniform(1 - _SATURATION, 1 + _SATURATION)
    middle = grey.mean((1, 3, 4), keepdim=True)
    pixels = middle + (pixels - middle) * uniform(1 - _CONTRAST, 1 + _CONTRAST) + uniform(-_BRIGHTNESS, _BRIGHTNESS)
    grain = torch.randn(pixels.shape, generator=draw, device=images.device)
    pixels = pixels + grain * (uniform(-_NOISE, _NOISE).clamp(min=0.0))  # half of the sets get none

    pixels = pixels.flatten(0, 1).clamp(0, 1)
    if side != side_px:
        pixels = nn.functional.interpolate(
            pixels, (side_px, side_px), mode="bilinear", align_corners=False, antialias=True
        )
    target = side_px // 8
    return pixels, nn.functional.adaptive_avg_pool2d(places.flatten(0, 1).unsqueeze(1), (target, target)).squeeze(1)
