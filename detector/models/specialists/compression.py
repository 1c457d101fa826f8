"""CM: was the face compressed otherwise, or on another grid, than its surroundings? 40 channels.

The crop was resampled when it was cut, so a codec's blocks are neither 8 px wide nor aligned here. Statistics of 8x8
transforms are therefore taken at sixteen shifts of the grid, and block edges are looked for at several periods at once.
"""

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
    constant,
    edge,
    fourier,
    log_level,
    smoothed,
    step_from_neighbours,
    surroundings,
)

_BLOCK_PERIODS_PX: Final = (5.0, 6.0, 7.0, 8.0, 9.5, 11.5, 16.0)
_STEPS: Final = (6.0, 20.0)  # quantisation steps that are tried, fine and coarse
_ORDERS: Final = (0, 1, 3, 5)  # horizontal and vertical frequencies of the 8x8 transform that are looked at


def _dct_filters() -> Tensor:
    """AC filters of the orthonormal 8x8 DCT-II at the orders in `_ORDERS`, (15, 1, 8, 8), by their diagonal u + v:
    three of 1 and 2, six of 3 to 5, six of 6 to 10."""
    place, order = torch.arange(8, dtype=torch.float64) + 0.5, torch.tensor(_ORDERS, dtype=torch.float64)
    basis = torch.cos(math.pi / 8 * order[:, None] * place) / 2  # (frequency, place)
    basis[0] /= math.sqrt(2)
    filters = torch.einsum("uy,vx->uvyx", basis, basis).reshape(-1, 1, 8, 8)
    diagonals = [u + v for u in _ORDERS for v in _ORDERS]
    return filters[sorted(range(len(diagonals)), key=diagonals.__getitem__)[1:]]


def _transform(signals: Signals) -> Tensor:
    """8x8 DCT of luma at sixteen shifts of the grid, 2 px apart: AC coefficients as `_dct_filters`, (B, 15, S/2,
    S/2)."""
    filters = constant(_dct_filters, signals.luma.device)
    return functional.conv2d(edge(signals.luma, 3), filters, stride=2)


def _amounts(signals: Signals) -> Tensor:
    """Magnitudes of `_transform`, grey levels."""
    return signals.once(_transform).abs()


def _mean_shift(values: Tensor) -> Tensor:
    """Mean over the sixteen shifts of a cell, then over 24 px: (B, C, S/2, S/2) -> (B, C, S/8, S/8)."""
    return smoothed(functional.avg_pool2d(values, 4), 3)


def _highest_shift(values: Tensor) -> Tensor:
    """Highest of the sixteen shifts of a cell, then the mean over 24 px. A codec's own grid is the shift at which most
    coefficients are zero; at any other, block borders hide it."""
    return smoothed(functional.max_pool2d(values, 4), 3)


class DctAnalyzer(CueModule):
    """Compression that the surroundings did not go through, then all once more."""

    PREFIX, KIND, LEARNED = "dct", "compression that the surroundings did not go through, then all once more", 4
    MEASURED: ClassVar = {
        "dct_low_energy": "mean log magnitude of DCT coefficients with u+v of 1 to 2, grey levels",
        "dct_mid_energy": "mean log magnitude of DCT coefficients with u+v of 3 to 5, grey levels",
        "dct_high_energy": "mean log magnitude of DCT coefficients with u+v of 6 to 10, grey levels",
        "dct_falloff": "dct_mid_energy minus dct_high_energy: steep where high frequencies were cut, log units",
        "dct_high_step": "dct_high_energy minus its mean over the surroundings, log units",
        "dct_peakedness": "log ratio of root mean square to mean magnitude: few large among many near zero",
    }

    def measure(self, signals: Signals) -> Tensor:
        """The 6 channels of `MEASURED`, in their order: (B, 6, H / 8, W / 8)."""
        amounts = signals.once(_amounts)
        raised = amounts + 0.1
        # Logarithms before means: one block border in sixteen shifts must not outweigh the rest. One logarithm of a
        # product of up to six magnitudes, each below 2,048, instead of one of each.
        products = [part.prod(1, keepdim=True) for part in raised.split((3, 6, 6), dim=1)]
        low, mid, high = _mean_shift(torch.log(torch.cat(products, dim=1))).split(1, dim=1)
        low, mid, high = low / 3, mid / 6, high / 6
        upper = amounts[:, 3:]
        square, mean = _mean_shift(upper.square().mean(1, True)), _mean_shift(upper.mean(1, True))
        peaked = log_level(torch.sqrt(square + 1e-4), 0.1) - log_level(mean, 0.1)
        return torch.cat([low, mid, high, mid - high, against_surroundings(high), peaked], dim=1)


