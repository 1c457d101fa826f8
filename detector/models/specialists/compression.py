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
    log_level,
    sigma,
    smoothed,
    step_from_neighbours,
    surroundings,
)

_BLOCK_PERIODS_PX: Final = (5.0, 6.0, 7.0, 8.0, 9.5, 11.5, 16.0)
_STEPS: Final = (6.0, 20.0)  # quantisation steps that are tried, fine and coarse
_ORDERS: Final = (0, 1, 3, 5)  # horizontal and vertical frequencies of the 8x8 transform that are looked at


def _dct_filters(device: torch.device) -> tuple[Tensor, Tensor]:
    """AC filters of the orthonormal 8x8 DCT-II at the orders in `_ORDERS`: (15, 1, 8, 8), and the diagonal u + v of
    each (15,)."""
    place, order = torch.arange(8, device=device) + 0.5, torch.tensor(_ORDERS, device=device)
    basis = torch.cos(math.pi / 8 * order[:, None] * place[None]) / 2  # (frequency, place)
    basis[0] /= math.sqrt(2)
    filters = torch.einsum("uy,vx->uvyx", basis, basis).reshape(-1, 1, 8, 8)
    return filters[1:], (order[:, None] + order[None]).reshape(-1)[1:]


def transform(luma: Tensor) -> tuple[Tensor, Tensor]:
    """8x8 DCT at sixteen shifts of the grid, 2 px apart: (B, 1, S, S) -> AC coefficients (B, 15, S/2, S/2), their
    diagonals (15,)."""
    filters, diagonal = _dct_filters(luma.device)
    return functional.conv2d(functional.pad(luma, (3, 3, 3, 3), mode="replicate"), filters, stride=2), diagonal


def _transform_of(signals: Signals) -> tuple[Tensor, Tensor]:
    """`transform` of the crop's luma, computed once for all modules that ask."""
    if "dct" not in signals.cache:
        signals.cache["dct"] = transform(signals.luma)
    return signals.cache["dct"]


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
        coefficients, diagonal = _transform_of(signals)
        # Logarithms before means: one block border in sixteen shifts must not outweigh the rest.
        logs = log_level(coefficients.abs(), 0.1)
        low, mid, high = (
            _mean_shift(logs[:, (diagonal >= first) & (diagonal <= last)].mean(1, keepdim=True))
            for first, last in ((1, 2), (3, 5), (6, 10))
        )
        upper = coefficients[:, diagonal >= 3]
        square, mean = _mean_shift(upper.square().mean(1, True)), _mean_shift(upper.abs().mean(1, True))
        peaked = log_level(torch.sqrt(square + 1e-4), 0.1) - log_level(mean, 0.1)
        return torch.cat([low, mid, high, mid - high, against_surroundings(high), peaked], dim=1)


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
        coefficients, _ = _transform_of(signals)
        dead = torch.sigmoid((0.7 - coefficients.abs()) * 8).mean(1, keepdim=True)
        highest = _highest_shift(dead)
        ghosts = [
            -_highest_shift(-(coefficients - torch.round(coefficients / q) * q).square().mean(1, True) * (12 / q**2))
            for q in _STEPS
        ]
        chroma = sigma(signals.chroma_residual).mean(1, keepdim=True)
        smooth = log_level(chroma, 0.1) - log_level(sigma(signals.residual), 0.1)
        gain = highest - _mean_shift(dead)
        return torch.cat([highest, against_surroundings(highest), gain, *ghosts, smooth], dim=1)


def _edge_waves(signals: Signals, axis: int) -> tuple[Tensor, Tensor]:
    """Periodic part of the steps that block borders leave along one axis (2 down, 3 across).

    The step is the second difference across a border, |-a + 3b - 3c + d| / 4 (as in no-reference blockiness measures,
    Wang et al., ICIP 2000), clipped so that edges of the scene do not rule. Returns its Fourier coefficient at each of
    the periods over 56 px windows relative to its mean: real and imaginary parts, each (B, P, h, w).
    """
    luma = signals.luma.transpose(2, 3) if axis == 2 else signals.luma
    wide = functional.pad(luma, (1, 2, 0, 0), mode="replicate")
    size = luma.shape[-1]
    a, b, c, d = (wide[..., i : i + size] for i in range(4))
    step = ((-a + 3 * b - 3 * c + d).abs() / 4).clamp(max=12.0)
    place = torch.arange(size, device=luma.device, dtype=luma.dtype) + 0.5
    parts = []
    for wave in (torch.cos, torch.sin):
        carriers = torch.stack([wave(2 * math.pi * place / period) for period in _BLOCK_PERIODS_PX])
        parts.append(smoothed(cells(step * carriers[None, :, None]), 7))
    mean = smoothed(cells(step), 7) + 0.2
    real, imaginary = (part / mean for part in parts)
    if axis == 2:
        real, imaginary = real.transpose(2, 3), imaginary.transpose(2, 3)
    return real, imaginary


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
        strengths, phases, waves = [], [], torch.zeros(())
        for axis in (3, 2):
            real, imaginary = _edge_waves(signals, axis)
            strength = torch.sqrt(real.square() + imaginary.square() + 1e-8)
            far_real, far_imaginary = surroundings(real), surroundings(imaginary)
            far = torch.sqrt(far_real.square() + far_imaginary.square() + 1e-8)
            agreement = (real * far_real + imaginary * far_imaginary) / (strength * far)
            # Where the surroundings show no grid there is no phase to disagree with.
            phases.append(((1 - agreement) * torch.minimum(strength, far)).amax(1, keepdim=True))
            strengths.append(strength.amax(1, keepdim=True))
            waves = waves + strength.square().square()
        periods = torch.tensor(_BLOCK_PERIODS_PX, device=waves.device, dtype=waves.dtype).view(1, -1, 1, 1)
        period = (waves * periods).sum(1, keepdim=True) / (waves.sum(1, keepdim=True) + 1e-8)
        border = cells(signals.steepness.clamp(max=12.0))
        together = (strengths[0] + strengths[1]) / 2
        return torch.cat([*strengths, period, phases[0] + phases[1], against_surroundings(together), border], dim=1)


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
        detail = log_level(sigma(signals.residual), 0.1)
        chroma = log_level(sigma(signals.chroma_residual).mean(1, keepdim=True), 0.1)
        flat = cells(torch.sigmoid((0.3 - signals.residual.abs()) * 12))
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
