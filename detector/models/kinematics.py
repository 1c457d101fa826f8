"""Does this face move as people do? Measured features of a window of its motion -> a logit.

Standardised, outliers held back, and added up: a linear discriminant has few enough parameters to be fitted to some
hundred clips, and each feature's part in the outcome can be told.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from detector.models.build import architecture


@architecture("kinematics")
class KinematicsNet(nn.Module):
    """Windows (..., F) of `features` measured features -> (...,) logits. `centre` and `scale` (F,) standardise them, to
    at most `farthest` either way."""

    centre: Tensor
    scale: Tensor

    def __init__(self, features: int, *, farthest: float = 3.0) -> None:
        super().__init__()
        self.farthest = farthest
        self.register_buffer("centre", torch.zeros(features))
        self.register_buffer("scale", torch.ones(features))
        self.read = nn.Linear(features, 1)

    def standardised(self, windows: Tensor) -> Tensor:
        """(..., F) as measured -> (..., F) of about unit spread."""
        return ((windows - self.centre) / self.scale).clamp(-self.farthest, self.farthest)

    def shares(self, windows: Tensor) -> Tensor:
        """(..., F): what each feature adds to the logit; their sum and the layer's bias are the logit."""
        return self.standardised(windows) * self.read.weight[0]

    def forward(self, windows: Tensor) -> Tensor:
        """The logits alone."""
        return self.read(self.standardised(windows)).squeeze(-1)
