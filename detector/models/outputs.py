"""Outputs of networks. Logits are of P(manipulated); B samples, T frames, h x w places."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class FrameOutput(NamedTuple):
    """`logit` (B,) of the whole crop; `map_logit` (B, H/8, W/8) of each place (X-ray style blend map); `features`
    (B, feature_dim), what the label rests on and what sequence models read."""

    logit: Tensor
    map_logit: Tensor
    features: Tensor


class SequenceOutput(NamedTuple):
    """`logit` (B,) of the clip; `frame_logit` (B, T) of each frame in its context; `pooling` (B, T) attention weights,
    0 where padded, summing to 1; `attention` one (B, heads, T, T) tensor a layer, rows summing to 1, empty for
    recurrent models."""

    logit: Tensor
    frame_logit: Tensor
    pooling: Tensor
    attention: tuple[Tensor, ...] = ()


class SpecialistOutput(NamedTuple):
    """One cue: `logit` (B,); `map_logit` (B, h, w); `channels` (B, C, h, w), the named channels as maps; `features`
    (B, L, F), what the label rests on in each of L looks, whose logits' mean is the logit."""

    logit: Tensor
    map_logit: Tensor
    channels: Tensor
    features: Tensor


class AudioVisualOutput(NamedTuple):
    """`logit` (B,) of the clip; `sync` (B, W) logits of P(out of sync) a window; `lag_logits` (B, W, L) how well each
    lag explains the window, -inf where unknown."""

    logit: Tensor
    sync: Tensor
    lag_logits: Tensor | None = None
