"""Access to single frames by their exact time stamps, and to those of a segment, without decoding the whole file."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from av.video.reformatter import VideoReformatter

from detector.errors import EvidenceError
from detector.evidence.opening import open_video
from detector.evidence.pixels import to_rgb
from detector.evidence.sequential import MAX_REDECODED_FRAMES, SequentialDecoder
from detector.evidence.stills import read_still
from detector.evidence.timeline import Timeline, timeline_of
from detector.evidence.types import JUST_BEFORE_S, Evidence, Frame

# How many keyframes before the nearest one decoding may begin, in turn.
_STEPS_BACK = (0, 1, 2, 4)


def frame_times(evidence: Evidence) -> tuple[int, ...]:
    """The PTS of every displayed frame, ascending, in ticks of `evidence.video.time_base`."""
    if evidence.kind == "still":
        return (0,)
    return tuple(timeline_of(evidence.file).pts.tolist())


def frame_at(evidence: Evidence, pts: int) -> Frame:
    """The frame shown at exactly `pts`: the picture that a pass over the whole file gives for it.

    Decoding starts at the keyframe before it. Where that does not lead to a sound frame (a container that seeks
    roughly, leading pictures of an open group, damage), it starts earlier, at last at the beginning. A damaged picture
    beyond frame 3,000 may be patched up a little differently than in a full pass. `shot_index` is 0, since shots are
    only known to a full pass. Raises `EvidenceError` if no frame has this PTS.
    """
    if evidence.kind == "still":
        if pts == 0:
            return Frame(frame_index=0, pts=0, pts_s=0.0, shot_index=0, image=read_still(evidence.file.path))
        raise EvidenceError(f"Expected PTS 0, the only one of a still image, found {pts}.")
    timeline = timeline_of(evidence.file)
    path = evidence.file.path
    picture = _counted_frame(path, pts, timeline) if timeline.counted else _stamped_frame(path, pts, timeline)
    if picture is None:
        raise EvidenceError(f"Expected the PTS of a displayed frame, found {pts}.{_nearest(timeline, pts)}")
    return Frame(
        frame_index=timeline.index_of(pts),
        pts=pts,
        pts_s=float(pts * timeline.time_base),
        shot_index=0,
        image=to_rgb(picture, VideoReformatter()),
    )


def frame_before(evidence: Evidence, pts: int) -> Frame | None:
    """The frame displayed just before that at `pts`, at most a tenth of a second earlier, whatever its size; None where
    there is none. Raises `EvidenceError` if no frame has this PTS or the one before it does not decode."""
    times = frame_times(evidence)
    index = bisect_left(times, pts)
    if index == len(times) or times[index] != pts:
        raise EvidenceError(f"Expected the PTS of a displayed frame, found {pts}.")
    if index == 0 or float((pts - times[index - 1]) * evidence.video.time_base) > JUST_BEFORE_S:
        return None
    return frame_at(evidence, times[index - 1])


def frames_between(
    evidence: Evidence, start_s: float, end_s: float, *, step_s: float = 0.0, on_average: bool = False
) -> Iterator[Frame]:
    """Frames of a video with `start_s` <= pts_s < `end_s`, in presentation order, decoded from the keyframe before; at
    least `step_s` apart, or so far apart `on_average`, so that every faster video gives about equally many.

    `shot_index` is 0, since shots are only known to a full pass. Raises EvidenceError where the stored file is gone.
    """
    timeline = timeline_of(evidence.file)
    reformatter = VideoReformatter()
    due_s = -math.inf
    for pts, picture in _stamped(evidence, timeline, start_s):
        pts_s = float(pts * timeline.time_base)
        if pts_s >= end_s:
            return
        if pts_s < max(start_s, due_s):
            continue
        due_s = max(due_s, pts_s - step_s) + step_s if on_average else pts_s + step_s
        yield Frame(timeline.index_of(pts), pts, pts_s, 0, to_rgb(picture, reformatter))


def displayed_frames(evidence: Evidence) -> Iterator[Frame | None]:
    """Every decoded frame of a video in presentation order, None for one without a time of its own; `shot_index` is 0.

    Raises EvidenceError where the stored file is gone.
    """
    timeline, reformatter = timeline_of(evidence.file), VideoReformatter()
    whole = SequentialDecoder(evidence.file.path, timeline)
    last_pts: int | None = None
    try:
        for number, picture in enumerate(whole.frames()):
            pts = timeline.pts_of(number) if timeline.counted else picture.pts
            if pts is None or (last_pts is not None and pts <= last_pts):
                yield None
                continue
            last_pts = pts
            yield Frame(timeline.index_of(pts), pts, float(pts * timeline.time_base), 0, to_rgb(picture, reformatter))
    finally:
        whole.close()


def _stamped_frame(path: Path, pts: int, timeline: Timeline) -> Any | None:
    starts = list(_starts(timeline, pts))
    for start in starts:
        picture, sound = _decode_to(path, start, pts, threaded=True)
        if not sound:
            break
        if picture is not None:
            return picture
    # Where the decoder complains, it patches pictures up from what it happens to hold: one thread that comes the same
    # way as a full pass makes the same of them. Far into a long file, coming from a few keyframes back must do.
    if timeline.index_of(pts) > MAX_REDECODED_FRAMES:
        for start in reversed(starts[:-1]):
            picture, _ = _decode_to(path, start, pts, threaded=False)
            if picture is not None:
                return picture
    return _decode_to(path, None, pts, threaded=False)[0] if timeline.has(pts) else None


def _starts(timeline: Timeline, pts: int) -> Iterator[int | None]:
    """Keyframes at which to begin, the nearest first; None means the beginning of the file."""
    last = int(np.searchsorted(timeline.keyframe_pts, pts, side="right")) - 1
    for back in _STEPS_BACK:
        if last - back > 0:
            yield int(timeline.keyframe_pts[last - back])
    # A PTS that no packet has is not worth decoding a long file for.
    if last <= _STEPS_BACK[-1] or timeline.has(pts):
        yield None


def _decode_to(path: Path, start: int | None, pts: int, *, threaded: bool) -> tuple[Any | None, bool]:
    """(the frame at `pts` or None, whether the decoder had nothing to complain about)."""
    with open_video(path, threaded=threaded) as decoder:
        frames = decoder.frames() if start is None else decoder.frames_from(start, until=pts)
        for frame in frames or ():
            if frame.pts == pts:
                return frame, not decoder.complaints
            if frame.pts is not None and frame.pts > pts:
                break
        return None, not decoder.complaints


def _counted_frame(path: Path, pts: int, timeline: Timeline) -> Any | None:
    """By counting from the beginning, the only exact way where the file's own stamps are unusable."""
    if not timeline.has(pts):
        return None
    whole = SequentialDecoder(path, timeline)
    try:
        return next(islice(whole.frames(), timeline.index_of(pts), None), None)
    finally:
        whole.close()


def _nearest(timeline: Timeline, pts: int) -> str:
    index = timeline.index_of(pts)
    near = timeline.pts[max(0, index - 1) : index + 2].tolist()
    return f" The nearest are {', '.join(map(str, near))}; choose one from frame_times." if near else ""


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
