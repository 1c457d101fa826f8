"""The pass over a video that an analysis makes, decoded in a child process with limits; see `sandbox`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from detector.evidence.reader import FrameReader
from detector.evidence.sandbox import streamed
from detector.evidence.types import Evidence, Frame, Integrity

# How often the child says how far it is while no frame is to be examined.
_TELL_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class Reading:
    """The next frame to examine, or None, and how far the reader is: as the properties of `FrameReader`, but of the
    shots only those that are new."""

    frame: Frame | None
    new_shots_s: tuple[float, ...]
    expected_frames: int
    progress: float
    integrity: Integrity
    busy_s: float


class ContainedFrameReader:
    """As `FrameReader`, with a child process that reads the file. `close` may be called while another thread iterates,
    whose iteration then ends.

    Raises what `FrameReader` raises once it is iterated over, and what `sandbox.streamed` adds.
    """

    def __init__(
        self,
        evidence: Evidence,
        *,
        frames_per_second: float,
        max_frames: int,
        with_before: bool = False,
        offset: float = 0.0,
    ) -> None:
        self.shot_starts_s: list[float] = []
        self.expected_frames, self.progress, self.busy_s = 0, 0.0, 0.0
        self.integrity = evidence.integrity
        self._readings = streamed(_readings)(evidence, frames_per_second, max_frames, with_before, offset)

    def __iter__(self) -> Iterator[Frame]:
        for reading in self._readings:
            self.shot_starts_s += reading.new_shots_s
            self.expected_frames, self.progress = reading.expected_frames, reading.progress
            self.integrity, self.busy_s = reading.integrity, reading.busy_s
            if reading.frame is not None:
                yield reading.frame

    def close(self) -> None:
        """End the child's reading; what was counted stays readable. Safe to call twice and before the end."""
        self._readings.close()


def _readings(
    evidence: Evidence, frames_per_second: float, max_frames: int, with_before: bool, offset: float
) -> Iterator[Reading]:
    shots_told = 0
    told_s = time.monotonic()

    def reading(frame: Frame | None) -> Reading:
        nonlocal shots_told, told_s
        new = tuple(reader.shot_starts_s[shots_told:])
        shots_told, told_s = len(reader.shot_starts_s), time.monotonic()
        return Reading(frame, new, reader.expected_frames, reader.progress, reader.integrity, reader.busy_s)

    with FrameReader(
        evidence, frames_per_second=frames_per_second, max_frames=max_frames, with_before=with_before, offset=offset
    ) as reader:
        for frame in reader.steps():
            if frame is not None or time.monotonic() - told_s > _TELL_EVERY_S:
                yield reading(frame)
        yield reading(None)
