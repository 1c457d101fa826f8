"""Sequential decoding of a whole video: fast while the file is sound, and reproducible where it is damaged."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from detector.evidence.decoder import Decoder
from detector.evidence.opening import open_video
from detector.evidence.timeline import Timeline

# Damage up to this frame is decoded again from the beginning, damage behind it from a few keyframes back.
MAX_REDECODED_FRAMES = 3_000
_KEYFRAMES_BACK = 4


class SequentialDecoder:
    """Iterate over the decoded frames of a file, in presentation order, as one thread would decode them.

    Decoding is threaded until FFmpeg first complains. The frames handed out until then are exact; from there on the
    file is decoded again by one thread, because what threaded decoding makes of damage differs from run to run.
    `decoder` is the one in use, `count` the frames handed out. Close it after use.
    """

    def __init__(self, path: Path, timeline: Timeline) -> None:
        self._path = path
        self._timeline = timeline
        self.count = 0
        self._last_pts: int | None = None
        self.decoder: Decoder = open_video(path)

    def frames(self) -> Iterator[Any]:
        """Each frame once; to be called once."""
        for frame in self.decoder.frames():
            if self.decoder.complaints:
                break
            yield self._noted(frame)
        if self.decoder.complaints:
            for frame in self._rest():
                yield self._noted(frame)

    def close(self) -> None:
        """Release the file. Safe to call twice."""
        self.decoder.close()

    def _noted(self, frame: Any) -> Any:
        self.count += 1
        if frame.pts is not None:
            self._last_pts = frame.pts if self._last_pts is None else max(frame.pts, self._last_pts)
        return frame

    def _rest(self) -> Iterator[Any]:
        """The frames that were not handed out yet, decoded by one thread."""
        self._reopen()
        last_pts = self._last_pts
        if self._timeline.counted or last_pts is None or self.count <= MAX_REDECODED_FRAMES:
            yield from islice(self.decoder.frames(), self.count, None)
            return
        keyframes = self._timeline.keyframe_pts
        resume = int(np.searchsorted(keyframes, last_pts, side="right")) - 1 - _KEYFRAMES_BACK
        if resume > 0:
            frames = self.decoder.frames_from(int(keyframes[resume]), until=last_pts)
            if frames is not None:
                yield from _after(frames, last_pts)
                return
            self._reopen()
        yield from islice(self.decoder.frames(), self.count, None)

    def _reopen(self) -> None:
        self.decoder.close()
        self.decoder = open_video(self._path, threaded=False)


def _after(frames: Iterator[Any], pts: int) -> Iterator[Any]:
    """The frames behind the one at `pts`; all of them from there on, whatever their stamps."""
    passed = False
    for frame in frames:
        if not passed and (frame.pts is None or frame.pts <= pts):
            continue
        passed = True
        yield frame
