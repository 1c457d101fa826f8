"""Train the network over pairs of frames that a sequence model carries along (`detector.models.frame_pair`).

It is fitted by itself, on pairs of genuine and manipulated twins at one moment. The sequence model is not fitted to
what it says, which is too sure of the clips that it was fitted to itself; how much its word weighs is chosen on
validation clips (`fit_pair_gain`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from detector.errors import SettingsError
from detector.faces.temporal import frame_pair, thumbnail
from detector.measurement.metrics import rank_auc
from detector.models.frame_pair import FramePairNet, mirrored
from detector.registry.loaded import pair_logits
from detector.training.data.clip_crops import read_shard, shard_files
from detector.training.engine.config import FitConfig
from detector.training.engine.fit import fit
from detector.training.engine.mixing import Mixup, draw_mixup
from detector.training.engine.module import BinaryModule, StepOutput
from detector.training.engine.progress import tracked
from detector.training.sequence.features import ClipFeatures
from detector.training.sequence.samples import score_clip, twin_sets

GAINS: Final = tuple(np.linspace(0, 3, 31).round(2).tolist())
_MIXED_SHARE, _HIDDEN_SHARE, _MUTED_SHARE = 0.5, 0.6, 0.2
_MOST_SHIFT_PX, _MOST_NOISE = 3, 0.15
_GROUPS: Final = (slice(0, 3), slice(3, 6), slice(6, 8), slice(8, 9))  # of `FramePairNet.inputs`: what may be muted


class PairBatch(NamedTuple):
    """`pairs` (B, 64, 64, 11) uint8 as of `frame_pair`, `labels` (B,), `names` (B) what metrics are told apart by. In
    training row 2i + 1 is the manipulated twin of row 2i."""

    pairs: Tensor
    labels: Tensor
    names: list[str]


def extract_pairs(crops: Path, folder: Path) -> Path:
    """The pairs of every shard of `crops` in `folder`, (N, 64, 64, 11) uint8 a file; what is there is kept. They depend
    on no weights. Returns `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    unread = [path for path in shard_files(crops) if not (folder / f"{path.stem}.npy").is_file()]
    for path in tracked(unread, f"pairs of frames of {crops.name}"):
        shard, out = read_shard(path), folder / f"{path.stem}.npy"
        known = zip(shard.crops, shard.before, shard.has_before, strict=True)
        pairs = np.stack([frame_pair(before if there else None, thumbnail(crop)) for crop, before, there in known])
        partial = out.with_name(f".{path.stem}.partial.npy")
        np.save(partial, pairs)
        partial.replace(out)
    return folder


class TwinPairs:
    """Batches for training: each epoch takes every genuine frame with one just before it once, beside one of its twins
    that is manipulated at that moment. Equal seed and epoch give equal batches. Raises SettingsError where there is no
    such frame."""

    def __init__(self, clips: Sequence[ClipFeatures], *, batch_size: int, seed: int = 0) -> None:
        self._moments = [
            (real, row, fakes)
            for twins in twin_sets(clips)
            for real in twins
            if not real.label
            for row in np.flatnonzero(known_pairs(real))
            if (fakes := [clip for clip in twins if clip.label and clip.manipulated[row]])
        ]
        if not self._moments:
            raise SettingsError("There is no genuine frame with one just before it and a manipulated twin to train on.")
        self._half, self._seed, self._epoch = max(1, batch_size // 2), seed, 0

    def set_epoch(self, number: int) -> None:
        """Choose the epoch, which seeds what is drawn."""
        self._epoch = number

    def __len__(self) -> int:
        return max(1, len(self._moments) // self._half)

    def __iter__(self) -> Iterator[PairBatch]:
        rng = np.random.default_rng((self._seed, self._epoch))
        order = rng.permutation(len(self._moments))
        for step in range(len(self)):
            rows = []
            for number in order[step * self._half : (step + 1) * self._half]:
                real, row, fakes = self._moments[number]
                rows += [(real, row), (fakes[int(rng.integers(len(fakes)))], row)]
            yield _collate(rows)


def known_pairs(clip: ClipFeatures) -> NDArray[np.bool_]:
    """(T,) which frames have a pair: those whose changes since the frame just before are known."""
    return ~np.isnan(clip.features[:, -1])


class _Held:
    """Every frame with one just before it, in batches read anew each time: all at once they would fill the memory."""

    def __init__(self, clips: Sequence[ClipFeatures], batch_size: int) -> None:
        rows = [(clip, int(row)) for clip in clips for row in np.flatnonzero(known_pairs(clip))]
        self._batches = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[PairBatch]:
        return map(_collate, self._batches)


def _collate(rows: Sequence[tuple[ClipFeatures, int]]) -> PairBatch:
    pairs = []
    for clip, row in rows:
        assert clip.pairs is not None
        pairs.append(clip.pairs[row])
    labels = [float(clip.manipulated[row]) for clip, row in rows]
    return PairBatch(torch.from_numpy(np.stack(pairs)), torch.tensor(labels), [clip.group_name for clip, _ in rows])


class ChangeModule(BinaryModule):
    """Loss of the pair's label; in training the twins of a batch are varied alike."""

    def step(self, batch: PairBatch) -> StepOutput:
        """The loss and the logits of one batch."""
        network: Any = self.network
        inputs, labels = network.inputs(batch.pairs), batch.labels
        if self.training:
            inputs = vary(inputs)
            if self.config.mixup_alpha and torch.rand(()) < _MIXED_SHARE:
                mix = Mixup(torch.arange(len(labels)) ^ 1, draw_mixup(len(labels), self.config.mixup_alpha).own_share)
                inputs, labels = mix.blend(inputs), mix.blend(labels)
        logit = network.judge(inputs)
        return StepOutput(self.label_loss(logit, labels), logit, labels, batch.names)


def vary(inputs: Tensor) -> Tensor:
    """(2N, 9, 64, 64) inputs of twins -> the same, each two mirrored, scaled, moved, partly hidden or muted, and noisy
    alike. Changes `inputs`."""
    side = inputs.shape[2]
    shift = torch.randint(-_MOST_SHIFT_PX, _MOST_SHIFT_PX + 1, (2,)).tolist()
    inputs = torch.roll(inputs, shift, (2, 3))
    for twins in inputs.split(2):
        if torch.rand(()) < 0.5:
            twins.copy_(mirrored(twins))
        light = float(torch.exp(0.2 * torch.randn(())))
        twins[:, : _GROUPS[1].stop] *= light
        twins[:, _GROUPS[3]] *= light
        if torch.rand(()) < _HIDDEN_SHARE:
            height, width = torch.randint(side * 3 // 16, side * 5 // 8, (2,)).tolist()
            top, left = (int(torch.randint(0, side - length + 1, ())) for length in (height, width))
            twins[:, :, top : top + height, left : left + width] = 0
        for group in _GROUPS:
            if torch.rand(()) < _MUTED_SHARE:
                twins[:, group] = 0
        twins += torch.randn(twins.shape[1:], device=inputs.device) * (_MOST_NOISE * float(torch.rand(())))
    return inputs


def fit_frame_pairs(
    architecture: Mapping[str, Any],
    config: FitConfig,
    train: Sequence[ClipFeatures],
    validation: Sequence[ClipFeatures],
    run_dir: Path,
    device: str = "cpu",
    facts: Mapping[str, Any] | None = None,
) -> FramePairNet:
    """A `FramePairNet` of these arguments fitted to pairs of clips, of the epoch of highest validation AUC of frames.
    The clips have `pairs`. Raises SettingsError where no clip has a pair and a twin."""
    torch.manual_seed(config.seed)
    network = FramePairNet(**architecture).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    module = ChangeModule(network, config)
    batches = TwinPairs(train, batch_size=config.batch_size, seed=config.seed)
    held = _Held(validation, 2 * config.batch_size)
    fit(module, batches, held, config, run_dir, device=device, facts=facts, keep="auc")
    return network.eval().cpu()


def with_pair_logits(network: nn.Module, clips: Sequence[ClipFeatures]) -> list[ClipFeatures]:
    """The clips as a sequence network with a `FramePairNet` reads them: its logit of each frame after the features.
    Clips
    of a network without one are returned as they are. Raises SettingsError where the pairs of a clip are not there."""
    change = getattr(network, "change", None)
    if change is None:
        return list(clips)
    told = []
    for clip in clips:
        if clip.pairs is None:
            raise SettingsError("The network reads pairs of frames; those of the clips were not extracted.")
        logits = np.where(known_pairs(clip), pair_logits(change, clip.pairs), np.nan).astype(np.float32)
        told.append(replace(clip, features=np.concatenate([clip.features, logits[:, None]], axis=1)))
    return told


@torch.no_grad()
def fit_pair_gain(network: nn.Module, clips: Sequence[ClipFeatures], frames: int) -> float:
    """Set `change_gain` to that of `GAINS` with which `score_clip` ranks `clips`, of `with_pair_logits`, best; return
    it."""
    network.eval()
    labels = np.array([clip.label for clip in clips])
    without, once = (np.array([_scored(network, clip, frames, gain) for clip in clips]) for gain in (0.0, 1.0))
    best = max(GAINS, key=lambda gain: rank_auc(labels, without + gain * (once - without)))
    network.change_gain.fill_(best)  # type: ignore[operator]
    return best


def _scored(network: nn.Module, clip: ClipFeatures, frames: int, gain: float) -> float:
    network.change_gain.fill_(gain)  # type: ignore[operator]
    return score_clip(network, clip, frames).logit
