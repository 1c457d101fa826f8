"""LL: does the face carry the noise that its light and its surroundings ask for? 24 channels.

A sensor's noise variance grows with light (Foi et al., IEEE TIP 2008); gamma, denoising and compression bend that law,
but they bend it alike across a genuine picture.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from detector.models.specialists.cue_module import CueModule
from detector.models.specialists.signals import (
    LIGHT_FLOOR,
    NOISE_FLOOR,
    Signals,
    against_surroundings,
    cells,
    less_mean,
    log_level,
    smoothed,
    surroundings,
)


def _calm_noise(signals: Signals) -> Tensor:
    """Log noise level over 24 px, from the calmer pixels: residuals on steep places are texture, (B, 1, h, w)."""
    calm = torch.exp(signals.steepness.square() * (-1 / 64))
    weighted = smoothed(cells(signals.magnitude * calm), 3) / (smoothed(cells(calm), 3) + 0.02)
    return log_level(weighted, NOISE_FLOOR)


def _grain(signals: Signals) -> Tensor:
    """What a mean over 5x5 leaves: it takes away little of the correlation of noise. Edges are clipped."""
    return less_mean(signals.luma, 5).clamp(-12, 12)


def _near_light(signals: Signals) -> Tensor:
    """Mean luma over 24 px, grey levels, (B, 1, h, w)."""
    return smoothed(signals.light, 3)


def _near_variance(signals: Signals) -> Tensor:
    """Variance of luma over 24 px: that within cells and that between them, (B, 1, h, w)."""
    light = signals.light.double()  # squares of light are large beside their differences
    between = (smoothed(light.square(), 3) - smoothed(light, 3).square()).clamp(min=0)
    return smoothed(signals.variance, 3) + between.float()


def _grain_power(signals: Signals) -> Tensor:
    """Mean square of `_grain` over 24 px, (B, 1, h, w)."""
    return smoothed(cells(signals.once(_grain).square()), 3)


def _correlation(signals: Signals, first: int) -> Tensor:
    """Correlation of neighbouring residuals, each with the one to its right (`first` 1) or left (0): (B, 1, h, w)."""
    wide = functional.pad(signals.once(_grain), (1, 1, 0, 0), mode="replicate")
    products = wide[..., :-1] * wide[..., 1:]  # one more than there are pixels
    size = signals.luma.shape[-1]
    return smoothed(cells(products[..., first : first + size]), 3) / (signals.once(_grain_power) + 0.5)


class NoiseLevel(CueModule):
    """A face with another noise level than its surroundings."""

    PREFIX, KIND, LEARNED = "noise", "a face with another noise level than its surroundings", 3
    MEASURED: ClassVar = {
        "noise_sigma": "log noise level of luma in calm places over 24 px, grey levels",
        "noise_sigma_step": "noise_sigma minus its mean over the surroundings, log units",
        "noise_chroma_sigma": "log noise level of Cb and Cr, grey levels",
        "noise_correlation": "correlation of neighbouring residuals, -1..1: denoised or enlarged noise is correlated",
        "noise_chroma_step": "noise_chroma_sigma minus its mean over the surroundings, log units",
    }

    def measure(self, signals: Signals) -> Tensor:
        """The 5 channels of `MEASURED`, in their order: (B, 5, H / 8, W / 8)."""
        noise = signals.once(_calm_noise)
        chroma, correlation = signals.log_chroma_noise, _correlation(signals, 1)
        return torch.cat([noise, against_surroundings(noise), chroma, correlation, against_surroundings(chroma)], dim=1)

    def measure_mirrored(self, signals: Signals, measured: Tensor) -> Tensor:
        """As of any module, but neighbours to the right become neighbours to the left."""
        correlation = _correlation(signals, 0)
        return torch.cat([measured[:, :3], correlation, measured[:, 4:]], dim=1).flip(-1)


class ShotNoiseLaw(CueModule):
    """Noise that does not follow the light as that of the surroundings does."""

    PREFIX, KIND, LEARNED = "shot", "noise that does not follow the light as that of the surroundings does", 3
    MEASURED: ClassVar = {
        "shot_expected": "log noise level that the crop's own law log noise = a + b log light gives here, grey levels",
        "shot_excess": "noise_sigma minus shot_expected: more (+) or less (-) noise than the light asks for, log units",
        "shot_slope": "slope b of that law over the crop: 0.5 for pure shot noise in linear light",
        "shot_per_light": "noise level over the square root of luma, grey levels to the power 1/2",
        "shot_chroma_ratio": "log ratio of chroma noise to luma noise",
    }

    def measure(self, signals: Signals) -> Tensor:
        """The 5 channels of `MEASURED`, in their order: (B, 5, H / 8, W / 8)."""
        noise, light = signals.once(_calm_noise), log_level(signals.once(_near_light), LIGHT_FLOOR)
        mean_noise, mean_light = surroundings(noise), surroundings(light)
        # Least squares over the surroundings, drawn towards no slope where light hardly varies.
        spread = surroundings((light - mean_light).square()) + 0.05
        slope = surroundings((noise - mean_noise) * (light - mean_light)) / spread
        expected = mean_noise + slope * (light - mean_light)
        per_light = torch.exp(noise) / torch.sqrt(signals.light + LIGHT_FLOOR)
        ratio = signals.log_chroma_noise - noise
        return torch.cat([expected, noise - expected, slope.expand_as(noise), per_light, ratio], dim=1)


class DarkChannel(CueModule):
    """A face lifted out of, or sunk into, the dark by other means than light."""

    PREFIX, KIND, LEARNED = "dark", "a face lifted out of, or sunk into, the dark by other means than light", 3
    MEASURED: ClassVar = {
        "dark_channel": "smallest of R, G, B within 24 px (He et al. 2009), grey levels",
        "dark_share": "share of pixels darker than 10 %, 0..1",
        "dark_offset": "log of light minus its mean over the surroundings",
        "dark_contrast": "log ratio of luma's standard deviation to its mean over 24 px: gain keeps it",
        "dark_noise_share": "log ratio of noise level to luma's standard deviation over 24 px",
    }

    def measure(self, signals: Signals) -> Tensor:
        """The 5 channels of `MEASURED`, in their order: (B, 5, H / 8, W / 8)."""
        darkest = functional.max_pool2d(signals.darkest_colour * -255, 8)
        darkest = -functional.max_pool2d(darkest, 3, stride=1, padding=1)
        share = cells(torch.sigmoid((25.5 - signals.luma) / 4))
        spread, light = torch.sqrt(_near_variance(signals) + 0.25), log_level(signals.once(_near_light), LIGHT_FLOOR)
        return torch.cat(
            [
                darkest, share, against_surroundings(light), torch.log(spread) - light,
                signals.once(_calm_noise) - torch.log(spread),
            ],
            dim=1,
        )  # fmt: skip


MODULES: dict[str, type[CueModule]] = {
    "noise_level": NoiseLevel,
    "shot_noise_law": ShotNoiseLaw,
    "dark_channel": DarkChannel,
}
