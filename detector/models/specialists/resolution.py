"""RR: was the face enlarged, sharpened or drawn at another resolution than its surroundings? 24 channels."""

from __future__ import annotations

from typing import ClassVar, Final

import torch
from torch import Tensor
from torch.nn import functional

from detector.models.specialists.cue_module import CueModule
from detector.models.specialists.signals import (
    Signals,
    against_surroundings,
    cells,
    constant,
    fourier,
    less_mean,
    log_level,
    smoothed,
    step_from_neighbours,
)

# Periods in px of the crop. Enlarging by r leaves a period of r pixels; below 2 it shows as its alias, 1.5 as 3, 4/3
# as 4. Doubling by linear interpolation about pixel centres leaves none (Gallagher 2005).
_PERIODS_PX: Final = (2.0, 2.33, 2.5, 3.0, 4.0, 5.0)


def _periods() -> Tensor:
    return torch.tensor(_PERIODS_PX)[:, None, None]


def _bands(signals: Signals) -> tuple[Tensor, ...]:
    """Mean magnitude a cell of the top, second and third octave of luma (a Laplacian pyramid, Burt & Adelson 1983, on
    means), each (B, 1, h, w) in grey levels."""
    half = functional.avg_pool2d(signals.luma, 2)
    quarter = functional.avg_pool2d(half, 2)
    lower = (functional.avg_pool2d(less_mean(plane, 3).abs(), side) for plane, side in ((half, 4), (quarter, 2)))
    return cells(signals.fine.abs()), *lower


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
        top, second, third = (log_level(band, 0.1) for band in _bands(signals))
        overshoot = top - log_level(signals.steep, 0.3)
        ratio = top - second
        return torch.cat([top, ratio, second - third, against_surroundings(ratio), overshoot], dim=1)


def _periodicity(difference: Tensor) -> Tensor:
    """Magnitude at each period along the last axis over 40 px windows, relative to the mean: (B, P, h, w)."""
    count = len(_PERIODS_PX)
    real, imaginary, mean = fourier(difference, _PERIODS_PX, 5, first=0).split((count, count, 1), dim=1)
    return torch.sqrt(real.square() + imaginary.square() + 1e-8) / (mean + 0.2)


def _alternating(signals: Signals) -> Tensor:
    """Magnitude of the part of luma that changes its sign with every pixel both ways, of four pixels each: (B, 1, S,
    S - 1), the last row 0 as what lies beyond repeats it."""
    across = signals.luma[..., :-1] - signals.luma[..., 1:]
    return functional.pad((across[..., :-1, :] - across[..., 1:, :]).abs() / 4, (0, 0, 0, 1))


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
        probability = cells(torch.exp(signals.residual.square() * (-0.5 * 1.6**2)))
        across, down = signals.second_differences
        waves_x, waves_y = _periodicity(across), _periodicity(down.transpose(2, 3)).transpose(2, 3)
        power = waves_x.square().square() + waves_y.square().square()
        periods = constant(_periods, power.device)
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
        steps = torch.cat([signals.slope_x, signals.slope_y], dim=1).abs()
        equal = cells(torch.sigmoid((0.3 - steps) * 12)).mean(1, keepdim=True)
        across, down = signals.second_differences
        width = signals.steep / (cells(across + down) / 2 + 0.5)
        loss = log_level(smoothed(signals.steep, 3), 0.3) - signals.log_noise
        checker = cells(functional.pad(signals.once(_alternating), (0, 1)))
        return torch.cat([checker, equal, width, loss, step_from_neighbours(loss)], dim=1)

    def measure_mirrored(self, signals: Signals, measured: Tensor) -> Tensor:
        """As of any module, but the pixel that is looked at beside each is the one to its left."""
        checker = cells(functional.pad(signals.once(_alternating), (1, 0)))
        return torch.cat([checker, measured[:, 1:]], dim=1).flip(-1)


MODULES: dict[str, type[CueModule]] = {
    "resolution_bandwidth": ResolutionBandwidth,
    "resolution_resampling": ResolutionResampling,
    "resolution_upscaler": ResolutionUpscaler,
}
