"""BG: does the face stand in the same light, shadow, colour and scene as its surroundings? 44 channels."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional

from detector.models.specialists.cue_module import CueModule
from detector.models.specialists.signals import (
    LIGHT_FLOOR,
    Signals,
    against_surroundings,
    cells,
    log_level,
    smoothed,
    step_from_neighbours,
    surroundings,
)


def _shading(signals: Signals) -> Tensor:
    """Logarithm of light smoothed over 40 px: shading without texture, (B, 1, h, w)."""
    return smoothed(signals.log_light, 5)


def _slopes(shading: Tensor) -> tuple[Tensor, Tensor]:
    """Slope of a map to the right and downwards, a crop's width or height, each (B, 1, h, w)."""
    wide = functional.pad(shading, (1, 1, 1, 1), mode="replicate")
    height, width = shading.shape[-2:]
    across = (wide[..., 1:-1, 2:] - wide[..., 1:-1, :-2]) * (width / 2)
    down = (wide[..., 2:, 1:-1] - wide[..., :-2, 1:-1]) * (height / 2)
    return across, down


class BackgroundTexture(CueModule):
    """A person set before another background."""

    PREFIX, KIND, LEARNED = "bg_texture", "a person set before another background", 4
    MEASURED: ClassVar = {
        "bg_texture_contrast": "standard deviation of luma in the cell, grey levels",
        "bg_texture_gradient": "mean steepness of luma, grey levels a pixel",
        "bg_texture_coherence": "how much the gradients over 24 px share one direction, 0 none to 1 all",
        "bg_texture_focus": "log ratio of finest detail to steepness: high where in focus, low where defocused",
        "bg_texture_focus_step": "bg_texture_focus minus its mean over the 72 px around, log units",
        "bg_texture_halo": "luma of the cell minus its mean over 56 px: bright or dark fringes, grey levels",
        "bg_texture_color_spill": "distance of Cb and Cr from their mean over 56 px, grey levels",
    }

    def measure(self, signals: Signals) -> Tensor:
        """The 7 channels of `MEASURED`, in their order: (B, 7, H / 8, W / 8)."""
        contrast = torch.sqrt(signals.variance + 1e-4)
        products = (signals.slope_x.square(), signals.slope_y.square(), signals.slope_x * signals.slope_y)
        xx, yy, xy = (smoothed(cells(plane), 3) for plane in products)
        coherence = torch.sqrt((xx - yy).square() + 4 * xy.square() + 1e-8) / (xx + yy + 1.0)
        focus = log_level(signals.noise, 0.3) - log_level(signals.steep, 0.5)
        spill = step_from_neighbours(signals.chroma_cells, 7).square().sum(1, keepdim=True)
        return torch.cat(
            [
                contrast, signals.steep, coherence, focus, step_from_neighbours(focus),
                step_from_neighbours(signals.light, 7), torch.sqrt(spill + 1e-4),
            ],
            dim=1,
        )  # fmt: skip


class LightingDetector(CueModule):
    """A face lit otherwise than its surroundings."""

    PREFIX, KIND, LEARNED = "lighting", "a face lit otherwise than its surroundings", 4
    MEASURED: ClassVar = {
        "lighting_shading": "natural logarithm of luma smoothed over 40 px",
        "lighting_slope_x": "slope of that shading to the right, log units a crop's width",
        "lighting_slope_y": "slope of that shading downwards, log units a crop's height",
        "lighting_slope_mismatch": "distance of the slope here from the mean slope of the surroundings, log units",
        "lighting_left_right": "shading minus that of the mirrored place: light from one side, log units",
        "lighting_highlights": "share of pixels above 94 % in all three colours, 0..1",
        "lighting_offset": "shading minus its mean over the surroundings, log units",
    }

    def measure(self, signals: Signals) -> Tensor:
        """The 7 channels of `MEASURED`, in their order: (B, 7, H / 8, W / 8)."""
        shading = _shading(signals)
        across, down = _slopes(shading)
        mismatch = torch.sqrt(against_surroundings(across).square() + against_surroundings(down).square() + 1e-6)
        bright = torch.sigmoid((signals.darkest_colour - 0.94) * 100)
        return torch.cat(
            [
                shading, across, down, mismatch, shading - shading.flip(-1), cells(bright),
                against_surroundings(shading),
            ],
            dim=1,
        )  # fmt: skip

    def measure_mirrored(self, signals: Signals, measured: Tensor) -> Tensor:
        """As of any module, but a slope to the right becomes one to the left."""
        return torch.cat([measured[:, :1], -measured[:, 1:2], measured[:, 2:]], dim=1).flip(-1)


