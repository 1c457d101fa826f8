"""One module of a specialist: named channels, some measured by a fixed formula, some learned."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn

from detector.models.specialists.signals import Signals


class CueModule(nn.Module):
    """Base of all modules. A subclass names its fixed channels in `MEASURED` (name -> meaning with unit) and computes
    them, in that order, in `measure`.

    Its learned channels are read from the shared features, each through a sigmoid into 0..1: the first, `*_evidence`,
    is trained with the masks of this module's own kind of manipulation, so it can be read as a probability; the
    others, `*_learned_n`, only through the cue's map, and mean no more than what they light up on.
    """

    PREFIX: ClassVar[str]
    KIND: ClassVar[str]  # what the evidence channel is trained to find, in words
    MEASURED: ClassVar[Mapping[str, str]]
    LEARNED: ClassVar[int]

    def __init__(self, width: int, hidden: int = 24) -> None:
        super().__init__()
        self.learned = nn.Sequential(nn.Conv2d(width, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, self.LEARNED, 1))

    @classmethod
    def channels(cls) -> dict[str, str]:
        """Name -> meaning and unit of every channel, in order: measured, evidence, learned."""
        learned = {f"{cls.PREFIX}_evidence": f"learned probability, 0..1, of {cls.KIND} at this place"}
        for number in range(1, cls.LEARNED):
            learned[f"{cls.PREFIX}_learned_{number}"] = (
                f"learned response, 0..1, no unit; it serves the map of this cue beside {cls.PREFIX}_evidence"
            )
        return {**cls.MEASURED, **learned}

    @abstractmethod
    def measure(self, signals: Signals) -> Tensor:
        """The fixed channels, (B, len(MEASURED), S/8, S/8) float32."""

    def measure_mirrored(self, signals: Signals, measured: Tensor) -> Tensor:
        """What `measure` would give of the crop's mirror image: what it `measured` of the crop, turned. A module with
        channels that tell left from right, or pixel borders from pixels, puts its own in their place."""
        return measured.flip(-1)

    def forward(self, signals: Signals, shared: Tensor, *, mirrored: bool = False) -> Tensor:
        """`shared` (B, width, S/8, S/8) features -> (B, C, S/8, S/8) float32 channels. With `mirrored` those of the
        crops' mirror images follow those of the crops, in `shared` (2 B, ...) as in the channels."""
        learned = torch.sigmoid(self.learned(shared).float())
        with torch.autocast(shared.device.type, enabled=False):
            measured = self.measure(signals)
            if mirrored:
                measured = torch.cat([measured, self.measure_mirrored(signals, measured)])
            return torch.cat([measured, learned], dim=1)
