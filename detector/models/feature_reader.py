"""Frame features as every sequence network reads them: in the order of time, standardised, level beside change.

Frames may come in any order, any of them absent; the present ones are put first, in the order of their times in
seconds, so that padding, wherever it lies, changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

CHANNELS: Final = ("level", "deviation", "change")


class Ordered(NamedTuple):
    """Frames by time, present ones first. `features` (B, T, D), 0 where absent; `times_s` (B, T) since the first
    present frame; `present` (B, T), a prefix of each row; `order` (B, T), where each frame came from."""

    features: Tensor
    times_s: Tensor
    present: Tensor
    order: Tensor

    @property
    def lengths(self) -> Tensor:
        """(B,) int: how many frames of each window are present."""
        return self.present.sum(1)

    def as_given(self, values: Tensor) -> Tensor:
        """(B, T) values of ordered frames -> the caller's order, 0 where absent."""
        return torch.zeros_like(values).scatter(1, self.order, values * self.present)

    def pairs_as_given(self, weights: Tensor) -> Tensor:
        """(B, H, T, T) rows and columns of ordered frames -> the caller's order."""
        back = torch.argsort(self.order, dim=1)  # (B, T)
        batch = torch.arange(len(back), device=back.device)[:, None, None]
        return weights.permute(0, 2, 3, 1)[batch, back[:, :, None], back[:, None, :]].permute(0, 3, 1, 2)


def in_order(features: Tensor, times_s: Tensor, present: Tensor) -> Ordered:
    """(B, T, D) features, (B, T) seconds, (B, T) bool. Raises ValueError where shapes differ or a clip has no frame."""
    if features.ndim != 3 or times_s.shape != features.shape[:2] or present.shape != times_s.shape:
        raise ValueError(
            "expected features (B, T, D), times_s and present (B, T), "
            f"found {tuple(features.shape)}, {tuple(times_s.shape)}, {tuple(present.shape)}"
        )
    present = present.bool()
    if not bool(present.any(1).all()):
        raise ValueError("expected at least one present frame in every clip")
    order = torch.where(present, times_s, torch.inf).argsort(dim=1, stable=True)
    present = present.gather(1, order)
    features = features.gather(1, order[:, :, None].expand_as(features))
    times_s = times_s.gather(1, order)
    times_s = torch.where(present, times_s - times_s[:, :1], 0.0)
    return Ordered(features.masked_fill(~present[:, :, None], 0.0), times_s, present, order)


class FeatureReader(nn.Module):
    """Trunk features -> what a sequence network sees: (B, T, D) -> (B, T, `outputs`).

    Features are standardised by the training data's mean and spread (buffers, see `fit`); what is unknown of a frame
    (NaN) is taken as that mean. Of each, `channels` choose: "level" the value, "deviation" from the clip's own mean
    (who the person is cancels out), "change" from the frames just before and after. `witness` > 0 carries a copy of the
    trunk's label head of that hidden width, fixed: what the frame model itself says is one more input, and
    `witness_logit` returns it. The last `looks` of the features are not the trunk's (`detector.models.appearance`,
    `detector.faces.temporal`), so the label head leaves them out; what comes after `features` is not read. Without
    `deep`
    the trunk's own features are for the label head alone: they tell people apart, which few clips teach to ignore.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self,
        features: int,
        channels: Sequence[str] = CHANNELS,
        *,
        gaps: bool = False,
        witness: int = 0,
        looks: int = 0,
        deep: bool = True,
    ) -> None:
        super().__init__()
        if not channels or set(channels) - set(CHANNELS):
            raise ValueError(f"channels: expected some of {', '.join(CHANNELS)}, found {tuple(channels)}")
        self.channels, self.gaps, self.features, self.deep = tuple(channels), gaps, features, features - looks
        self.first = 0 if deep else self.deep  # of the features that are read
        self.register_buffer("mean", torch.zeros(features - self.first))
        self.register_buffer("scale", torch.ones(features - self.first))
        self.witness = _fixed_head(self.deep, witness) if witness else nn.Sequential()
        values = len(self.mean) + (witness > 0)
        if not values:
            raise ValueError("expected something to read: deep features, appearance or the trunk's label head")
        self.outputs = values * (len(channels) + ("change" in channels)) + 2 * gaps

    def fit(self, mean: Tensor, std: Tensor) -> None:
        """Standardise by these of all features, (`features`,) each, from now on; features that never vary stay 0."""
        self.mean.copy_(mean[self.first :])
        self.scale.copy_(torch.where(std > 1e-6, 1 / std.clamp(min=1e-6), 0.0)[self.first :])

    def take_witness(self, label_head: nn.Module) -> None:
        """Copy a frame model's label head: two linear layers with a ReLU between. Raises ValueError for another."""
        layers = [module for module in label_head.modules() if isinstance(module, nn.Linear)]
        own = [module for module in self.witness.modules() if isinstance(module, nn.Linear)]
        if [layer.weight.shape for layer in layers] != [layer.weight.shape for layer in own]:
            raise ValueError(
                f"expected a label head of {[tuple(layer.weight.shape) for layer in own]}, "
                f"found {[tuple(layer.weight.shape) for layer in layers]}"
            )
        for mine, given in zip(own, layers, strict=True):
            mine.load_state_dict(given.state_dict())

    def witness_logit(self, frames: Ordered) -> Tensor:
        """(B, T) the frame model's logit of each frame; 0 without its label head."""
        if not len(self.witness):
            return torch.zeros_like(frames.times_s)
        return self.witness(frames.features[:, :, : self.deep]).squeeze(2) * frames.present

    def forward(self, frames: Ordered) -> Tensor:
        """(B, T, `outputs`), 0 where absent."""
        there = frames.present[:, :, None]
        x = (frames.features[:, :, self.first : self.features] - self.mean) * self.scale  # (B, T, D)
        x = torch.where(x.isnan(), 0.0, x)
        if len(self.witness):
            x = torch.cat([x, self.witness_logit(frames)[:, :, None]], dim=2)
        x = x.clamp(-8, 8).masked_fill(~there, 0.0)
        before, after = _neighbours(frames.lengths, x.shape[1])
        parts = []
        if "level" in self.channels:
            parts.append(x)
        if "deviation" in self.channels:
            parts.append(x - x.sum(1, keepdim=True) / frames.lengths[:, None, None])
        if "change" in self.channels:
            parts += [x - _at(x, before), x - _at(x, after)]
        if self.gaps:
            time = frames.times_s[:, :, None]
            parts += [torch.log(0.02 + (time - _at(time, index)).abs()) for index in (before, after)]
        return torch.cat(parts, dim=2).masked_fill(~there, 0.0)  # (B, T, outputs)


def _fixed_head(features: int, hidden: int) -> nn.Sequential:
    """A label head whose weights are buffers, so that no optimiser moves them."""
    head = nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, 1))
    for layer in head:
        for name, value in list(layer.named_parameters(recurse=False)):
            delattr(layer, name)
            layer.register_buffer(name, value.detach())
    return head


def _neighbours(lengths: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Indices (B, T) of the frame before and of the frame after; the first and last present frames are their own."""
    index = torch.arange(count, device=lengths.device).expand(len(lengths), count)
    return (index - 1).clamp(min=0), torch.minimum(index + 1, lengths[:, None] - 1)


def _at(values: Tensor, index: Tensor) -> Tensor:
    return values.gather(1, index[:, :, None].expand(-1, -1, values.shape[2]))
