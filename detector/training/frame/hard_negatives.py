"""Samples a network gets wrong, kept and shown again (after Shrivastava et al., CVPR 2016, over epochs)."""

from __future__ import annotations

import csv
import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import numpy as np

Payload = TypeVar("Payload")


class _Kept(NamedTuple):
    loss: float
    name: str


@dataclass(slots=True)
class HardSamples(Generic[Payload]):
    """The `capacity` samples of highest loss of each label, by name, each with what is needed to show it again.

    A sample noted again takes its new loss, so what was learned sinks and is dropped. Both labels are kept and drawn
    alike: genuine samples that look manipulated, and manipulated ones that look genuine.
    """

    capacity: int
    _payloads: tuple[dict[str, Payload], dict[str, Payload]] = field(default_factory=lambda: ({}, {}))
    _losses: tuple[dict[str, float], dict[str, float]] = field(default_factory=lambda: ({}, {}))

    def note(
        self, names: Sequence[str], losses: Sequence[float], labels: Sequence[int], payloads: Sequence[Payload]
    ) -> None:
        """Take in a batch: losses of the label alone, not mixed or smoothed."""
        for name, loss, label, payload in zip(names, losses, labels, payloads, strict=True):
            kept, stored = self._losses[label], self._payloads[label]
            if name in kept or len(kept) < self.capacity or loss > min(kept.values()):
                kept[name], stored[name] = loss, payload
        for kept, stored in zip(self._losses, self._payloads, strict=True):
            surplus = len(kept) - self.capacity
            for _, name in heapq.nsmallest(surplus, (_Kept(loss, name) for name, loss in kept.items())):
                del kept[name], stored[name]

    def draw(self, count: int, rng: np.random.Generator) -> list[tuple[str, int, Payload]]:
        """`count` (name, label, payload), half of each label, likelier the higher the loss; fewer while few are kept,
        none before both labels are."""
        drawn = []
        if not all(self._losses):
            return []
        for label, share in ((0, count - count // 2), (1, count // 2)):
            names = list(self._losses[label])
            rank = np.argsort(np.argsort([self._losses[label][name] for name in names])) + 1.0
            chosen = rng.choice(len(names), min(share, len(names)), replace=False, p=rank / rank.sum())
            drawn += [(names[i], label, self._payloads[label][names[i]]) for i in chosen]
        return drawn

    def write(self, path: Path) -> None:
        """The list as CSV, hardest first: name, label, loss."""
        rows = [(loss, label, name) for label in (0, 1) for name, loss in self._losses[label].items()]
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["name", "label", "loss"])
            writer.writerows([name, label, f"{loss:.4f}"] for loss, label, name in sorted(rows, reverse=True))
