"""Hybrid sequence network: CNN features beside LSTM states, fused in one of three ways."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from detector.models.build import architecture
from detector.models.feature_reader import CHANNELS, FeatureReader, in_order
from detector.models.outputs import SequenceOutput
from detector.models.recurrent import TwoWayRecurrence
from detector.models.sequence import AttentionPooling, Heads, VisibleAttention

Variant = Literal["single", "dual", "cross"]


class ResidualProjection(nn.Module):
    """(…, C) -> (…, D): a linear map plus what a small perceptron adds to it, normalised."""

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.straight = nn.Linear(inputs, outputs)
        self.bend = nn.Sequential(nn.GELU(), nn.Dropout(dropout), nn.Linear(outputs, outputs))
        self.norm = nn.LayerNorm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(…, D) of (…, C)."""
        x = self.straight(x)
        return self.norm(x + self.bend(x))


class LateFusion(nn.Module):
    """Each pathway is pooled over time by itself; attention over the two summaries fuses them."""

    def __init__(self, cnn_width: int, width: int) -> None:
        super().__init__()
        self.cnn_pool, self.state_pool = AttentionPooling(cnn_width), AttentionPooling(width)
        self.lift = nn.Linear(cnn_width, width)
        self.score = nn.Sequential(nn.Linear(width, 64), nn.Tanh(), nn.Linear(64, 1, bias=False))

    def forward(self, cnn: Tensor, states: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """The joined summary (B, width) and the pooling weights (B, T), which sum to 1."""
        cnn_summary, cnn_pooling = self.cnn_pool(cnn, present)
        state_summary, state_pooling = self.state_pool(states, present)
        pathways = torch.stack([self.lift(cnn_summary), state_summary], dim=1)  # (B, 2, width)
        share = self.score(pathways).softmax(1)  # (B, 2, 1)
        pooling = share[:, 0] * cnn_pooling + share[:, 1] * state_pooling  # (B, T), sums to 1
        return (share * pathways).sum(1), pooling


class GatedCross(nn.Module):
    """LSTM states ask, CNN features answer; a gate says how much of the answer each state takes."""

    def __init__(self, cnn_width: int, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.lift = nn.Linear(cnn_width, width)
        self.attention = VisibleAttention(width, heads, dropout)
        self.gate = nn.Linear(2 * width, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, cnn: Tensor, states: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, width), and the attention weights (B, heads, T, T)."""
        answer, weight = self.attention(states, self.lift(cnn), present)
        gate = torch.sigmoid(self.gate(torch.cat([states, answer], dim=2)))  # (B, T, width)
        return self.norm(gate * states + (1 - gate) * answer), weight


@architecture("hybrid")
class HybridNet(nn.Module):
    """Features -> residual projection -> two-way LSTM -> attention over time -> width, width/4, width/8, 1.

    `variant`: "single" pools the LSTM's states, "dual" pools CNN features and states apart and fuses them late by
    attention, "cross" lets the states attend to the CNN features through a gate (its weights are the output's
    `attention`). The clip's logit is divided by `temperature` (Guo et al., ICML 2017), fitted after training.
    forward_all: (B, T, `features`) trunk features, (B, T) seconds, (B, T) present -> `SequenceOutput`. `channels` and
    `witness` as in `FeatureReader`.
    """

    temperature: Tensor

    def __init__(
        self,
        features: int = 1280,
        *,
        variant: Variant = "single",
        projection: int = 1024,
        hidden: int = 512,
        layers: int = 1,
        heads: int = 4,
        dropout: float = 0.3,
        channels: Sequence[str] = CHANNELS,
        witness: int = 0,
        looks: int = 0,
    ) -> None:
        super().__init__()
        if variant not in ("single", "dual", "cross"):
            raise ValueError(f"variant: expected single, dual or cross, found {variant!r}")
        self.reader = FeatureReader(features, channels, gaps=True, witness=witness, looks=looks)
        self.project = nn.Sequential(nn.Dropout(dropout), ResidualProjection(self.reader.outputs, projection, dropout))
        self.recurrence = TwoWayRecurrence(projection, hidden, layers, "lstm", dropout)
        width = self.recurrence.outputs  # 1024 by default
        self.norm = nn.LayerNorm(width)
        self.cross = GatedCross(projection, width, heads, dropout) if variant == "cross" else None
        self.late = LateFusion(projection, width) if variant == "dual" else None
        self.pool = AttentionPooling(width) if variant != "dual" else None
        sizes = (width, width // 4, width // 8)
        clip = nn.Sequential(
            *(
                layer
                for inputs, outputs in pairwise(sizes)
                for layer in (nn.Linear(inputs, outputs), nn.LayerNorm(outputs), nn.GELU(), nn.Dropout(dropout))
            ),
            nn.Linear(sizes[-1], 1),
        )
        self.heads = Heads(width, dropout, with_witness=witness > 0, clip=clip)
        self.register_buffer("temperature", torch.ones(()))

    def forward_all(self, features: Tensor, times_s: Tensor, present: Tensor) -> SequenceOutput:
        """Logit, logits of frames and attention; features (B, T, D), times (B, T) in s, present (B, T) bool."""
        frames = in_order(features, times_s, present)
        cnn = self.project(self.reader(frames))  # (B, T, projection)
        states = self.norm(self.recurrence(cnn, frames.lengths))  # (B, T, width)
        attention: tuple[Tensor, ...] = ()
        if self.cross is not None:
            states, weight = self.cross(cnn, states, frames.present)
            attention = (frames.pairs_as_given(weight),)
        if self.late is not None:
            pooled, pooling = self.late(cnn, states, frames.present)
        else:
            assert self.pool is not None
            pooled, pooling = self.pool(states, frames.present)
        logit, frame_logit = self.heads(pooled, states, pooling, self.reader.witness_logit(frames))
        return SequenceOutput(
            logit / self.temperature, frames.as_given(frame_logit), frames.as_given(pooling), attention
        )

    def forward(self, features: Tensor, times_s: Tensor, present: Tensor) -> Tensor:
        """-> (B,) logits of P(manipulated)."""
        return self.forward_all(features, times_s, present).logit
