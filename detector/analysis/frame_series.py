"""What stands out among the frames of one face, which a mean over all of them hides: runs of frames, and moments.

A run is a segment of time of which some window, at least a second and five frames long, has a mean at or above a level:
the maximum-average segment of bounded length (Huang, 1994; Lin, Jiang & Chao, 2002). A peak is two frames in a row at
or above a level, or one that lies far above it: an examined frame stands for a fifth of a second, and a face may be
torn for less.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from detector.analysis.aggregate import USABLE_WEIGHT
from detector.analysis.types import FrameScore

LEAST_RUN_S: Final = 1.0
LEAST_RUN_FRAMES: Final = 5
SINGLE_FRAME_MARGIN: Final = 1.0  # logits by which one frame alone has to be higher than two in a row
_ROUNDING_S: Final = 1e-3  # time stamps of 24 or 30000/1001 frames a second are no round numbers


@dataclass(frozen=True, slots=True)
class FrameSeries:
    """One model's logits of one face's frames, in order of time: `pts_s`, `logit`, `weight` (N,) each. Only frames
    whose quality weight is usable are in it (`of`), so that a worthless one is neither in a run nor a peak.

    Raises ValueError where lengths differ, a value is not finite or a time lies before the one before it."""

    pts_s: NDArray[np.float64]
    logit: NDArray[np.float64]
    weight: NDArray[np.float64]

    def __post_init__(self) -> None:
        columns = (self.pts_s, self.logit, self.weight)
        if any(column.shape != self.pts_s.shape or column.ndim != 1 for column in columns):
            raise ValueError(f"expected as many times as logits and weights, found {[len(one) for one in columns]}")
        if not all(np.isfinite(column).all() for column in columns) or (np.diff(self.pts_s) < 0).any():
            raise ValueError("expected finite values in order of time")

    @classmethod
    def of(cls, pts_s: Sequence[float], logit: Sequence[float], weight: Sequence[float]) -> FrameSeries:
        """The usable frames among all that were scored."""
        every = cls(*(np.asarray(column, np.float64) for column in (pts_s, logit, weight)))
        kept = every.weight >= USABLE_WEIGHT
        return cls(every.pts_s[kept], every.logit[kept], every.weight[kept])

    @property
    def highest_run(self) -> float | None:
        """The highest mean logit, weighted by quality, of a window that is long enough for a run; None without one."""
        return max((mean for _, _, mean in self._windows()), default=None)

    @property
    def highest_peak(self) -> float | None:
        """The highest level at which there still is a peak; None without a frame."""
        single = self.logit.max(initial=-np.inf) - SINGLE_FRAME_MARGIN
        pair = np.minimum(self.logit[:-1], self.logit[1:]).max(initial=-np.inf)
        return float(max(single, pair)) if len(self.logit) else None

    def runs(self, level: float) -> tuple[slice, ...]:
        """The frames of each run: of every window whose mean reaches the level, and of the frames beside them that do,
        from the first to the last that reaches it."""
        inside, high = np.zeros(len(self.logit), bool), self.logit >= level
        for start, stop, mean in self._windows():
            if mean >= level:
                inside[start:stop] = True
        found = []
        for part in _stretches(inside | high):
            if inside[part].any():
                reached = np.flatnonzero(high[part]) + part.start
                found.append(slice(int(reached[0]), int(reached[-1]) + 1))
        return tuple(found)

    def peaks(self, level: float) -> tuple[slice, ...]:
        """The frames of each peak: frames in a row at or above the level."""
        stretches = _stretches(self.logit >= level)
        sure = level + SINGLE_FRAME_MARGIN
        return tuple(part for part in stretches if part.stop - part.start > 1 or self.logit[part.start] >= sure)

    def mean(self, part: slice) -> float:
        """Mean logit of some of the frames, weighted by quality."""
        return float(np.average(self.logit[part], weights=self.weight[part]))

    def span_s(self, part: slice) -> tuple[float, float]:
        """Start and end in seconds of some of the frames, half a step beyond each, but not beyond all frames."""
        first, last = self.pts_s[part][[0, -1]]
        return max(self.pts_s[0], first - self._reach_s), min(self.pts_s[-1], last + self._reach_s)

    @property
    def _reach_s(self) -> float:
        """Half the usual distance of two frames."""
        return float(np.median(np.diff(self.pts_s))) / 2 if len(self.pts_s) > 1 else 0.0

    def _windows(self) -> Iterator[tuple[int, int, float]]:
        """First frame, end and mean of every window that is long enough, but for those that fall into two such: of
        these one has at least the mean of the whole."""
        times, least_s = self.pts_s, LEAST_RUN_S - 2 * self._reach_s - _ROUNDING_S
        count = len(times)
        ends = np.maximum(np.searchsorted(times, times + least_s) + 1, np.arange(count) + LEAST_RUN_FRAMES)
        weights, sums = (np.r_[0.0, np.cumsum(column)] for column in (self.weight, self.weight * self.logit))
        for start in range(count):
            shortest = int(ends[start])
            for stop in range(shortest, min(count, int(ends[shortest]) - 1 if shortest < count else count) + 1):
                yield start, stop, float((sums[stop] - sums[start]) / (weights[stop] - weights[start]))


def series_of(frames: Sequence[FrameScore]) -> tuple[FrameSeries, list[FrameScore]]:
    """The usable ones of a track's frames, as arrays and as they were, in the same order."""
    series = FrameSeries.of(
        [frame.pts_s for frame in frames], [frame.logit for frame in frames], [frame.weight for frame in frames]
    )
    return series, [frame for frame in frames if frame.weight >= USABLE_WEIGHT]


def _stretches(chosen: NDArray[np.bool_]) -> list[slice]:
    """The stretches of True."""
    edges = np.flatnonzero(np.diff(np.r_[False, chosen, False]))
    return [slice(int(start), int(stop)) for start, stop in zip(edges[::2], edges[1::2], strict=True)]
