"""Networks with parts switched off: Monte Carlo dropout (Gal and Ghahramani, ICML 2016)."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

import torch
from torch import Tensor, nn


class Mask(nn.Module):
    """Dropout of `share` of the last axis, the same places in every row and every call until `draw` is changed."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share, self.draw = share, 0

    def forward(self, x: Tensor) -> Tensor:
        """(…, C) with some of C at 0 and the others scaled, so that the expected value stays."""
        generator = torch.Generator().manual_seed(self.draw)
        kept = torch.rand(x.shape[-1], generator=generator) >= self.share
        return x * (kept.to(x.device, x.dtype) / (1 - self.share))


def has_dropout(network: nn.Module) -> bool:
    """Whether any layer of dropout in it would drop anything."""
    return any(isinstance(module, nn.Dropout) and module.p > 0 for module in network.modules())


def thinned(network: nn.Module, passes: int, *, seed: int = 0) -> Iterator[nn.Module]:
    """A copy of `network`, `passes` times over, each time with other parts of its dropout layers off.

    Within one pass every input meets the same places off, so that a pass is one network and what passes say of a whole
    video can be compared. The next pass changes the copy that the last one gave; `network` itself is left alone. The
    dropout inside of torch's recurrent and attention layers is no module of its own, and stays off.
    """
    copy = deepcopy(network)
    holder = nn.ModuleList([copy])  # so that a network that is itself a layer of dropout is replaced too
    masks = []
    for parent in list(holder.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Dropout) and child.p > 0:
                masks.append(Mask(child.p))
                setattr(parent, name, masks[-1])
    for number in range(passes):
        for place, mask in enumerate(masks):
            mask.draw = (seed * passes + number) * len(masks) + place
        yield holder[0]
