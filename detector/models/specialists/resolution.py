"""RR: was the face enlarged, sharpened or drawn at another resolution than its surroundings? 24 channels."""

from __future__ import annotations

import math
from typing import ClassVar, Final

import torch
from torch import Tensor
from torch.nn import functional

from detector.models.specialists.cue_module import CueModule
from detector.models.specialists.signals import (
    Signals,
    against_surroundings,
    cells,
    log_level,
    sigma,
    smoothed,
    step_from_neighbours,
)

# Periods in px of the crop. Enlarging by r leaves a period of r pixels; below 2 it shows as its alias, 1.5 as 3, 4/3
# as 4. Doubling by linear interpolation about pixel centres leaves none (Gallagher 2005).
_PERIODS_PX: Final = (2.0, 2.33, 2.5, 3.0, 4.0, 5.0)


def _bands(luma: Tensor) -> tuple[Tensor, ...]:
    """Mean magnitude a cell of the top, second and third octave of luma (a Laplacian pyramid, Burt & Adelson 1983, on
    means), each (B, 1, h, w) in grey levels."""
    bands = []
    for stride in (8, 4, 2):
        bands.append(functional.avg_pool2d((luma - smoothed(luma, 3)).abs(), stride))
        luma = functional.avg_pool2d(luma, 2)
    return tuple(bands)


class ResolutionBandwidth(CueModule):
    """A face of lower or higher resolution than its surroundings."""

    PREFIX, KIND, LEARNED = "bandwidth", "a face of lower or higher resolution than its surroundings", 3
    MEASURED: ClassVar = {
        "bandwidth_top": "log mean magnitude of detail finer than 3 px, grey levels",
        "bandwidth_ratio": "log ratio of detail finer than 3 px to detail of 3 to 6 px: falls with lost resolution",
        "bandwidth_second_ratio": "log ratio of detail of 3 to 6 px to detail of 6 to 12 px",
        "bandwidth_step": "bandwidth_ratio minus its mean over the surroundings, log units",
        "bandwidth_overshoot": "log ratio of curvature to steepness of luma: sharpening adds curvature",
    }

    def measure(self, signals: Signals) -> Tensor:
        """The 5 channels of `MEASURED`, in their order: (B, 5, H / 8, W / 8)."""
        top, second, third = (log_level(band, 0.1) for band in _bands(signals.luma))
        curvature = cells((signals.luma - smoothed(signals.luma, 3)).abs())
        overshoot = log_level(curvature, 0.1) - log_level(cells(signals.steepness), 0.3)
        ratio = top - second
        return torch.cat([top, ratio, second - third, against_surroundings(ratio), overshoot], dim=1)


def _second_differences(luma: Tensor) -> tuple[Tensor, Tensor]:
    """|2b - a - c| across and down, each (B, 1, S, S), clipped at 20 grey levels."""
    wide = functional.pad(luma, (1, 1, 1, 1), mode="replicate")
    across = (2 * luma - wide[..., 1:-1, :-2] - wide[..., 1:-1, 2:]).abs()
    down = (2 * luma - wide[..., :-2, 1:-1] - wide[..., 2:, 1:-1]).abs()
    return across.clamp(max=20.0), down.clamp(max=20.0)


def _periodicity(difference: Tensor) -> Tensor:
    """Magnitude at each period along the last axis over 40 px windows, relative to the mean: (B, P, h, w)."""
    place = torch.arange(difference.shape[-1], device=difference.device, dtype=difference.dtype)
    angle = torch.stack([2 * math.pi * place / period for period in _PERIODS_PX])[None, :, None]
    real, imaginary = (smoothed(cells(difference * wave), 5) for wave in (torch.cos(angle), torch.sin(angle)))
    return torch.sqrt(real.square() + imaginary.square() + 1e-8) / (smoothed(cells(difference), 5) + 0.2)


class ResolutionResampling(CueModule):
    """Interpolation that the surroundings did not go through."""

    PREFIX, KIND, LEARNED = "resampling", "interpolation that the surroundings did not go through", 3
    MEASURED: ClassVar = {
        "resampling_predictability": "mean probability that a pixel is a linear mix of its neighbours, 0..1"
        " (Popescu & Farid 2005, with one fixed predictor)",
        "resampling_period_x": "strongest periodic part of second differences across, share of mean (Gallagher 2005)",
        "resampling_period_y": "strongest periodic part of second differences down, share of mean",
        "resampling_period_px": "period of those second differences, px of the crop, weighted by their strength",
        "resampling_step": "resampling_predictability minus its mean over the surroundings",
    }

    def measure(self, signals: Signals) -> Tensor:
        """The 5 channels of `MEASURED`, in their order: (B, 5, H / 8, W / 8)."""
        # Residual of the best fixed 3x3 predictor (KB filter); p-map as exp(-error^2 / 2 sigma^2), sigma 1 grey level.
        probability = cells(torch.exp(-0.5 * (signals.residual * 1.6).square()))
        across, down = _second_differences(signals.luma)
        waves_x, waves_y = _periodicity(across), _periodicity(down.transpose(2, 3)).transpose(2, 3)
        power = waves_x.square().square() + waves_y.square().square()
        periods = torch.tensor(_PERIODS_PX, device=power.device, dtype=power.dtype).view(1, -1, 1, 1)
        period = (power * periods).sum(1, keepdim=True) / (power.sum(1, keepdim=True) + 1e-8)
        return torch.cat(
            [
                probability, waves_x.amax(1, keepdim=True), waves_y.amax(1, keepdim=True), period,
                against_surroundings(probability),
            ],
            dim=1,
        )  # fmt: skip


class ResolutionUpscaler(CueModule):
    """A face enlarged, then sharpened, as upscalers and enhancers do."""

    PREFIX, KIND, LEARNED = "upscaler", "a face enlarged, then sharpened, as upscalers and enhancers do", 3
    MEASURED: ClassVar = {
        "upscaler_checkerboard": "magnitude of the pattern that alternates every pixel both ways, grey levels",
        "upscaler_plateaus": "share of neighbouring pixels that are equal within 0.3 grey levels, 0..1",
        "upscaler_edge_width": "steepness over curvature: width of edges, px of the crop",
        "upscaler_texture_loss": "log ratio of steepness to noise level: edges without texture between them",
        "upscaler_texture_loss_step": "upscaler_texture_loss minus its mean over 72 px",
    }

    def measure(self, signals: Signals) -> Tensor:
        """The 5 channels of `MEASURED`, in their order: (B, 5, H / 8, W / 8)."""
        luma = signals.luma
        checker = torch.tensor(((1.0, -1.0), (-1.0, 1.0)), device=luma.device, dtype=luma.dtype).view(1, 1, 2, 2) / 4
        alternating = functional.conv2d(functional.pad(luma, (0, 1, 0, 1), mode="replicate"), checker).abs()
        equal = torch.sigmoid((0.3 - signals.slope_x.abs()) * 12) + torch.sigmoid((0.3 - signals.slope_y.abs()) * 12)
        across, down = _second_differences(luma)
        steep = cells(signals.steepness)
        width = steep / (cells(across + down) / 2 + 0.5)
        loss = log_level(smoothed(steep, 3), 0.3) - log_level(sigma(signals.residual), 0.1)
        return torch.cat([cells(alternating), cells(equal) / 2, width, loss, step_from_neighbours(loss)], dim=1)


MODULES: dict[str, type[CueModule]] = {
    "resolution_bandwidth": ResolutionBandwidth,
    "resolution_resampling": ResolutionResampling,
    "resolution_upscaler": ResolutionUpscaler,
}
