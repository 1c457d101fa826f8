"""Inputs of the specialists' measurements: planes of the crop in physical units, and means over cells, neighbourhoods
and the surroundings of the face.

Maps lie at stride 8. The crop was resampled when it was cut, so a codec's 8-px grid lies at an unknown period and
phase: nothing here assumes that cells coincide with a codec's blocks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import Tensor
from torch.nn import functional

CELL_PX: Final = 8
# The face fills 1 / (1 + 2 x 0.45) of the crop's side; hair and neck are left to the surroundings.
_FACE_RADII: Final = (0.33, 0.27)  # vertical, horizontal, as a share of the crop's side
_LUMA: Final = (0.299, 0.587, 0.114)  # ITU-R BT.601
_CB: Final = (-0.168736, -0.331264, 0.5)
_CR: Final = (0.5, -0.418688, -0.081312)
_NOISE_KERNEL: Final = ((1.0, -2.0, 1.0), (-2.0, 4.0, -2.0), (1.0, -2.0, 1.0))


@dataclass(frozen=True, slots=True)
class Signals:
    """Planes (B, C, S, S) float32. `rgb` 0..1; `luma` and `chroma` (Cb, Cr) in grey levels; `slope_x`, `slope_y` luma
    differences a pixel; `residual` and `chroma_residual` after a 3x3 mask that cancels ramps and edges along axes
    (Immerkaer, CVIU 1996), scaled so that its mean magnitude is the standard deviation of white noise. `cache` keeps
    what several modules compute from these."""

    rgb: Tensor
    luma: Tensor
    chroma: Tensor
    slope_x: Tensor
    slope_y: Tensor
    residual: Tensor
    chroma_residual: Tensor
    cache: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def steepness(self) -> Tensor:
        """Gradient magnitude of luma in grey levels a pixel, (B, 1, S, S)."""
        return torch.sqrt(self.slope_x.square() + self.slope_y.square() + 1e-6)


def signals_of(rgb: Tensor) -> Signals:
    """From (B, 3, S, S) RGB in 0..1."""
    weights = torch.tensor((_LUMA, _CB, _CR), device=rgb.device, dtype=rgb.dtype).view(3, 3, 1, 1)
    planes = functional.conv2d(rgb * 255, weights)
    kernel = torch.tensor(_NOISE_KERNEL, device=rgb.device, dtype=rgb.dtype).expand(3, 1, 3, 3)
    # |N(0, s)| has mean s x sqrt(2 / pi); the mask's weights have norm 6.
    filtered = functional.conv2d(_edge(planes, 1), kernel, groups=3) * (math.sqrt(math.pi / 2) / 6)
    luma = planes[:, :1]
    wide = _edge(luma, 1)
    slope_x = (wide[..., 1:-1, 2:] - wide[..., 1:-1, :-2]) / 2
    slope_y = (wide[..., 2:, 1:-1] - wide[..., :-2, 1:-1]) / 2
    return Signals(rgb, luma, planes[:, 1:], slope_x, slope_y, filtered[:, :1], filtered[:, 1:])


def _edge(planes: Tensor, size: int) -> Tensor:
    return functional.pad(planes, (size,) * 4, mode="replicate")


def cells(plane: Tensor) -> Tensor:
    """Mean over each 8x8 cell: (B, C, S, S) -> (B, C, S/8, S/8)."""
    return functional.avg_pool2d(plane, CELL_PX)


def smoothed(plane: Tensor, size: int) -> Tensor:
    """Mean over `size` x `size` (odd) about each place, edges averaged over what is there; same shape."""
    reach = size // 2
    # Pooling works on several channels at once, and in this layout every plane is one: a fifth of the time on a CPU.
    planes = plane.flatten(0, 1)[None].contiguous(memory_format=torch.channels_last)  # (1, B * C, H, W)
    rows = functional.avg_pool2d(planes, (1, size), stride=1, padding=(0, reach), count_include_pad=False)
    means = functional.avg_pool2d(rows, (size, 1), stride=1, padding=(reach, 0), count_include_pad=False)
    return means.contiguous().view(plane.shape)


def sigma(residual: Tensor) -> Tensor:
    """Noise level in grey levels a cell from a residual plane: (B, C, S, S) -> (B, C, S/8, S/8)."""
    return cells(residual.abs())


def log_level(values: Tensor, floor: float) -> Tensor:
    """Natural logarithm with a floor, so that flat places stay finite."""
    return torch.log(values + floor)


def step_from_neighbours(values: Tensor, size: int = 9) -> Tensor:
    """Difference from the mean of the `size` x `size` cells about each cell; same shape."""
    return values - smoothed(values, size)


def _outside(values: Tensor) -> Tensor:
    """1 outside the ellipse in which the face lies, 0 inside: (1, 1, h, w)."""
    height, width = values.shape[-2:]
    y = (torch.arange(height, device=values.device, dtype=values.dtype) + 0.5) / height - 0.5
    x = (torch.arange(width, device=values.device, dtype=values.dtype) + 0.5) / width - 0.5
    inside = (y[:, None] / _FACE_RADII[0]).square() + (x[None] / _FACE_RADII[1]).square() < 1
    return (~inside).to(values.dtype)[None, None]


def surroundings(values: Tensor) -> Tensor:
    """Mean over the places around the face: (B, C, h, w) -> (B, C, 1, 1)."""
    weight = _outside(values)
    return (values * weight).sum((2, 3), keepdim=True) / weight.sum()


def face_mean(values: Tensor) -> Tensor:
    """Mean over the face's ellipse: (B, C, h, w) -> (B, C, 1, 1)."""
    weight = 1 - _outside(values)
    return (values * weight).sum((2, 3), keepdim=True) / weight.sum()


def against_surroundings(values: Tensor) -> Tensor:
    """Difference from the mean of the surroundings; same shape."""
    return values - surroundings(values)
