"""Attention over channels and places of a feature map (CBAM, Woo et al., ECCV 2018)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ChannelAttention(nn.Module):
    """Weigh channels by what their mean and maximum say through one small network. (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, channels: int, reduction: int = 16) -> None:
        super().__init__()
        hidden = max(8, channels // reduction)
        self.shared = nn.Sequential(nn.Conv2d(channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), each channel scaled by 0..1."""
        mean, peak = x.mean((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)  # (B, C, 1, 1) each
        return x * torch.sigmoid(self.shared(mean) + self.shared(peak))


class SpatialAttention(nn.Module):
    """Weigh places by the mean and maximum over channels around them. (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, kernel: int = 7) -> None:
        super().__init__()
        self.look = nn.Conv2d(2, 1, kernel, padding=kernel // 2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W), each place scaled by 0..1."""
        seen = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], dim=1)  # (B, 2, H, W)
        return x * torch.sigmoid(self.look(seen))


class Cbam(nn.Sequential):
    """Channels first, then places, as published."""

    def __init__(self, channels: int) -> None:
        super().__init__(ChannelAttention(channels), SpatialAttention())
