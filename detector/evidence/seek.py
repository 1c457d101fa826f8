"""One frame by its exact time stamp, and the list of all time stamps to choose from."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from av.video.reformatter import VideoReformatter

from detector.errors import EvidenceError
from detector.evidence.decoder import Decoder
from detector.evidence.opening import open_video
from detector.evidence.pixels import to_rgb
from detector.evidence.stills import read_still
from detector.evidence.timeline import Timeline, timeline_of
from detector.evidence.types import Evidence, Frame

# How many keyframes before the nearest one decoding may begin, in turn.
_STEPS_BACK = (0, 1, 2, 4)


def frame_times(evidence: Evidence) -> tuple[int, ...]:
    """The PTS of every displayed frame, ascending, in ticks of `evidence.video.time_base`."""
    if evidence.kind == "still":
        return (0,)
    return tuple(timeline_of(evidence.file).pts.tolist())


def frame_at(evidence: Evidence, pts: int) -> Frame:
    """The frame shown at exactly `pts`: the picture that a pass over the whole file gives for it.

    Decoding starts at the keyframe before it. Where that does not lead to the frame (a container that seeks roughly,
    leading pictures of an open group, damage), it starts at ever earlier keyframes, at last at the beginning.
    `shot_index` is 0, since shots are only known to a full pass. Raises `EvidenceError` if no frame has this PTS.
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


def _stamped_frame(path: Path, pts: int, timeline: Timeline) -> Any | None:
    found = None
    for start in _starts(timeline, pts):
        with open_video(path) as decoder:
            attempt, began = _decode_to(decoder, start, pts)
            found = attempt or found
            # A complaint on the way may mean that a damaged picture was patched up from nothing here, and from the
            # pictures before it in a full pass: only an earlier start gives the same.
            if began and attempt is not None and not decoder.complaints:
                break
    return found


def _starts(timeline: Timeline, pts: int) -> Iterator[int | None]:
    """Keyframes at which to begin, the nearest first; None means the beginning of the file."""
    last = int(np.searchsorted(timeline.keyframe_pts, pts, side="right")) - 1
    for back in _STEPS_BACK:
        if last - back <= 0:
            break
        yield int(timeline.keyframe_pts[last - back])
    else:
        # Only a seek that failed, or damage over many groups of pictures, leads this far back.
        if timeline.index_of(pts) == len(timeline.pts) or timeline.pts[timeline.index_of(pts)] != pts:
            return
    yield None


def _decode_to(decoder: Decoder, start: int | None, pts: int) -> tuple[Any | None, bool]:
    """(the frame at `pts` or None, whether decoding began at a keyframe not after it)."""
    if start is not None and not decoder.seek(start):
        return None, False
    began = start is None
    for packet in decoder.packets():
        if not began:
            if not packet.is_keyframe:
                continue
            if packet.pts is None or packet.pts > pts:
                return None, False
            began = True
        for frame in decoder.decode(packet):
            if frame.pts == pts:
                return frame, began
            if frame.pts is not None and frame.pts > pts:
                return None, began
    return next((frame for frame in decoder.decode(None) if frame.pts == pts), None), began


def _counted_frame(path: Path, pts: int, timeline: Timeline) -> Any | None:
    """By counting from the beginning, the only exact way where the file's own stamps are unusable."""
    number, rest = divmod(pts, timeline.interval)
    if rest or number < 0:
        return None
    with open_video(path) as decoder:
        return next(islice(decoder.frames(), number, None), None)


def _nearest(timeline: Timeline, pts: int) -> str:
    index = timeline.index_of(pts)
    near = timeline.pts[max(0, index - 1) : index + 2].tolist()
    return f" The nearest are {', '.join(map(str, near))}; choose one from frame_times." if near else ""
