"""Torch at half precision on a card, where that says the same: autocast, checked against float32 before use.

Convolutions and products of matrices are computed in float16, or bfloat16 where that overflows, the rest in float32
(Micikevicius et al., ICLR 2018).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from detector.models.readings import Reading
from detector.runtime.check import Tolerance, difference
from detector.runtime.choice import HALF, TORCH, Runtime, torch_runtime, version_of

TOLERANCE: Final = Tolerance(logit=1e-2, other=1e-2)
"""By how much an answer may differ from float32's: a hundredth of a logit moves a score by at most 0.0025."""
PRECISIONS: Final = (torch.float16, torch.bfloat16)
_LOG = logging.getLogger(__name__)


class HalfNetwork:
    """`reading` under autocast to `precision` on the device that it is on; called as `CompiledNetwork`."""

    def __init__(self, reading: Reading, precision: torch.dtype) -> None:
        self._reading, self._precision = reading, precision
        self._device = next(reading.parameters()).device

    def __call__(self, pictures: NDArray[np.uint8], names: Sequence[str]) -> Mapping[str, NDArray[np.float32]]:
        """The outputs `names` of (N, …) uint8 pictures, N from 1 up, (N, …) float32 each."""
        with torch.inference_mode(), torch.autocast(self._device.type, dtype=self._precision):
            told = self._reading(torch.from_numpy(np.ascontiguousarray(pictures)).to(self._device))
        found = zip(self._reading.names, told, strict=True)
        return {name: value.float().cpu().numpy() for name, value in found if name in names}


def at_half_precision(
    reading: Reading, name: str, *, precisions: Sequence[torch.dtype] = PRECISIONS
) -> tuple[HalfNetwork | None, Runtime]:
    """`reading`, in evaluation mode on its device, at the first of `precisions` that agrees with float32 on the fixed
    inputs, and what runs it; or None and torch with the reason why, which calls the network by its `name`."""
    reasons = []
    for precision in precisions:
        short = str(precision).removeprefix("torch.")
        network = HalfNetwork(reading, precision)
        try:
            _, reason = difference(network, reading, TOLERANCE)
        except (RuntimeError, ValueError) as error:  # an operation that the device lacks, or an overflow
            _LOG.warning("%s cannot be computed in %s: %s", name, short, error)
            reason = "it cannot be computed"
        if reason is None:
            return network, Runtime(HALF, f"{version_of(TORCH)} {short}", HALF)
        reasons.append(f"in {short} {reason}")
    return None, torch_runtime(HALF, f"{name} was run in float32: {'; '.join(reasons)}.")