def _rounding(values: Tensor) -> Tensor:
    return values - torch.round(values)


class QuantDetector(CueModule):
    """JPEG compression at another quality than the surroundings."""

    PREFIX, KIND, LEARNED = "quant", "JPEG compression at another quality than the surroundings", 4
    MEASURED: ClassVar = {
        "quant_dead_zone": "share of DCT coefficients under 0.7 grey levels at the grid shift where most are, 0..1:"
        " rounding to zero leaves many",
        "quant_dead_zone_step": "quant_dead_zone minus its mean over the surroundings",
        "quant_shift_gain": "quant_dead_zone minus the same share over all grid shifts: how much one grid stands out",
        "quant_ghost_fine": "change by rounding coefficients to steps of 6 at the shift where it is least, share"
        " of what is expected without quantisation (JPEG ghosts, Farid 2009)",
        "quant_ghost_coarse": "the same at steps of 20",
        "quant_chroma_smoothing": "log ratio of noise in Cb and Cr to noise in luma: chroma is quantised harder",
    }

    def measure(self, signals: Signals) -> Tensor:
        """The 6 channels of `MEASURED`, in their order: (B, 6, H / 8, W / 8)."""
        amounts = signals.once(_amounts)
        dead = torch.sigmoid((0.7 - amounts) * 8).mean(1, keepdim=True)
        highest = _highest_shift(dead)
        ghosts = [-_highest_shift(_rounding(amounts / step).square().mean(1, True) * -12) for step in _STEPS]
        smooth = signals.log_chroma_noise - signals.log_noise
        gain = highest - _mean_shift(dead)
        return torch.cat([highest, against_surroundings(highest), gain, *ghosts, smooth], dim=1)


def _border_steps(luma: Tensor) -> Tensor:
    """The steps that block borders leave along the last axis: the second difference across each border between two
    pixels, |-a + 3b - 3c + d| / 4 (as in no-reference blockiness measures, Wang et al., ICIP 2000), clipped so that
    edges of the scene do not rule. (B, 1, S, S) -> (B, 1, S, S + 1), from the border before the first pixel on."""
    wide = functional.pad(luma, (2, 2, 0, 0), mode="replicate")
    middle = wide[..., 1:-2] - wide[..., 2:-1]
    return ((3 * middle - wide[..., :-3] + wide[..., 3:]).abs() / 4).clamp(max=12.0)


def _across(signals: Signals) -> Tensor:
    return _border_steps(signals.luma)


def _down(signals: Signals) -> tuple[Tensor, Tensor]:
    """Waves of the borders between rows, which are the same in the mirror image."""
    real, imaginary = _border_waves(_border_steps(signals.luma.transpose(2, 3))[..., 1:])
    return real.transpose(2, 3), imaginary.transpose(2, 3)


def _border_waves(steps: Tensor, *, mirrored: bool = False) -> tuple[Tensor, Tensor]:
    """Fourier coefficients of border steps (B, 1, S, S) at each of the periods over 56 px windows relative to their
    mean: real and imaginary parts, each (B, P, h, w). `mirrored` counts places from the right."""
    first, step = (steps.shape[-1] - 0.5, -1.0) if mirrored else (0.5, 1.0)
    count = len(_BLOCK_PERIODS_PX)
    waves = fourier(steps, _BLOCK_PERIODS_PX, 7, first=first, step=step)
    real, imaginary, mean = waves.split((count, count, 1), dim=1)
    return real / (mean + 0.2), imaginary / (mean + 0.2)


def _periods() -> Tensor:
    return torch.tensor(_BLOCK_PERIODS_PX)[:, None, None]


