"""Appearance of a face crop, region by region, without learned weights: light, colour, strength of fine detail.

A frame model is taught to pass over how bright, tinted or sharp a picture is. Over time these matter: a face whose
light flickers against its surroundings, or whose detail changes for a segment, was touched.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

GRID: Final = 4
APPEARANCE_FEATURES: Final = 4 * GRID * GRID


def appearance_of(x: Tensor) -> Tensor:
    """(B, 3, S, S) normalised crops -> (B, 64) float32: of each cell of a 4 by 4 grid the mean of the three colours,
    and the logarithm of the energy of the luma's finest detail (what a 3 by 3 mean takes away)."""
    x = x.float()
    colour = functional.adaptive_avg_pool2d(x, GRID)  # (B, 3, 4, 4)
    luma = x.mean(1, keepdim=True)
    fine = luma - functional.avg_pool2d(luma, 3, stride=1, padding=1, count_include_pad=False)
    detail = torch.log(functional.adaptive_avg_pool2d(fine.square(), GRID) + 1e-5)  # (B, 1, 4, 4)
    return torch.cat([colour, detail], dim=1).flatten(1)
