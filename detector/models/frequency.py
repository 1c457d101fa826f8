"""A crop seen through its frequencies: up-sampling and compression leave peaks there that pixels hardly show."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

BLOCK_PX = 8
_GRID = 32


def dct_filters(side: int = BLOCK_PX) -> Tensor:
    """The orthonormal two-dimensional DCT-II of a block as filters (side², 1, side, side), ITU-T T.81 A.3.3."""
    place = torch.arange(side, dtype=torch.float64)
    basis = torch.cos(math.pi * (2 * place + 1) * place[:, None] / (2 * side)) * math.sqrt(2 / side)
    basis[0] /= math.sqrt(2)
    return torch.einsum("ux,vy->uvxy", basis, basis).reshape(side * side, 1, side, side).float()


class FrequencyBranch(nn.Module):
    """Features of the spectrum. (B, 3, S, S) normalised -> (B, width) float32.

    "fft": log amplitude of the high-pass luma under a Hann window, half plane, averaged to 32 x 32, through two
    convolutions (after Frank et al., ICML 2020, and Durall et al., CVPR 2020). "dct": mean and spread over all 8 x 8
    blocks of the log size of their 63 AC coefficients, whose histograms double compression changes (after Qian et al.,
    ECCV 2020). S at least 64.
    """

    def __init__(self, kind: Literal["fft", "dct"] = "fft", width: int = 64) -> None:
        super().__init__()
        if kind not in ("fft", "dct"):
            raise ValueError(f"frequency: expected 'fft' or 'dct', found {kind!r}")
        self.kind, self.width = kind, width
        self.filters: Tensor
        if kind == "fft":
            self.read = nn.Sequential(
                nn.BatchNorm2d(1),
                nn.Conv2d(1, width // 2, 3, padding=1),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Conv2d(width // 2, width, 3, padding=1),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.AdaptiveAvgPool2d(4),
                nn.Flatten(),
                nn.Linear(16 * width, width),
            )
        else:
            self.register_buffer("filters", dct_filters()[1:], persistent=False)  # (63, 1, 8, 8), without the mean
            self.read = nn.Sequential(nn.BatchNorm1d(126), nn.Linear(126, width), nn.ReLU(), nn.Linear(width, width))

    def spectrum(self, x: Tensor) -> Tensor:
        """The spectrum that is read: "fft" (B, 1, 32, 32), "dct" (B, 126); float32 whatever the precision around it."""
        with torch.autocast(x.device.type, enabled=False):  # neither transform is sound in half precision
            luma = (x.float() * x.new_tensor([0.299, 0.587, 0.114], dtype=torch.float32).view(1, 3, 1, 1)).sum(
                1, keepdim=True
            )
            if self.kind == "dct":
                size = torch.log(nn.functional.conv2d(luma, self.filters, stride=BLOCK_PX).abs() + 1e-3)
                return torch.cat([size.mean((2, 3)), size.std((2, 3))], dim=1)
            smooth = nn.functional.avg_pool2d(nn.functional.pad(luma, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
            side = x.shape[-1]
            window = torch.hann_window(side, periodic=False, device=x.device)
            wave = torch.fft.rfft2((luma - smooth) * window * window[:, None], norm="ortho")  # (B, 1, S, S/2 + 1)
            amplitude = torch.log(torch.fft.fftshift(wave, dim=2).abs() + 1e-3)
            return nn.functional.adaptive_avg_pool2d(amplitude, _GRID)

    def forward(self, x: Tensor) -> Tensor:
        """Features (B, D) float32 of pictures (B, 3, S, S)."""
        return self.read(self.spectrum(x)).float()
