"""How batches reach the training processes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch

from detector.training.engine.run_log import RunLog


class Plain:
    """Any iterable as Lightning takes it: a bare list would be several data sets to it."""

    def __init__(self, batches: Iterable[Any]) -> None:
        self._batches = batches

    def __iter__(self) -> Iterator[Any]:
        return iter(self._batches)


class Share:
    """What one of `devices` processes sees of an iterable of batches: every n-th, the same count for each."""

    def __init__(self, batches: Iterable[Any], log: RunLog, devices: int) -> None:
        self._batches, self._log, self._devices = batches, log, devices

    def __iter__(self) -> Iterator[Any]:
        if hasattr(self._batches, "set_epoch"):
            self._batches.set_epoch(self._log.epochs)
        if self._devices == 1:
            for batch in self._batches:
                if self._log.over_budget:
                    return
                yield batch
            return
        rank = torch.distributed.get_rank()
        waiting: list[Any] = []
        for batch in self._batches:
            waiting.append(batch)
            if len(waiting) == self._devices:
                yield waiting[rank]
                waiting = []
