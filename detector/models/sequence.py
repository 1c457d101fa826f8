"""Frame features through time: what every sequence network reads, and the transformer.

Time is in seconds everywhere. Frames may come in any order, any of them absent; each network first puts the present
ones in the order of their times, so that padding, wherever it lies, changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from detector.models.outputs import SequenceOutput

CHANNELS: Final = ("level", "deviation", "change")
_SHORTEST_S, _LONGEST_S = 0.08, 60.0


class Ordered(NamedTuple):
    """Frames by time, present ones first. `features` (B, T, D), 0 where absent; `times_s` (B, T) since the first
    present frame; `present` (B, T), a prefix of each row; `order` (B, T), where each frame came from."""

    features: Tensor
    times_s: Tensor
    present: Tensor
    order: Tensor

    @property
    def lengths(self) -> Tensor:
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
    `witness_logit` returns it. The last `looks` of the features are not the trunk's (`detector.models.looks`,
    `detector.faces.change`), so the witness leaves them out; what comes after `features` is not read. Without `deep`
    the trunk's own features are for the witness alone: they tell people apart, which few clips teach to ignore.
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
            raise ValueError("expected something to read: deep features, looks or a witness")
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
        """(B, T) the frame model's logit of each frame; 0 without a witness."""
        if not len(self.witness):
            return torch.zeros_like(frames.times_s)
        return self.witness(frames.features[:, :, : self.deep]).squeeze(2) * frames.present

    def forward(self, frames: Ordered) -> Tensor:
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


def seconds_encoding(times_s: Tensor, width: int) -> Tensor:
    """Sines and cosines of time in seconds, periods from 0.08 s to 60 s: (B, T) -> (B, T, width).

    The fixed encoding of Vaswani et al., NeurIPS 2017, with seconds in place of the index.
    """
    steps = torch.linspace(0, 1, width // 2, device=times_s.device)
    periods = _SHORTEST_S * (_LONGEST_S / _SHORTEST_S) ** steps  # (width / 2,)
    angle = 2 * math.pi * times_s[:, :, None] / periods
    return torch.cat([angle.sin(), angle.cos()], dim=2)


class AttentionPooling(nn.Module):
    """A learned weighted mean over time (Ilse et al., ICML 2018): (B, T, C) -> (B, C) and the weights (B, T)."""

    def __init__(self, width: int, hidden: int = 64) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Linear(width, hidden), nn.Tanh(), nn.Linear(hidden, 1, bias=False))

    def forward(self, x: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        score = self.score(x).squeeze(2).masked_fill(~present, -torch.inf)
        weight = torch.softmax(score, dim=1)  # (B, T), exactly 0 where absent
        return (x * weight[:, :, None]).sum(1), weight


class VisibleAttention(nn.Module):
    """Multi-head attention that hands out its weights. (B, T, C), (B, S, C), (B, S) bool -> (B, T, C), (B, H, T, S)."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} is not a multiple of {heads} heads")
        self.heads = heads
        # Keys have no bias: a constant added to all of a query's scores changes no weight.
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width, bias=False)
        self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, source: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        def split(values: Tensor) -> Tensor:
            return values.unflatten(2, (self.heads, -1)).transpose(1, 2)  # (B, H, T, C / H)

        query, key, value = split(self.query(x)), split(self.key(source)), split(self.value(source))
        score = query @ key.transpose(2, 3) / math.sqrt(query.shape[-1])
        weight = score.masked_fill(~present[:, None, None, :], -torch.inf).softmax(-1)  # (B, H, T, S)
        mixed = (self.dropout(weight) @ value).transpose(1, 2).flatten(2)
        return self.out(mixed), weight


class EncoderLayer(nn.Module):
    """Pre-norm transformer layer (Xiong et al., ICML 2020) with GELU."""

    def __init__(self, width: int, heads: int, expansion: int, dropout: float) -> None:
        super().__init__()
        self.norm_attention, self.norm_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = VisibleAttention(width, heads, dropout)
        self.mlp = nn.Sequential(
            nn.Linear(width, expansion * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(expansion * width, width)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        normal = self.norm_attention(x)
        mixed, weight = self.attention(normal, normal, present)
        x = x + self.dropout(mixed)
        return x + self.dropout(self.mlp(self.norm_mlp(x))), weight


class TransformerNet(nn.Module):
    """Encoder over frame features, positions in seconds, attention pooling; returns every weight it attended with.

    forward_all: (B, T, `features`) trunk features, (B, T) seconds, (B, T) present -> `SequenceOutput`.
    `channels`, `witness`, `looks` and `deep` as in `FeatureReader`.
    """

    def __init__(
        self,
        features: int = 1280,
        *,
        width: int = 256,
        layers: int = 4,
        heads: int = 4,
        expansion: int = 4,
        dropout: float = 0.1,
        channels: Sequence[str] = CHANNELS,
        witness: int = 0,
        looks: int = 0,
        deep: bool = True,
    ) -> None:
        super().__init__()
        self.reader = FeatureReader(features, channels, witness=witness, looks=looks, deep=deep)
        self.embed = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.reader.outputs, width))
        self.layers = nn.ModuleList(EncoderLayer(width, heads, expansion, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.pool = AttentionPooling(width)
        self.heads = Heads(width, dropout, with_witness=witness > 0)

    def forward_all(self, features: Tensor, times_s: Tensor, present: Tensor) -> SequenceOutput:
        frames = in_order(features, times_s, present)
        x = self.embed(self.reader(frames))
        x = x + seconds_encoding(frames.times_s, x.shape[2])  # (B, T, width)
        attention = []
        for layer in self.layers:
            x, weight = layer(x, frames.present)
            attention.append(frames.pairs_as_given(weight))
        x = self.norm(x)
        pooled, pooling = self.pool(x, frames.present)
        logit, frame_logit = self.heads(pooled, x, pooling, self.reader.witness_logit(frames))
        return SequenceOutput(logit, frames.as_given(frame_logit), frames.as_given(pooling), tuple(attention))

    def forward(self, features: Tensor, times_s: Tensor, present: Tensor) -> Tensor:
        """-> (B,) logits of P(manipulated)."""
        return self.forward_all(features, times_s, present).logit


class Heads(nn.Module):
    """Logit of the clip and of each frame; with a witness both start from what the frame model says of the frames."""

    def __init__(self, width: int, dropout: float, *, with_witness: bool, clip: nn.Module | None = None) -> None:
        super().__init__()
        self.clip = clip or nn.Sequential(
            nn.Linear(width, width // 2), nn.GELU(), nn.Dropout(dropout), nn.Linear(width // 2, 1)
        )
        self.frame = nn.Linear(width, 1)
        self.gain = nn.Parameter(torch.tensor([0.5, 0.5])) if with_witness else None

    def forward(self, pooled: Tensor, states: Tensor, pooling: Tensor, witness: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C), (B, T, C), (B, T), (B, T) -> (B,), (B, T)."""
        clip, frame = self.clip(pooled).squeeze(1), self.frame(states).squeeze(2)
        if self.gain is not None:
            clip = clip + self.gain[0] * (pooling * witness).sum(1)
            frame = frame + self.gain[1] * witness
        return clip.float(), frame.float()
