"""Faithfulness of an explanation by a deletion test (Petsiuk et al., BMVC 2018), against explanations drawn at random.

A heatmap is tested on the features of the layer that it explains. Hiding places of the picture itself would not do: a
blurred or grey patch in a face is what such models are made to find, and raises their score wherever it lies.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from detector.explain.overlay import Heatmap

if TYPE_CHECKING:
    from detector.registry import FrameModel, SequenceModel

SHARE: Final = 0.2
DRAWS: Final = 19  # one explanation in twenty that is itself random does better than all of these
# Hooks live on the network: two threads explaining at once mix their passes or crash the process.
HOOKS: Final = threading.Lock()


@dataclass(frozen=True, slots=True)
class DeletionTest:
    """Changes of a logit when the fifth that an explanation marks most is taken away (`marked`), and when as much is at
    random (`drawn`, one a draw: nineteen, or fewer where there are not that many ways to draw)."""

    marked: float
    drawn: tuple[float, ...]

    @property
    def mean_drawn(self) -> float:
        """Mean change over the draws; NaN without any."""
        return float(np.mean(self.drawn)) if self.drawn else math.nan

    @property
    def enough(self) -> bool:
        """Whether there were draws enough for the test to be passed."""
        return len(self.drawn) >= DRAWS


class HeatTest(DeletionTest):
    """Of a heatmap: `marked` without the hottest fifth of the layer's cells, each replaced by the face's mean. A map
    that is empty has nothing to test."""

    __slots__ = ()

    @property
    def faithful(self) -> bool:
        """Taking away what the map marks lowers the score, and by more than any of the nineteen random fifths does."""
        return self.enough and self.marked < min(0.0, *self.drawn)

    @property
    def no_more_than_chance(self) -> bool:
        """There were draws enough, and the map did not pass."""
        return self.enough and not self.faithful


@dataclass(frozen=True, slots=True)
class FrameTest(DeletionTest):
    """Of a sequence model's attention over a window whose frames are at `pts_s` (T,) seconds: `marked` without the
    fifth of its frames that weighed most."""

    pts_s: tuple[float, ...]

    @property
    def faithful(self) -> bool:
        """The score moves, up or down, by more than without any of the nineteen random fifths."""
        return self.enough and abs(self.marked) > max(abs(change) for change in self.drawn)

    @property
    def mean_moved(self) -> float:
        """Mean size of the change over the draws; NaN without any."""
        return float(np.mean(np.abs(self.drawn))) if self.drawn else math.nan


def random_sets(marked: NDArray[np.int64], count: int, rng: np.random.Generator) -> list[NDArray[np.int64]]:
    """Sets of as many of `count` places as `marked` (K,) has: all different, none of them `marked`; nineteen, or all
    that there are. With equal chances for each, the marked set is the best of twenty one time in twenty."""
    size = len(marked)
    seen = {frozenset(marked.tolist())}
    sets: list[NDArray[np.int64]] = []
    while len(sets) < min(DRAWS, math.comb(count, size) - 1):
        drawn = rng.choice(count, size, replace=False)
        if (places := frozenset(drawn.tolist())) not in seen:
            seen.add(places)
            sets.append(drawn)
    return sets


def hide_test(model: FrameModel, heatmap: Heatmap, *, seed: int = 0) -> HeatTest:
    """Test one heatmap of a frame model on the crop it was made of. Equal arguments give equal numbers; one batch of 21
    crops. Safe from any thread. Raises ModelError for a model of another kind, or without a layer to explain.
    """
    gone: Tensor | None = None
    own_thread = threading.get_ident()

    def picked(shape: torch.Size) -> Tensor:
        """(R, h, w) bool, R up to 21: nothing, the hottest fifth or all that is hot at all where that is less, and
        nineteen random sets of as many or as many sets as there are; no set at all for an empty map."""
        height, width = int(shape[-2]), int(shape[-1])
        heat = nn.functional.adaptive_avg_pool2d(torch.from_numpy(heatmap.raw)[None, None], (height, width)).flatten()
        count = min(max(1, round(SHARE * heat.numel())), int((heat > 0).sum()))
        hottest = torch.argsort(heat, descending=True, stable=True).numpy()[:count]
        sets = [hottest[:0], hottest, *random_sets(hottest, heat.numel(), np.random.default_rng(seed))]
        masks = torch.zeros(len(sets), heat.numel(), dtype=torch.bool)
        for row, cells in enumerate(sets):
            masks[row, cells] = True
        return masks.view(-1, height, width)

    def take_away(layer: nn.Module, inputs: Any, output: Tensor) -> Tensor | None:
        nonlocal gone
        if threading.get_ident() != own_thread:
            return None  # another thread scores with the same network meanwhile
        gone = picked(output.shape) if gone is None else gone
        rows = nn.functional.pad(gone, (0, 0, 0, 0, 0, len(output) - len(gone)))
        return torch.where(rows[:, None].to(output.device), output.mean((2, 3), keepdim=True), output)

    with HOOKS:
        handle = model.cam_layer.register_forward_hook(take_away)
        try:
            by_torch = replace(model, compiled=None)  # another runtime calls no hook
            logits = by_torch.score(np.repeat(heatmap.crop[None], DRAWS + 2, axis=0)).astype(float)
        finally:
            handle.remove()
    assert gone is not None, "the layer that is explained was not reached"
    changes = (logits[1 : len(gone)] - logits[0]).tolist()
    return HeatTest(changes[0], tuple(changes[1:]))


def drop_test(
    model: SequenceModel,
    features: NDArray[np.float32],
    pts_s: NDArray[np.float64],
    pooling: NDArray[np.float32],
    *,
    seed: int = 0,
) -> FrameTest:
    """Test the attention over one window: `features` (T, D) of its frames, `pts_s` (T,) ascending seconds, `pooling`
    (T,) how much each weighed. Equal arguments give equal numbers; one batch of 21 windows.

    A frame that is dropped is absent, as in a window that is too short; what its neighbours say of how they differ from
    it stays. Fewer than eight frames leave too few ways to draw, and the test is not `enough`.
    """
    count = len(pooling)
    most = np.argsort(-pooling, kind="stable")[: max(1, round(SHARE * count))]
    sets = [most[:0], most, *random_sets(most, count, np.random.default_rng(seed))]
    present = np.ones((len(sets), count), dtype=bool)
    for row, frames in enumerate(sets):
        present[row, frames] = False
    first_s = np.where(present, pts_s, np.inf).min(axis=1, keepdims=True)
    times_s = np.where(present, pts_s - first_s, 0.0).astype(np.float32)
    logits = model.score_windows(features * present[..., None], times_s, present).logits.astype(float)
    changes = (logits[1:] - logits[0]).tolist()
    return FrameTest(changes[0], tuple(changes[1:]), tuple(pts_s.tolist()))
