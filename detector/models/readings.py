"""All that is asked of a network about crops, as one module of plain tensors: what a runtime computes in one pass.

A reading takes uint8 pictures as they are cut, and answers named tensors whose first dimension is that of the pictures.
Loaded models call it in torch, or hand it to another runtime (`detector.runtime`), which needs a module of tensors.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from detector.models.appearance import appearance_of
from detector.models.frame import FrameNet
from detector.models.frame_pair import INPUT_SIDE_PX, PAIR_PLANES, FramePairNet
from detector.models.residual import ResidualNet
from detector.models.specialists.network import SpecialistsNet
from detector.models.specialists.signals import face_mean

LOGITS = "logits"
"""The name of an output that holds logits, alone or after a cue and a slash."""


class Reading(nn.Module):
    """A network with all that it is asked: (N, *`picture_shape`) uint8 -> a tensor for each of `names`, (N, …) float32.

    One tensor in, several out: subclasses define `forward`, whose outputs are in the order of `names`.
    """

    names: tuple[str, ...]
    picture_shape: tuple[int, ...]


class CropReading(Reading):
    """A reading of crops (N, S, S, 3) uint8 RGB, which it normalises by `mean` and `std` of pixels in 0..1."""

    mean: Tensor
    std: Tensor

    def __init__(self, side_px: int, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.picture_shape = (side_px, side_px, 3)
        self.register_buffer("mean", torch.tensor(tuple(mean)).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(tuple(std)).view(1, 3, 1, 1), persistent=False)

    def prepare(self, crops: Tensor) -> Tensor:
        """(N, S, S, 3) uint8 -> (N, 3, S, S) float32, normalised."""
        pixels = crops.permute(0, 3, 1, 2).float() / 255
        return ((pixels - self.mean) / self.std).contiguous(memory_format=torch.channels_last)


class FrameReading(CropReading):
    """`logits` (N,); of a `FrameNet` also `features` (N, D + 64), what the label rests on and the crop's appearance,
    and `map_logits` (N, S/8, S/8) where it has a map."""

    def __init__(self, network: nn.Module, side_px: int, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__(side_px, mean, std)
        self.network = network
        self.names = (LOGITS,)
        if isinstance(network, FrameNet):
            self.names += ("features",) if network.map_head is None else ("features", "map_logits")

    def forward(self, crops: Tensor) -> tuple[Tensor, ...]:
        """The outputs, in the order of `names`."""
        prepared = self.prepare(crops)
        if not isinstance(self.network, FrameNet):
            return (self.network(prepared).float(),)
        output = self.network.forward_all(prepared)
        features = torch.cat([output.features, appearance_of(prepared)], dim=1)
        return (output.logit, features, output.map_logit)[: len(self.names)]


class SpecialistsReading(CropReading):
    """Of each cue `<cue>/logits` (N,), `<cue>/readings` (N, C), `<cue>/features` (N, L, F) and `<cue>/channels`
    (N, C, h, w)."""

    def __init__(self, network: SpecialistsNet, side_px: int, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__(side_px, mean, std)
        self.network = network
        parts = (LOGITS, "readings", "features", "channels")
        self.names = tuple(f"{cue}/{part}" for cue in network.cues for part in parts)

    def forward(self, crops: Tensor) -> tuple[Tensor, ...]:
        """The outputs, in the order of `names`."""
        outputs = self.network.forward_all(self.prepare(crops))
        return tuple(
            value.float()
            for one in (outputs[cue] for cue in self.network.cues)
            for value in (one.logit, face_mean(one.channels).flatten(1), one.features, one.channels)
        )


class PatchReading(Reading):
    """`logits` (N,) of patches (N, S, S, 3) uint8 RGB."""

    names = (LOGITS,)

    def __init__(self, network: ResidualNet, side_px: int) -> None:
        super().__init__()
        self.network = network
        self.picture_shape = (side_px, side_px, 3)

    def forward(self, patches: Tensor) -> tuple[Tensor, ...]:
        """The logits."""
        return (self.network(patches.permute(0, 3, 1, 2)).float(),)


class PairReading(Reading):
    """`logits` (N,) of pairs of frames (N, 64, 64, 11) uint8 (`frame_pair`)."""

    names = (LOGITS,)
    picture_shape = (INPUT_SIDE_PX, INPUT_SIDE_PX, PAIR_PLANES)

    def __init__(self, network: FramePairNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, pairs: Tensor) -> tuple[Tensor, ...]:
        """The logits."""
        return (self.network(pairs).float(),)
