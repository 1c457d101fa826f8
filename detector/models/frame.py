"""One frame in, one logit out, with a map of where: trunk, blend-map head, label head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from detector.models.attention import Cbam
from detector.models.build import architecture
from detector.models.frequency import FrequencyBranch
from detector.models.outputs import FrameOutput
from detector.models.trunk import Trunk


def _enlarged(coarse: Tensor, like: Tensor) -> Tensor:
    return nn.functional.interpolate(coarse, size=like.shape[-2:], mode="nearest")


def _plain_head(features: int, width: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Dropout(dropout),
        nn.Linear(features, width),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(width, 1),
    )


def _mlp_head(features: int, width: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Dropout(0.5),
        nn.Linear(features, 512),
        nn.ReLU(),
        nn.BatchNorm1d(512),
        nn.Dropout(0.3),
        nn.Linear(512, 2),
    )


_HEADS = {"plain": _plain_head, "mlp": _mlp_head}


@architecture("frame")
class FrameNet(nn.Module):
    """A frame model whose label rests on a blend map, on any timm trunk.

    The map head says where a face was blended or repainted (after Face X-ray, Li et al., CVPR 2020); the label head
    sees the deepest features pooled, features pooled where the map is hot, and the map's own peak and mean. From
    scratch the label alone does not train; beside the map it does.

    `blend_map` False leaves pyramid and map out: the label rests on the pooled features of all `strides`, whichever.
    `attention` adds channel and spatial attention to the deepest features; `frequency` "fft" or "dct" adds a branch
    that reads the crop's spectrum. `head` "plain" has one hidden layer of `width`; "mlp" is Dropout 0.5, 512, ReLU,
    BatchNorm, Dropout 0.3, 2, whose outputs' difference is the logit.
    Raises ValueError for strides, heads or transforms that do not exist.
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
        blend_map: bool = True,
        attention: bool = False,
        frequency: Literal["fft", "dct"] | None = None,
        head: Literal["plain", "mlp"] = "plain",
    ) -> None:
        super().__init__()
        if blend_map and (len(strides) < 2 or strides[0] != 8):
            raise ValueError(f"strides: expected 8 and at least one above it, found {tuple(strides)}")
        if head not in ("plain", "mlp"):
            raise ValueError(f"head: expected 'plain' or 'mlp', found {head!r}")
        self.trunk = Trunk(trunk, strides, options=trunk_options, high_pass=high_pass, early_pool=early_pool)
        *_, deep = self.trunk.channels
        self.map_head: nn.Module | None = None
        if blend_map:
            fine, *middle, _ = self.trunk.channels
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
        self.attention = Cbam(deep) if attention else None
        self.frequency = FrequencyBranch(frequency) if frequency else None
        self.feature_dim = deep + 2 * width + 2 if blend_map else sum(self.trunk.channels)
        if self.frequency is not None:
            self.feature_dim += self.frequency.width
        self.label_head = _HEADS[head](self.feature_dim, width, dropout)

    def forward_all(self, x: Tensor) -> FrameOutput:
        """x: (B, 3, S, S) normalised crops, S a multiple of the deepest stride. Without a blend map `map_logit` is
        (B, 0, 0)."""
        *finer, deep = self.trunk(x)  # (B, C, S/8, S/8), …, (B, D, S/d, S/d)
        if self.attention is not None:
            deep = self.attention(deep)
        if self.map_head is not None:
            map_logit, pooled = self._mapped(finer, deep)
        else:
            map_logit = deep.new_zeros((len(x), 0, 0), dtype=torch.float32)
            pooled = [feature.mean((2, 3)).float() for feature in (*finer, deep)]
        if self.frequency is not None:
            pooled.append(self.frequency(x))
        features = torch.cat(pooled, dim=1)  # (B, feature_dim)
        output = self.label_head(features).float()  # (B, 1), or (B, 2) of genuine and manipulated
        logit = output[:, 0] if output.shape[1] == 1 else output[:, 1] - output[:, 0]
        return FrameOutput(logit, map_logit, features)

    def _mapped(self, finer: Sequence[Tensor], deep: Tensor) -> tuple[Tensor, list[Tensor]]:
        """The blend map (B, S/8, S/8) from the pyramid, and what is pooled with its help."""
        assert self.map_head is not None
        fine, *middle = finer
        pyramid = self.top_down(deep)  # (B, width, S/d, S/d), then finer and finer: Lin et al., CVPR 2017
        for lateral, feature in zip(reversed(self.middle), reversed(middle), strict=True):
            pyramid = _enlarged(pyramid, feature) + lateral(feature)
        merged = self.smooth(self.lateral(fine) + _enlarged(pyramid, fine))  # (B, width, S/8, S/8)
        map_logit = self.map_head(merged).squeeze(1).float()  # (B, S/8, S/8)
        heat = map_logit.flatten(1)  # (B, N)
        focus = torch.softmax(heat, dim=1).unsqueeze(1)  # (B, 1, N)
        local = (merged.flatten(2).float() * focus).sum(2)  # (B, width)
        peak = torch.logsumexp(heat * 4, dim=1, keepdim=True) / 4  # a soft maximum, differentiable everywhere
        pooled = [deep.mean((2, 3)).float(), merged.mean((2, 3)).float(), local, peak, heat.mean(1, keepdim=True)]
        return map_logit, pooled

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, S, S) normalised -> (B,) logits of P(manipulated)."""
        return self.forward_all(x).logit

    @property
    def cam_layer(self) -> nn.Module:
        """The layer whose activations class activation maps are taken from."""
        return self.trunk.last_stage
