"""The choice of the frames that are examined: evenly spaced within each shot, within a budget for the whole file."""

from __future__ import annotations

import math

# A shot's first frame is taken only while the rest of the file could still be sampled at this share of the rate.
_RESERVE = 0.25


class Sampler:
    """Decides, frame by frame, in one pass over a video whose shots are not known beforehand.

    Frames lie `1 / frames_per_second` apart, counted from each shot's first frame, which is always taken. Where the
    rest of the file would not fit into what is left of `max_frames`, the distance grows so that it does: a long file
    is sampled more sparsely, never cut off. Only where shots change faster than the budget allows are first frames
    given up. `start_s` and `duration_s` are those of the video; `interval_s` the typical distance of its frames. With
    an `offset`, a share of that distance in 0..1, each shot's grid begins so much behind its first frame instead.
    """

    def __init__(
        self,
        *,
        frames_per_second: float,
        max_frames: int,
        start_s: float,
        duration_s: float,
        interval_s: float,
        offset: float = 0.0,
    ) -> None:
        self.taken = 0
        self._max_frames = max_frames
        self._interval_s = interval_s
        self._end_s = start_s + duration_s
        self._shortest_step_s = 1 / frames_per_second
        self._step_s = max(self._shortest_step_s, duration_s / max_frames)
        self._offset = offset
        self._next_s = start_s + offset * self._step_s
        self._planned_rate = 1 / self._step_s

    def wants(self, time_s: float, *, new_shot: bool) -> bool:
        """Whether to examine the frame shown at `time_s`; times must not decrease from call to call."""
        left = self._max_frames - self.taken
        if left <= 0:
            return False
        if new_shot and self._offset:
            self._next_s, new_shot = time_s + self._offset * self._step_s, False
        # Half a frame of slack picks the frame nearest to the grid instead of always the next one.
        due = time_s + self._interval_s / 2 >= self._next_s
        if not due and not (new_shot and self._affordable(time_s, left)):
            return False
        # The grid goes on from its own point, so that the rounding to whole frames does not add up; it begins anew at
        # a shot and after a gap.
        behind = time_s - self._next_s >= self._step_s
        point_s = time_s if new_shot or behind else self._next_s
        self._step_s = max(self._shortest_step_s, (self._end_s - point_s) / left)
        self._next_s = point_s + self._step_s
        self.taken += 1
        return True

    @property
    def expected(self) -> int:
        """The number of frames that will have been taken at the end, as far as is known now; at least 1."""
        left = self._max_frames - self.taken
        grid = math.ceil((self._end_s - self._next_s) / max(self._step_s, self._interval_s) - 1e-6)
        return max(1, self.taken + max(0, min(left, grid)))

    def _affordable(self, time_s: float, left: int) -> bool:
        return left - 1 >= (self._end_s - time_s) * self._planned_rate * _RESERVE
