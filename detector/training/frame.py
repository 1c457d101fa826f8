"""Train a frame model: batches from a sample pool, label and map loss, EMA, checkpoints that resume."""

from __future__ import annotations

import csv
import math
import os
import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from detector.models import build_network
from detector.training.config import TrainConfig
from detector.training.losses import focal_loss, map_loss, smooth_labels
from detector.training.metrics import binary_metrics
from detector.training.pool import MASK_STRIDE, Shard, read_shard, shard_paths
from detector.training.pretrained import start_from


@dataclass(frozen=True, slots=True)
class Batch:
    """`images` (B, 3, S, S) float32 normalised, `labels` (B,), `masks` (B, S/8, S/8), `has_mask` (B,), all float32."""

    images: Tensor
    labels: Tensor
    masks: Tensor
    has_mask: Tensor


def batches(shard: Shard, config: TrainConfig, rng: np.random.Generator | None) -> Iterator[Batch]:
    """Cut a shard into batches: pairs stay together, labelled crops fill the rest.

    With `rng`: shuffled, the input window placed at random in the stored crop; without: in order, centred."""
    single = np.arange(shard.pair_rows, len(shard.labels))
    pairs = np.arange(shard.pair_rows // 2)
    if rng is not None:
        rng.shuffle(single)
        rng.shuffle(pairs)
    count = round(config.batch_size * config.labelled_share) if len(single) else 0
    pair_count = max(1, (config.batch_size - count) // 2)
    total = min(len(pairs) // pair_count, len(single) // count) if count else len(pairs) // pair_count
    for step in range(total):
        chosen = pairs[step * pair_count : (step + 1) * pair_count]
        rows = np.concatenate([2 * chosen, 2 * chosen + 1, single[step * count : (step + 1) * count]])
        yield _collate(shard, rows, config, rng)


def _collate(shard: Shard, rows: NDArray[np.int64], config: TrainConfig, rng: np.random.Generator | None) -> Batch:
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
    )


class Ema:
    """Exponential moving average of a network's weights and buffers; the average is what is evaluated and shipped."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = deepcopy(network).eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        decay = min(self._decay, (1 + step) / (10 + step))  # short memory while the weights still move fast
        for mean, value in zip(self.network.state_dict().values(), network.state_dict().values(), strict=True):
            if mean.dtype.is_floating_point:
                mean.lerp_(value, 1 - decay)
            else:
                mean.copy_(value)


class FrameTrainer:
    """Holds a run's state. `run_dir` receives `checkpoint.pt` (resume), `log.csv` (a row an epoch)."""

    def __init__(self, config: TrainConfig, run_dir: Path, device: str = "cpu") -> None:
        torch.set_flush_denormal(True)  # from-scratch training slows down manyfold on denormals
        torch.manual_seed(config.seed)
        run_dir.mkdir(parents=True, exist_ok=True)
        self.config, self.run_dir, self.device = config, run_dir, torch.device(device)
        self.network = build_network(config.architecture)
        if config.init:
            start_from(self.network, config.init)
        self.network.to(self.device)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema = Ema(self.network, config.ema_decay)
        decayed = [p for p in self.network.parameters() if p.ndim > 1]
        plain = [p for p in self.network.parameters() if p.ndim <= 1]
        self.optimiser = torch.optim.AdamW(
            [{"params": decayed, "weight_decay": config.weight_decay}, {"params": plain, "weight_decay": 0.0}],
            lr=config.learning_rate,
        )
        self.step, self.elapsed_s = 0, 0.0
        self._checkpoint = run_dir / "checkpoint.pt"
        if self._checkpoint.is_file():
            self._resume()

    @property
    def done(self) -> float:
        """Share of the run that is over: by steps or by time, whichever is further."""
        return max(self.step / self.config.steps, self.elapsed_s / 60 / self.config.budget_minutes)

    def learning_rate(self) -> float:
        """Linear warm-up, then one cosine to 1 % of the peak."""
        if self.step < self.config.warmup_steps:
            return self.config.learning_rate * (self.step + 1) / self.config.warmup_steps
        return self.config.learning_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, self.done))))

    def train_batch(self, batch: Batch) -> float:
        """One optimiser step; returns the loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.learning_rate()
        self.network.train()
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.config.bf16):
            output = self.network.forward_all(batch.images.to(self.device))  # type: ignore[operator]
        target = smooth_labels(batch.labels.to(self.device), self.config.label_smoothing)
        loss = focal_loss(output.logit, target, alpha=self.config.focal_alpha, gamma=self.config.focal_gamma)
        masks, has_mask = batch.masks.to(self.device), batch.has_mask.to(self.device)
        loss = loss + self.config.map_weight * map_loss(output.map_logit, masks, has_mask)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip_norm)
        self.optimiser.step()
        self.step += 1
        self.ema.update(self.network, self.step)
        return float(loss.detach())

    def run(self, pool: Path, validation: Shard) -> None:
        """Train until done, an epoch at a time: evaluate the average on `validation`, log, save."""
        while self.done < 1.0:
            started, losses = time.monotonic(), []
            base_s = self.elapsed_s
            for batch in self._epoch(pool):
                losses.append(self.train_batch(batch))
                self.elapsed_s = base_s + time.monotonic() - started
                if self.done >= 1.0:
                    break
            self._log(float(np.mean(losses)), self.evaluate(validation))
            self.elapsed_s = base_s + time.monotonic() - started
            self.save()

    def _epoch(self, pool: Path) -> Iterator[Batch]:
        """`steps_per_epoch` batches from shards drawn at random, the newest more often."""
        rng = np.random.default_rng((self.config.seed, self.step))
        made = 0
        while made < self.config.steps_per_epoch:
            paths = shard_paths(pool)
            if not paths:
                raise FileNotFoundError(f"No training shards in {pool}.")
            weights = np.linspace(0.5, 1.5, len(paths))
            try:
                shard = read_shard(paths[int(rng.choice(len(paths), p=weights / weights.sum()))])
            except FileNotFoundError:  # the writer dropped it between listing and opening
                continue
            for batch in batches(shard, self.config, rng):
                yield batch
                made += 1
                if made >= self.config.steps_per_epoch:
                    return

    @torch.no_grad()
    def evaluate(self, shard: Shard) -> dict[str, float]:
        """Metrics of the averaged network on the pairs and on the labelled crops of a shard, apart."""
        logits = []
        order = np.arange(len(shard.labels))
        for rows in np.array_split(order, max(1, len(order) // 64)):
            batch = _collate(shard, rows, self.config, None)
            logits.append(self.ema.network(batch.images.to(self.device)).cpu().numpy())
        logit = np.concatenate(logits)
        pairs = order < shard.pair_rows
        report = {}
        for name, chosen in (("pairs", pairs), ("labelled", ~pairs)):
            if chosen.any():
                metrics = binary_metrics(shard.labels[chosen], logit[chosen])
                report.update({f"{name}_{key}": value for key, value in metrics.items()})
        return report

    def _log(self, loss: float, report: dict[str, float]) -> None:
        row = {
            "step": self.step,
            "minutes": round(self.elapsed_s / 60, 2),
            "learning_rate": self.learning_rate(),
            "loss": loss,
            **report,
        }
        path = self.run_dir / "log.csv"
        fresh = not path.is_file()
        with path.open("a", newline="") as out:
            writer = csv.DictWriter(out, fieldnames=list(row))
            if fresh:
                writer.writeheader()
            writer.writerow({key: round(value, 6) for key, value in row.items()})

    def save(self) -> None:
        state = {
            "config_sha256": self.config.sha256,
            "network": self.network.state_dict(),
            "ema": self.ema.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "elapsed_s": self.elapsed_s,
        }
        partial = self._checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        os.replace(partial, self._checkpoint)

    def _resume(self) -> None:
        state = torch.load(self._checkpoint, map_location=self.device, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.ema.network.load_state_dict(state["ema"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.elapsed_s = state["step"], state["elapsed_s"]
