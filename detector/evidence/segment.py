"""The frames of one segment of time, without decoding the rest of a long file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from av.video.reformatter import VideoReformatter

from detector.evidence.opening import open_video
from detector.evidence.pixels import to_rgb
from detector.evidence.sequential import SequentialDecoder
from detector.evidence.timeline import Timeline, timeline_of
from detector.evidence.types import Evidence, Frame


def frames_between(
    evidence: Evidence, start_s: float, end_s: float, *, wants: Callable[[float], bool] = lambda _: True
) -> Iterator[Frame]:
    """Frames of a video with `start_s` <= pts_s < `end_s`, in presentation order, decoded from the keyframe before.

    `wants(pts_s)` says which of them become pictures; it is asked once a frame, in order. `shot_index` is 0, since
    shots are only known to a full pass. Raises EvidenceError where the stored file is gone.
    """
    timeline = timeline_of(evidence.file)
    reformatter = VideoReformatter()
    for pts, picture in _stamped(evidence, timeline, start_s):
        pts_s = float(pts * timeline.time_base)
        if pts_s >= end_s:
            return
        if pts_s >= start_s and wants(pts_s):
            yield Frame(timeline.index_of(pts), pts, pts_s, 0, to_rgb(picture, reformatter))


def _stamped(evidence: Evidence, timeline: Timeline, start_s: float) -> Iterator[tuple[int, Any]]:
    """(PTS, picture) from a keyframe at or before `start_s` on; from the beginning where frames are only counted."""
    if timeline.counted:
        whole = SequentialDecoder(evidence.file.path, timeline)
        try:
            yield from ((timeline.pts_of(number), picture) for number, picture in enumerate(whole.frames()))
        finally:
            whole.close()
        return
    start = int(start_s / timeline.time_base)
    with open_video(evidence.file.path) as decoder:
        # Two keyframes back: leading pictures of an open group need the group before.
        before = int(np.searchsorted(timeline.keyframe_pts, start, side="right")) - 2
        frames = decoder.frames_from(int(timeline.keyframe_pts[before]), until=start) if before > 0 else None
        if frames is None:
            decoder.close()
            with open_video(evidence.file.path) as again:
                yield from _in_order(again.frames())
            return
        yield from _in_order(frames)


def _in_order(frames: Iterator[Any]) -> Iterator[tuple[int, Any]]:
    last: int | None = None
    for frame in frames:
        if frame.pts is not None and (last is None or frame.pts > last):
            last = frame.pts
            yield frame.pts, frame
