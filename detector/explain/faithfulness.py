"""Faithfulness of a heatmap by a deletion test (Petsiuk et al., BMVC 2018) on one face.

It is done on the features of the layer that the map explains. Hiding places of the picture itself would not do: a
blurred or grey patch in a face is what such models are made to find, and raises their score wherever it lies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from detector.explain.overlay import Heatmap

if TYPE_CHECKING:
    from detector.registry import FrameModel

SHARE: Final = 0.2
DRAWS: Final = 16


class HeatTest(NamedTuple):
    """By how much the logit changes when the hottest fifth of the layer's cells is replaced by the face's mean (`hot`),
    and when as many cells elsewhere are (`elsewhere`, the mean of sixteen draws)."""

    hot: float
    elsewhere: float

    @property
    def faithful(self) -> bool:
        """Taking away what the map marks lowers the score, and by more than taking away other places does."""
        return self.hot < min(0.0, self.elsewhere)


def hide_test(model: FrameModel, heatmap: Heatmap, *, seed: int = 0) -> HeatTest:
    """Test one heatmap of a frame model on the crop it was made of. Equal arguments give equal numbers; one batch of 18
    crops. Raises ModelError for a model of another kind, or without a layer to explain.
    """
    gone: Tensor | None = None

    def drawn(shape: torch.Size) -> Tensor:
        """(18, h, w) bool: nothing, the hottest fifth, and sixteen times as many cells elsewhere."""
        height, width = int(shape[-2]), int(shape[-1])
        heat = nn.functional.adaptive_avg_pool2d(torch.from_numpy(heatmap.raw)[None, None], (height, width)).flatten()
        count = max(1, round(SHARE * heat.numel()))
        order = torch.argsort(heat, descending=True, stable=True).numpy()
        rng = np.random.default_rng(seed)
        picked: list[NDArray[np.int64]] = [order[:0], order[:count]]
        picked += [rng.choice(order[count:], count, replace=False) for _ in range(DRAWS)]
        masks = torch.zeros(len(picked), heat.numel(), dtype=torch.bool)
        for row, cells in enumerate(picked):
            masks[row, cells] = True
        return masks.view(-1, height, width)

    def take_away(layer: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        nonlocal gone
        gone = drawn(output.shape) if gone is None else gone
        mean = output.mean((2, 3), keepdim=True)
        return torch.where(gone[:, None].to(output.device), mean, output)

    handle = model.cam_layer.register_forward_hook(take_away)
    try:
        logits = model.score(np.repeat(heatmap.crop[None], DRAWS + 2, axis=0)).astype(float)
    finally:
        handle.remove()
    changes = logits[1:] - logits[0]
    return HeatTest(float(changes[0]), float(changes[1:].mean()))