class BlockChecker(CueModule):
    """A codec's block grid that is shifted against that of the surroundings."""

    PREFIX, KIND, LEARNED = "block", "a codec's block grid that is shifted against that of the surroundings", 4
    MEASURED: ClassVar = {
        "block_strength_x": "strongest periodic part of vertical block borders over 56 px, share of mean, 0..1",
        "block_strength_y": "strongest periodic part of horizontal block borders over 56 px, share of mean, 0..1",
        "block_period": "period of the block borders, px of the crop, weighted by their strength",
        "block_phase_step": "disagreement of grid phase with the surroundings, 0 none to 2 opposite, times strength",
        "block_strength_step": "block strength minus its mean over the surroundings",
        "block_border_step": "mean clipped step over pixels in the cell, grey levels",
    }

    def measure(self, signals: Signals) -> Tensor:
        """The 6 channels of `MEASURED`, in their order: (B, 6, H / 8, W / 8)."""
        border = cells(signals.steepness.clamp(max=12.0))
        return torch.cat([self._grids(signals, signals.once(_across)[..., 1:]), border], dim=1)

    def measure_mirrored(self, signals: Signals, measured: Tensor) -> Tensor:
        """As of any module, but borders between columns belong to the pixel to their right, and phases are others."""
        grids = self._grids(signals, signals.once(_across)[..., :-1], mirrored=True)
        return torch.cat([grids, measured[:, 5:]], dim=1).flip(-1)

    def _grids(self, signals: Signals, across: Tensor, *, mirrored: bool = False) -> Tensor:
        """The first five channels, from the steps `across` and those down."""
        strengths, phases, powers = [], [], []
        for real, imaginary in (_border_waves(across, mirrored=mirrored), signals.once(_down)):
            strength = torch.sqrt(real.square() + imaginary.square() + 1e-8)
            far_real, far_imaginary = surroundings(real), surroundings(imaginary)
            far = torch.sqrt(far_real.square() + far_imaginary.square() + 1e-8)
            agreement = (real * far_real + imaginary * far_imaginary) / (strength * far)
            # Where the surroundings show no grid there is no phase to disagree with.
            phases.append(((1 - agreement) * torch.minimum(strength, far)).amax(1, keepdim=True))
            strengths.append(strength.amax(1, keepdim=True))
            powers.append(strength.square().square())
        power = powers[0] + powers[1]
        period = (power * constant(_periods, power.device)).sum(1, True) / (power.sum(1, True) + 1e-8)
        together = (strengths[0] + strengths[1]) / 2
        return torch.cat([*strengths, period, phases[0] + phases[1], against_surroundings(together)], dim=1)


class CompressionEstimator(CueModule):
    """Video compression (H.264) other than that of the surroundings."""

    PREFIX, KIND, LEARNED = "compression", "video compression (H.264) other than that of the surroundings", 4
    MEASURED: ClassVar = {
        "compression_detail": "log noise level of luma that is left, grey levels",
        "compression_detail_step": "compression_detail minus its mean over the surroundings, log units",
        "compression_chroma_detail_step": "the same for Cb and Cr, log units",
        "compression_flat_share": "share of pixels whose residual is under 0.3 grey levels, 0..1",
        "compression_flat_step": "compression_flat_share minus its mean over 72 px",
        "compression_ringing": "log ratio of noise level to the strongest steepness within 24 px: ripples by edges",
    }

    def measure(self, signals: Signals) -> Tensor:
        """The 6 channels of `MEASURED`, in their order: (B, 6, H / 8, W / 8)."""
        detail, chroma = signals.log_noise, signals.log_chroma_noise
        flat = cells(torch.sigmoid((0.3 - signals.magnitude) * 12))
        strongest = functional.max_pool2d(functional.max_pool2d(signals.steepness, 8), 3, stride=1, padding=1)
        ringing = detail - log_level(strongest, 1.0)
        return torch.cat(
            [
                detail, against_surroundings(detail), against_surroundings(chroma), flat,
                step_from_neighbours(flat), ringing,
            ],
            dim=1,
        )  # fmt: skip


MODULES: dict[str, type[CueModule]] = {
    "specialist_dct_analyzer": DctAnalyzer,
    "specialist_quant_detector": QuantDetector,
    "specialist_block_checker": BlockChecker,
    "specialist_compression_estimator": CompressionEstimator,
}
