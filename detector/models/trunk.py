"""The image encoder that heads share: any timm network, cut to the strides a head asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import timm
import torch
from torch import Tensor, nn


class HighPass(nn.Module):
    """Append the residual x - mean3x3(x), scaled: traces of blending and re-sampling live in high frequencies.

    (B, 3, H, W) -> (B, 6, H, W). The residual of a first-order smoothing filter is the simplest member of the
    steganalysis rich-model family (Fridrich & Kodovsky, 2012).
    """

    def __init__(self, gain: float = 4.0) -> None:
        super().__init__()
        self.gain = gain

    def forward(self, x: Tensor) -> Tensor:
        """(B, 6, H, W): the picture, and what a 3 x 3 mean leaves of it, scaled."""
        smooth = nn.functional.avg_pool2d(nn.functional.pad(x, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
        return torch.cat([x, (x - smooth) * self.gain], dim=1)


def _feature_info(encoder: nn.Module) -> Any:
    """Timm's description of a feature pyramid; torch types module attributes as tensors."""
    return encoder.feature_info


class Trunk(nn.Module):
    """A timm network's feature pyramid.

    `name` any timm model with `features_only`; `options` go to timm's constructor (widths, depths, stem); `strides` the
    feature strides to return, ascending (e.g. 8, 16); `high_pass` feeds the residual beside RGB; `early_pool` False
    takes the max-pooling out of a ResNet's stem, so that every stage sees twice the resolution. No pretrained weights
    are fetched. forward: (B, 3, H, W) normalised -> list of (B, C_i, H/s_i, W/s_i).
    Raises ValueError where the network has no feature at a stride, or no pooling to take out.
    """

    def __init__(
        self,
        name: str,
        strides: Sequence[int],
        *,
        options: Mapping[str, Any] | None = None,
        high_pass: bool = False,
        early_pool: bool = True,
    ) -> None:
        super().__init__()
        self.high_pass = HighPass() if high_pass else nn.Identity()
        build = {"pretrained": False, "features_only": True, **(options or {})}
        every = _feature_info(timm.create_model(name, **build)).reduction()
        if not early_pool:
            every = [stride // 2 if stride > 2 else stride for stride in every]
        missing = [stride for stride in strides if stride not in every]
        if missing:
            raise ValueError(f"{name} has features at strides {every}, not at {missing}")
        # Without pooling the stem and the first stage share stride 2: the deeper of equals is meant.
        indices = tuple(len(every) - 1 - every[::-1].index(stride) for stride in strides)
        self.encoder = timm.create_model(name, in_chans=6 if high_pass else 3, out_indices=indices, **build)
        if not early_pool:
            if not hasattr(self.encoder, "maxpool"):
                raise ValueError(f"{name} has no max-pooling in its stem")
            self.encoder.maxpool = nn.Identity()
        self.channels: list[int] = _feature_info(self.encoder).channels()
        self.strides = tuple(strides)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Feature maps (B, C, H / stride, W / stride), one a stride, finest first."""
        return self.encoder(self.high_pass(x))

    @property
    def last_stage(self) -> nn.Module:
        """The module whose output is the deepest feature, for class activation maps."""
        last = list(self.encoder.children())[-1]
        # EfficientNet and its kin run their stages one by one and never the container around them.
        return last[-1] if last is getattr(self.encoder, "blocks", None) else last