class ShadowChecker(CueModule):
    """A shadow that ends at the face or that the face lacks."""

    PREFIX, KIND, LEARNED = "shadow", "a shadow that ends at the face or that the face lacks", 4
    MEASURED: ClassVar = {
        "shadow_depth": "how far shading lies below its mean over 72 px, log units, 0 where it does not",
        "shadow_edge": "steepness of shading at 24 px, log units a crop's side",
        "shadow_hue_change": "change of warmth beside change of light: a true shadow changes light more, ratio",
        "shadow_blueness": "in dark places, how much cooler than the surroundings (sky-filled shade), log units",
        "shadow_floor": "darkest luma in the cell, grey levels",
        "shadow_noise": "noise level over the square root of luma, grey levels to the power 1/2",
        "shadow_above_below": "shading 32 px above minus 32 px below: shade under chin and brow, log units",
    }

    def measure(self, signals: Signals) -> Tensor:
        """The 7 channels of `MEASURED`, in their order: (B, 7, H / 8, W / 8)."""
        shading = smoothed(signals.log_light, 3)
        across, down = _slopes(shading)
        edge = torch.sqrt(across.square() + down.square() + 1e-6)
        red, _, blue = signals.log_colours.split(1, dim=1)
        warmth = red - blue
        warm_x, warm_y = _slopes(warmth)
        hue = torch.sqrt(warm_x.square() + warm_y.square() + 1e-6) / (edge + 0.5)
        depth = functional.relu(-step_from_neighbours(shading))
        cool = functional.relu(surroundings(warmth) - warmth) * torch.sigmoid((3.9 - shading) * 3)  # under 50 grey
        floor = -functional.max_pool2d(-signals.luma, 8)
        noise = signals.noise / torch.sqrt(signals.light + LIGHT_FLOOR)
        tall = functional.pad(shading, (0, 0, 4, 4), mode="replicate")
        return torch.cat([depth, edge, hue, cool, floor, noise, tall[..., :-8, :] - tall[..., 8:, :]], dim=1)


class ColourTemperature(CueModule):
    """A face of another colour temperature than its surroundings."""

    PREFIX, KIND, LEARNED = "color_temp", "a face of another colour temperature than its surroundings", 4
    MEASURED: ClassVar = {
        "color_temp_red_green": "log ratio of red to green over 24 px",
        "color_temp_blue_green": "log ratio of blue to green over 24 px",
        "color_temp_warmth": "log ratio of red to blue over 24 px: high warm, low cool",
        "color_temp_tint": "log ratio of green squared to red times blue over 24 px: high green, low magenta",
        "color_temp_warmth_offset": "warmth minus its mean over the surroundings",
        "color_temp_tint_offset": "tint minus its mean over the surroundings",
        "color_temp_saturation": "distance of Cb and Cr from grey, grey levels",
    }

    def measure(self, signals: Signals) -> Tensor:
        """The 7 channels of `MEASURED`, in their order: (B, 7, H / 8, W / 8)."""
        red, green, blue = signals.log_colours.split(1, dim=1)
        warmth, tint = red - blue, 2 * green - red - blue
        saturation = torch.sqrt(signals.chroma_cells.square().sum(1, keepdim=True) + 1e-4)
        return torch.cat(
            [
                red - green, blue - green, warmth, tint, against_surroundings(warmth), against_surroundings(tint),
                saturation,
            ],
            dim=1,
        )  # fmt: skip


MODULES: dict[str, type[CueModule]] = {
    "bg_texture": BackgroundTexture,
    "lighting_detector": LightingDetector,
    "shadow_checker": ShadowChecker,
    "color_temp": ColourTemperature,
}
