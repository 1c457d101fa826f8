"""Inputs of the specialists' measurements: planes of the crop in physical units, and means over cells, neighbourhoods
and the surroundings of the face.

Maps lie at stride 8. The crop was resampled when it was cut, so a codec's 8-px grid lies at an unknown period and
phase: nothing here assumes that cells coincide with a codec's blocks.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, Final, TypeVar

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
LIGHT_FLOOR: Final = 2.0  # grey levels: below this, logarithms of light say nothing
NOISE_FLOOR: Final = 0.1  # grey levels


Kept = TypeVar("Kept")


@dataclass(frozen=True, eq=False)
class Signals:
    """Planes (B, C, S, S) float32. `rgb` 0..1; `luma` and `chroma` (Cb, Cr) in grey levels; `slope_x`, `slope_y` luma
    differences a pixel; `residual` and `chroma_residual` after a 3x3 mask that cancels ramps and edges along axes
    (Immerkaer, CVIU 1996), scaled so that its mean magnitude is the standard deviation of white noise. What several
    modules measure from these is computed when it is first asked for, and kept."""

    rgb: Tensor
    luma: Tensor
    chroma: Tensor
    slope_x: Tensor
    slope_y: Tensor
    residual: Tensor
    chroma_residual: Tensor
    _kept: dict[Callable[..., Any], Any] = field(default_factory=dict, repr=False)

    def once(self, measure: Callable[[Signals], Kept]) -> Kept:
        """`measure` of these signals, computed for the first of the modules that ask for it."""
        if measure not in self._kept:
            self._kept[measure] = measure(self)
        kept: Kept = self._kept[measure]
        return kept

    @cached_property
    def steepness(self) -> Tensor:
        """Gradient magnitude of luma in grey levels a pixel, (B, 1, S, S)."""
        return torch.sqrt(self.slope_x.square() + self.slope_y.square() + 1e-6)

    @cached_property
    def magnitude(self) -> Tensor:
        """Magnitude of the residual, grey levels, (B, 1, S, S)."""
        return self.residual.abs()

    @cached_property
    def darkest_colour(self) -> Tensor:
        """Smallest of R, G and B, 0..1, (B, 1, S, S)."""
        return self.rgb.amin(1, keepdim=True)

    @cached_property
    def fine(self) -> Tensor:
        """Luma less its mean over 3x3, grey levels, (B, 1, S, S)."""
        return less_mean(self.luma, 3)

    @cached_property
    def second_differences(self) -> tuple[Tensor, Tensor]:
        """|2b - a - c| of luma across and down, each (B, 1, S, S), clipped at 20 grey levels."""
        wide = edge(self.luma, 1)
        across = (2 * self.luma - wide[..., 1:-1, :-2] - wide[..., 1:-1, 2:]).abs()
        down = (2 * self.luma - wide[..., :-2, 1:-1] - wide[..., 2:, 1:-1]).abs()
        return across.clamp(max=20.0), down.clamp(max=20.0)

    @cached_property
    def light(self) -> Tensor:
        """Mean luma a cell, grey levels, (B, 1, h, w)."""
        return cells(self.luma)

    @cached_property
    def variance(self) -> Tensor:
        """Variance of luma in each cell, grey levels squared, (B, 1, h, w); from differences, since a flat bright place
        is all rounding in the mean of squares less the square of the mean."""
        height, width = (side // CELL_PX for side in sides(self.luma))
        pixels = self.luma.reshape(-1, 1, height, CELL_PX, width, CELL_PX)
        return (pixels - self.light[:, :, :, None, :, None]).square().mean((3, 5))

    @cached_property
    def log_light(self) -> Tensor:
        """Natural logarithm of `light`, (B, 1, h, w)."""
        return log_level(self.light, LIGHT_FLOOR)

    @cached_property
    def log_colours(self) -> Tensor:
        """Natural logarithms of R, G and B in grey levels, smoothed over 24 px, (B, 3, h, w)."""
        return smoothed(log_level(cells(self.rgb) * 255, LIGHT_FLOOR), 3)

    @cached_property
    def chroma_cells(self) -> Tensor:
        """Mean Cb and Cr a cell, grey levels from grey, (B, 2, h, w)."""
        return cells(self.chroma)

    @cached_property
    def steep(self) -> Tensor:
        """Mean steepness a cell, grey levels a pixel, (B, 1, h, w)."""
        return cells(self.steepness)

    @cached_property
    def noise(self) -> Tensor:
        """Noise level of luma a cell, grey levels, (B, 1, h, w)."""
        return cells(self.magnitude)

    @cached_property
    def log_noise(self) -> Tensor:
        """Natural logarithm of `noise`, (B, 1, h, w)."""
        return log_level(self.noise, NOISE_FLOOR)

    @cached_property
    def log_chroma_noise(self) -> Tensor:
        """Natural logarithm of the noise level of Cb and Cr a cell, grey levels, (B, 1, h, w)."""
        return log_level(cells(self.chroma_residual.abs()).mean(1, keepdim=True), NOISE_FLOOR)


def signals_of(rgb: Tensor) -> Signals:
    """From (B, 3, S, S) RGB in 0..1."""
    planes = functional.conv2d(rgb * 255, constant(_colour_weights, rgb.device))
    # |N(0, s)| has mean s x sqrt(2 / pi); the mask's weights have norm 6.
    filtered = functional.conv2d(edge(planes, 1), constant(_noise_masks, rgb.device), groups=3)
    luma = planes[:, :1]
    wide = edge(luma, 1)
    slope_x = (wide[..., 1:-1, 2:] - wide[..., 1:-1, :-2]) / 2
    slope_y = (wide[..., 2:, 1:-1] - wide[..., :-2, 1:-1]) / 2
    return Signals(rgb, luma, planes[:, 1:], slope_x, slope_y, filtered[:, :1], filtered[:, 1:])


@lru_cache(maxsize=128)
def constant(
    build: Callable[..., Tensor],
    device: torch.device,
    *arguments: float | tuple[float, ...],
    kind: torch.dtype = torch.float32,
) -> Tensor:
    """`build(*arguments)` as numbers of this `kind` on `device`, made once: measurements are made of every face."""
    with torch.inference_mode(False):  # or training could not use what an inference made first
        return build(*arguments).to(device, kind)


def _colour_weights() -> Tensor:
    return torch.tensor((_LUMA, _CB, _CR)).view(3, 3, 1, 1)


def _noise_masks() -> Tensor:
    return (torch.tensor(_NOISE_KERNEL) * (math.sqrt(math.pi / 2) / 6)).expand(3, 1, 3, 3)


def _cell_means(side: int) -> Tensor:
    """(side, side / 8): what a row of pixels is multiplied by for the means of its cells."""
    return torch.eye(side // CELL_PX, dtype=torch.float64).repeat_interleave(CELL_PX, dim=0) / CELL_PX


def _near_means(side: int, size: int) -> Tensor:
    """(side, side): what a column of places is multiplied by for the means of the `size` about each."""
    place = torch.arange(side)
    near = ((place[:, None] - place).abs() <= size // 2).double()
    return near / near.sum(1, keepdim=True)


def _waves(side: int, size: int, periods: tuple[float, ...], first: float, step: float) -> Tensor:
    """(side, (2 P + 1) x side / 8): what a row is multiplied by for `fourier`."""
    means = _cell_means(side) @ _near_means(side // CELL_PX, size).T
    place = first + step * torch.arange(side, dtype=torch.float64)
    angle = 2 * math.pi * place / torch.tensor(periods, dtype=torch.float64)[:, None]
    carriers = torch.cat([torch.cos(angle), torch.sin(angle), torch.ones_like(place)[None]])
    return torch.cat([carrier[:, None] * means for carrier in carriers], dim=1)


def sides(plane: Tensor) -> tuple[int, int]:
    """Height and width; fixed numbers also where the network is traced."""
    return int(plane.shape[-2]), int(plane.shape[-1])


def edge(planes: Tensor, size: int) -> Tensor:
    """`planes` with `size` more places on every side that repeat the nearest."""
    return functional.pad(planes, (size,) * 4, mode="replicate")


def cells(plane: Tensor) -> Tensor:
    """Mean over each 8x8 cell: (B, C, S, S) -> (B, C, S/8, S/8)."""
    _, width = sides(plane)
    return _cell_rows(plane) @ constant(_cell_means, plane.device, width)


def _cell_rows(plane: Tensor) -> Tensor:
    """Mean over the eight rows of each cell: (B, C, S, S) -> (B, C, S/8, S)."""
    height, width = sides(plane)
    return plane.reshape(-1, int(plane.shape[1]), height // CELL_PX, CELL_PX, width).mean(3)


def smoothed(places: Tensor, size: int) -> Tensor:
    """Mean over `size` x `size` (odd) about each place of a map, edges averaged over what is there; same shape."""
    kind = places.dtype
    rows, columns = (constant(_near_means, places.device, side, size, kind=kind) for side in sides(places))
    return rows @ (places @ columns.T)


def fourier(plane: Tensor, periods: tuple[float, ...], size: int, *, first: float, step: float = 1.0) -> Tensor:
    """Fourier coefficients along the last axis at P `periods` in px, means over the `size` x
    `size` cells about each: (B, 1, S, S) -> real parts, imaginary parts and the plane's own mean, (B, 2 P + 1, h, w).
    The pixels lie at `first`, `first + step` and so on."""
    height, width = (side // CELL_PX for side in sides(plane))
    waves = constant(_waves, plane.device, width * CELL_PX, size, periods, first, step)
    rows = constant(_near_means, plane.device, height, size) @ (_cell_rows(plane) @ waves)  # (B, 1, h, (2 P + 1) w)
    return rows.reshape(-1, height, 2 * len(periods) + 1, width).transpose(1, 2)


def less_mean(plane: Tensor, size: int) -> Tensor:
    """`plane` less its mean over `size` x `size` px (odd) about each, edges averaged over what is there; same shape."""
    reach = size // 2
    wide = functional.pad(plane, (reach, reach, 0, 0))
    tall = functional.pad(_sum_along(wide, size), (0, 0, reach, reach))
    sums = _sum_along(tall.transpose(2, 3), size).transpose(2, 3)
    return plane - sums * constant(_shares, plane.device, *sides(plane), size)


def _sum_along(wide: Tensor, size: int) -> Tensor:
    parts = [wide[..., i : i - size + 1 or None] for i in range(size)]
    return functools.reduce(torch.add, parts)


def _shares(height: int, width: int, size: int) -> Tensor:
    """(height, width): one over the number of places in the `size` x `size` about each."""
    counts = functional.avg_pool2d(torch.ones(1, height, width), size, 1, size // 2, divisor_override=1)
    return 1 / counts[0].double()


def log_level(values: Tensor, floor: float) -> Tensor:
    """Natural logarithm with a floor, so that flat places stay finite."""
    return torch.log(values + floor)


def step_from_neighbours(values: Tensor, size: int = 9) -> Tensor:
    """Difference from the mean of the `size` x `size` cells about each cell; same shape."""
    return values - smoothed(values, size)


def _face(height: int, width: int) -> Tensor:
    """(height, width): 1 inside the ellipse in which the face lies, 0 outside."""
    y, x = ((torch.arange(side) + 0.5) / side - 0.5 for side in (height, width))
    return ((y[:, None] / _FACE_RADII[0]).square() + (x / _FACE_RADII[1]).square() < 1).double()


def _face_weights(height: int, width: int) -> Tensor:
    face = _face(height, width)
    return face / face.sum()


def _outer_weights(height: int, width: int) -> Tensor:
    outside = 1 - _face(height, width)
    return outside / outside.sum()


def surroundings(values: Tensor) -> Tensor:
    """Mean over the places around the face: (B, C, h, w) -> (B, C, 1, 1)."""
    return _weighted(values, _outer_weights)


def face_mean(values: Tensor) -> Tensor:
    """Mean over the face's ellipse: (B, C, h, w) -> (B, C, 1, 1)."""
    return _weighted(values, _face_weights)


def _weighted(values: Tensor, weights: Callable[..., Tensor]) -> Tensor:
    return (values * constant(weights, values.device, *sides(values), kind=values.dtype)).sum((2, 3), keepdim=True)


def against_surroundings(values: Tensor) -> Tensor:
    """Difference from the mean of the surroundings; same shape."""
    return values - surroundings(values)
