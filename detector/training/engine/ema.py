"""An exponential moving average of a network's weights: what is evaluated and shipped."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import nn


class Ema:
    """Average of a network's weights and buffers in `network`, which is in evaluation mode and has no gradients."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = deepcopy(network).eval().requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Move towards `network`; `step` counts optimiser steps from 1."""
        decay = min(self._decay, (1 + step) / (10 + step))  # short memory while the weights still move fast
        for mean, value in zip(self.network.state_dict().values(), network.state_dict().values(), strict=True):
            if mean.dtype.is_floating_point:
                mean.lerp_(value, 1 - decay)
            else:
                mean.copy_(value)
