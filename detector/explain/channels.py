"""A specialist's named channels as maps over the crop it saw."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detector.faces.types import Box


@dataclass(frozen=True, eq=False)
class ChannelMaps:
    """One cue on one face. `names` (C,) and `maps` (C, h, w) float32, each channel in its own unit; `crop` (S, S, 3)
    uint8 RGB: what the model saw, cut from `crop_box_xyxy_px` turned by `turn_deg`, as in `Heatmap`."""

    cue: str
    names: tuple[str, ...]
    maps: NDArray[np.float32]
    crop: NDArray[np.uint8]
    crop_box_xyxy_px: Box
    turn_deg: float
    model_id: str

    def named(self, name: str) -> NDArray[np.float32]:
        """(h, w) of one channel. Raises KeyError for a name the cue does not have."""
        if name not in self.names:
            raise KeyError(f"{self.cue} has no channel {name!r}; it has {', '.join(self.names)}.")
        return self.maps[self.names.index(name)]
