"""One frame in, one logit out, with a map of where: trunk, blend-map head, label head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from detector.models.outputs import FrameOutput
from detector.models.trunk import Trunk


def _enlarged(coarse: Tensor, like: Tensor) -> Tensor:
    return nn.functional.interpolate(coarse, size=like.shape[-2:], mode="nearest")


class FrameNet(nn.Module):
    """A frame model whose label rests on a blend map.

    The map head says where a face was blended or repainted (after Face X-ray, Li et al., CVPR 2020); the label head
    sees the deepest features pooled, features pooled where the map is hot, and the map's own peak and mean. From
    scratch the label alone does not train; beside the map it does.
    """

    def __init__(
        self,
        trunk: str = "resnet18",
        *,
        trunk_options: Mapping[str, Any] | None = None,
        strides: Sequence[int] = (8, 16),
        early_pool: bool = True,
        high_pass: bool = True,
        width: int = 128,
        dropout: float = 0.3,
    ) -> None:
        super().__init__()
        if len(strides) < 2 or strides[0] != 8:
            raise ValueError(f"strides: expected 8 and at least one above it, found {tuple(strides)}")
        self.trunk = Trunk(trunk, strides, options=trunk_options, high_pass=high_pass, early_pool=early_pool)
        fine, *middle, deep = self.trunk.channels
        self.lateral = nn.Conv2d(fine, width, 1)
        self.middle = nn.ModuleList(nn.Conv2d(channels, width, 1) for channels in middle)
        self.top_down = nn.Conv2d(deep, width, 1)
        self.smooth = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )
        self.map_head = nn.Conv2d(width, 1, 1)
        self.feature_dim = deep + 2 * width + 2
        self.label_head = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(self.feature_dim, width),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(width, 1),
        )

    def forward_all(self, x: Tensor) -> FrameOutput:
        """x: (B, 3, S, S) normalised crops, S a multiple of the deepest stride."""
        fine, *middle, deep = self.trunk(x)  # (B, C, S/8, S/8), …, (B, D, S/d, S/d)
        pyramid = self.top_down(deep)  # (B, width, S/d, S/d), then finer and finer: Lin et al., CVPR 2017
        for lateral, feature in zip(reversed(self.middle), reversed(middle), strict=True):
            pyramid = _enlarged(pyramid, feature) + lateral(feature)
        merged = self.smooth(self.lateral(fine) + _enlarged(pyramid, fine))  # (B, width, S/8, S/8)
        map_logit = self.map_head(merged).squeeze(1).float()  # (B, S/8, S/8)
        heat = map_logit.flatten(1)  # (B, N)
        attention = torch.softmax(heat, dim=1).unsqueeze(1)  # (B, 1, N)
        local = (merged.flatten(2).float() * attention).sum(2)  # (B, width)
        peak = torch.logsumexp(heat * 4, dim=1, keepdim=True) / 4  # a soft maximum, differentiable everywhere
        pooled = [deep.mean((2, 3)).float(), merged.mean((2, 3)).float(), local, peak, heat.mean(1, keepdim=True)]
        features = torch.cat(pooled, dim=1)  # (B, feature_dim)
        return FrameOutput(self.label_head(features).squeeze(1).float(), map_logit, features)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, S, S) normalised -> (B,) logits of P(manipulated)."""
        return self.forward_all(x).logit

    @property
    def cam_layer(self) -> nn.Module:
        return self.trunk.last_stage
