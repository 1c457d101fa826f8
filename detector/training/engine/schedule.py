"""The learning rate as a pure function of where a run stands, so that a resumed run needs no state for it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

Schedule = Literal["cosine", "cosine_restarts", "plateau"]
_FLOOR = 0.01


def rate_share(
    schedule: Schedule,
    *,
    step: int,
    warmup_steps: int,
    epoch: float,
    done: float,
    restart_epochs: int = 10,
    validation_losses: Sequence[float] = (),
    plateau_patience: int = 2,
) -> float:
    """Learning rate as a share of its peak, 0..1, after a linear warm-up of `warmup_steps`.

    `epoch` counts epochs with fractions, `done` is the share of the run that is over. "cosine": one half cosine down to
    1 % over the run. "cosine_restarts": the same over `restart_epochs` epochs, then over twice as many, and so on
    (SGDR, Loshchilov & Hutter, ICLR 2017). "plateau": halved whenever `plateau_patience` epochs brought no lower loss.
    """
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    if schedule == "cosine":
        return _cosine(min(1.0, done))
    if schedule == "cosine_restarts":
        length, start = float(restart_epochs), 0.0
        while epoch >= start + length:
            start, length = start + length, 2 * length
        return _cosine((epoch - start) / length)
    best, waited, share = math.inf, 0, 1.0
    for loss in validation_losses:
        best, waited = (loss, 0) if loss < best else (best, waited + 1)
        if waited == plateau_patience:
            share, waited = share / 2, 0
    return max(_FLOOR, share)


def _cosine(part: float) -> float:
    return _FLOOR + (1 - _FLOOR) * 0.5 * (1 + math.cos(math.pi * part))
