"""Does a converted network answer as torch does? Fixed inputs, and how far the answers may lie apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from detector.models.readings import LOGITS, Reading

LOGIT_TOLERANCE: Final = 1e-4
"""By how much a logit may differ from torch's."""
Network = Callable[[NDArray[np.uint8], Sequence[str]], Mapping[str, NDArray[np.float32]]]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """By how much a `logit` may differ, and any `other` output as a share of its largest magnitude or of 1."""

    logit: float = LOGIT_TOLERANCE
    other: float = 1e-3


def difference(network: Network, reading: Reading, within: Tolerance | None = None) -> tuple[float, str | None]:
    """The largest difference of a logit from torch's in float32, on the device of `reading`, for the fixed inputs; and
    why the network must not be used, None where it agrees `within` the tolerance.

    Raises ValueError for answers of another shape, or that are not finite.
    """
    furthest, within = 0.0, within or Tolerance()
    device = next(reading.parameters()).device
    for pictures in fixed_inputs(reading.picture_shape):
        found = network(pictures, reading.names)
        with torch.inference_mode():
            expected = reading(torch.from_numpy(pictures).to(device))
        for name, value in zip(reading.names, expected, strict=True):
            want, got = value.cpu().numpy(), found[name]
            if want.shape != got.shape or not np.isfinite(got).all():
                raise ValueError(f"{name} of shape {got.shape}, expected finite ones of shape {want.shape}")
            apart, logit = float(np.abs(want - got).max(initial=0.0)), name.split("/")[-1] == LOGITS
            allowed = within.logit if logit else within.other * max(1.0, float(np.abs(want).max(initial=0.0)))
            if logit:
                furthest = max(furthest, apart)
            if apart > allowed:
                return (
                    furthest,
                    f"its {name} on a fixed input are {apart:.1e} off torch's, allowed are {allowed:.0e}",
                )
    return furthest, None


def fixed_inputs(shape: tuple[int, ...]) -> Iterator[NDArray[np.uint8]]:
    """Pictures of a shape (H, W, C), (N, H, W, C) uint8: noise alone; then noise, a bright and a dark drawn face with
    soft and hard edges, and an even field, together."""
    height, width, channels = shape
    rng = np.random.default_rng(19)
    noise = rng.integers(0, 256, (2, *shape), dtype=np.uint8)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    levels = rng.uniform(0.4, 1.0, channels)
    oval = 1 / (1 + np.exp(12 * (np.hypot(1.5 * y, 2 * x) - 1)))
    eyes = (np.hypot(y + 0.2, np.abs(x) - 0.2) < 0.08) | ((np.abs(y - 0.3) < 0.04) & (np.abs(x) < 0.15))
    light = (60 + 120 * oval + 25 * x - 90 * eyes)[..., None] * levels
    bright = light + rng.normal(0, 3, shape)
    dark = light / 6 + rng.normal(0, 1, shape)
    even = np.full(shape, 128.0)
    yield noise[:1]
    yield np.stack([noise[1], *(np.clip(np.rint(one), 0, 255).astype(np.uint8) for one in (bright, dark, even))])
