"""From logits of frames to segments of time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from detector.analysis.types import Interval

MARGIN_LOGIT = 1.0
SWITCH_COST = 2.0
LOGIT_CAP = 4.0
LEAST_INTERVAL_S = 0.25
_OWN_LEVEL = 0.25


def intervals_of(
    frame_logits: Sequence[float],
    times_s: Sequence[float],
    *,
    margin_logit: float = MARGIN_LOGIT,
    switch_cost: float = SWITCH_COST,
) -> tuple[Interval, ...]:
    """The segments in which the frames of one face stand out from the rest of it, in order of time.

    A frame stands out by its logit less the lower quartile of all of them, less `margin_logit`: how high a whole face
    scores differs more between people than between the parts of a spliced clip. So a face that is manipulated from
    beginning to end has no segment; its track's logit says so. Of all ways to divide the frames into segments, the one
    is taken with the greatest sum inside, less `switch_cost` for every border: a two-state Viterbi path (Forney, 1973).
    One frame counts for at most 4, so that no single frame makes a segment. A segment reaches half-way to the
    neighbouring frames, is at least a quarter of a second long, and its logit is the mean of its frames'. `times_s`
    ascend. Raises ValueError where lengths differ or a value is not finite.
    """
    logits, times = np.asarray(frame_logits, np.float64), np.asarray(times_s, np.float64)
    if logits.shape != times.shape or logits.ndim != 1:
        raise ValueError(f"expected as many logits as times, found {logits.shape} and {times.shape}")
    if not (np.isfinite(logits).all() and np.isfinite(times).all()) or (np.diff(times) <= 0).any():
        raise ValueError("expected finite logits at ascending times")
    if not len(logits):
        return ()
    contrast = logits - np.quantile(logits, _OWN_LEVEL) - margin_logit
    inside = _best_path(np.clip(contrast, -LOGIT_CAP, LOGIT_CAP), switch_cost)
    middles = (times[:-1] + times[1:]) / 2
    left, right = np.r_[times[0], middles], np.r_[middles, times[-1]]
    found = []
    edges = np.flatnonzero(np.diff(np.r_[False, inside, False]))
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        interval = Interval(float(left[start]), float(right[stop - 1]), float(logits[start:stop].mean()))
        if interval.end_s - interval.start_s >= LEAST_INTERVAL_S:
            found.append(interval)
    return tuple(found)


def _best_path(gain: NDArray[np.float64], switch_cost: float) -> NDArray[np.bool_]:
    """The best sequence of states, True where inside, when each frame inside earns its gain."""
    best = np.array([0.0, gain[0]])
    came_from = np.zeros((len(gain), 2), int)
    for index in range(1, len(gain)):
        switched = best[::-1] - switch_cost
        came_from[index] = np.where(switched > best, [1, 0], [0, 1])
        best = np.maximum(best, switched) + np.array([0.0, gain[index]])
    state = int(best[1] > best[0])
    path = np.zeros(len(gain), bool)
    for index in range(len(gain) - 1, -1, -1):
        path[index] = state
        state = int(came_from[index, state])
    return path


def overlap(first: tuple[float, float], second: tuple[float, float]) -> float:
    """Intersection over union of two segments of time in seconds, 0..1."""
    common = min(first[1], second[1]) - max(first[0], second[0])
    whole = max(first[1], second[1]) - min(first[0], second[0])
    return max(0.0, common) / whole if whole > 0 else 0.0
