"""Frame features through time: attention, the heads that every sequence network shares, and the transformer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from detector.models.build import architecture
from detector.models.feature_reader import CHANNELS, FeatureReader, Ordered, in_order
from detector.models.frame_pair import FramePairNet
from detector.models.outputs import SequenceOutput

_SHORTEST_S, _LONGEST_S = 0.08, 60.0


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
        """Summary (B, C) of (B, T, C) and its weights (B, T), which sum to 1 and are 0 where absent."""
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
        """(B, T, C) that attends to `source` (B, S, C), and the weights (B, heads, T, S)."""

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
        """(B, T, C), and the attention weights (B, heads, T, T)."""
        normal = self.norm_attention(x)
        mixed, weight = self.attention(normal, normal, present)
        x = x + self.dropout(mixed)
        return x + self.dropout(self.mlp(self.norm_mlp(x))), weight


@architecture("transformer")
class TransformerNet(nn.Module):
    """Encoder over frame features, positions in seconds, attention pooling; returns every weight it attended with.

    forward_all: (B, T, `features`) trunk features, (B, T) seconds, (B, T) present -> `SequenceOutput`.
    `channels`, `witness`, `looks` and `deep` as in `FeatureReader`. `change` carries a `FramePairNet` of these
    arguments
    along, `self.change`: its logit of each frame is then the value after `features`, NaN where no frame came just
    before; `change_gain` of it, set after training, is added to the logits of frames, and of the mean of its higher
    half to the clip's.
    """

    change_gain: Tensor

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
        change: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.reader = FeatureReader(features, channels, witness=witness, looks=looks, deep=deep)
        self.embed = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.reader.outputs, width))
        self.layers = nn.ModuleList(EncoderLayer(width, heads, expansion, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.pool = AttentionPooling(width)
        self.heads = Heads(width, dropout, with_witness=witness > 0)
        self.change = None if change is None else FramePairNet(**change).requires_grad_(False)
        if change is not None:
            self.register_buffer("change_gain", torch.zeros(()))

    def forward_all(self, features: Tensor, times_s: Tensor, present: Tensor) -> SequenceOutput:
        """Logit, logits of frames and attention; features (B, T, D), times (B, T) in s, present (B, T) bool."""
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
        if self.change is not None:
            change, told = self._change(frames)
            logit, frame_logit = logit + self.change_gain * told, frame_logit + self.change_gain * change
        return SequenceOutput(logit, frames.as_given(frame_logit), frames.as_given(pooling), tuple(attention))

    def _change(self, frames: Ordered) -> tuple[Tensor, Tensor]:
        """Logits of the pairs, of each frame (B, T), their mean where a frame has none, and of the clip (B,), the mean
        of the higher half, for a manipulation need not last; 0 for a clip without any."""
        logit = frames.features[:, :, self.reader.features]
        known = frames.present & ~logit.isnan()
        count = known.sum(1)
        mean = logit.masked_fill(~known, 0.0).sum(1) / count.clamp(min=1)
        highest = logit.masked_fill(~known, -torch.inf).sort(dim=1, descending=True).values
        half = torch.arange(logit.shape[1], device=logit.device) < (count[:, None] + 1) // 2
        upper = highest.masked_fill(~half, 0.0).sum(1) / half.sum(1).clamp(min=1)
        return torch.where(known, logit, mean[:, None]), upper

    def forward(self, features: Tensor, times_s: Tensor, present: Tensor) -> Tensor:
        """-> (B,) logits of P(manipulated)."""
        return self.forward_all(features, times_s, present).logit


class Heads(nn.Module):
    """Logit of the clip and of each frame; with the trunk's label head (`witness`) both start from its logits."""

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
