"""Access to single frames by their exact time stamps, and to those of a segment, without decoding the whole file."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
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
from detector.evidence.types import JUST_BEFORE_S, Evidence, Frame, Span

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


def frames_of_spans(evidence: Evidence, spans: Sequence[Span]) -> Iterator[tuple[tuple[int, ...], Frame]]:
    """The frames of a video that any of `spans` wants, each with the numbers of those that do, in presentation order.

    The file is decoded once for all of them, from the keyframe before the first; what lies between two is passed over
    where a keyframe lets it. `shot_index` is 0, since shots are only known to a full pass. Raises EvidenceError where
    the stored file is gone.
    """
    timeline, reformatter = timeline_of(evidence.file), VideoReformatter()
    ordered = sorted(enumerate(spans), key=lambda one: one[1].start_s)
    for together in _runs(ordered, timeline):
        choices = [(number, _Choice(span)) for number, span in together]
        end_s = max(span.end_s for _, span in together)
        for pts, picture in _stamped(evidence, timeline, together[0][1].start_s, _wanted(together, timeline)):
            pts_s = float(pts * timeline.time_base)
            if pts_s >= end_s:
                break
            numbers = tuple(sorted(number for number, choice in choices if choice.takes(pts_s)))
            if numbers:
                yield numbers, Frame(timeline.index_of(pts), pts, pts_s, 0, to_rgb(picture, reformatter))


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


class _Choice:
    """Which frames of a span are taken, asked of each in the order of time."""

    def __init__(self, span: Span) -> None:
        self._span, self._due_s = span, -math.inf

    def takes(self, pts_s: float) -> bool:
        if not max(self._span.start_s, self._due_s) <= pts_s < self._span.end_s:
            return False
        step_s = self._span.step_s
        self._due_s = max(self._due_s, pts_s - step_s) + step_s if self._span.on_average else pts_s + step_s
        return True


def _runs(ordered: Sequence[tuple[int, Span]], timeline: Timeline) -> Iterator[list[tuple[int, Span]]]:
    """Spans in the order of their start, parted where decoding can begin anew behind the end of those before."""
    run: list[tuple[int, Span]] = []
    end_s = -math.inf
    for number, span in ordered:
        key = None if timeline.counted else _key_before(timeline, span.start_s, 0)
        if run and key is not None and float(key * timeline.time_base) >= end_s:
            yield run
            run = []
        run.append((number, span))
        end_s = max(end_s, span.end_s)
    if run:
        yield run


def _wanted(spans: Sequence[tuple[int, Span]], timeline: Timeline) -> frozenset[int]:
    """PTS of the frames that the spans take if all of them decode."""
    found = set[int]()
    for _, span in spans:
        first, last = (timeline.index_of(int(at_s / timeline.time_base)) for at_s in (span.start_s, span.end_s))
        choice = _Choice(span)
        near = timeline.pts[max(0, first - 1) : last + 1].tolist()
        found.update(pts for pts in near if choice.takes(float(pts * timeline.time_base)))
    return frozenset(found)


def _key_before(timeline: Timeline, at_s: float, back: int) -> int | None:
    """The PTS of the keyframe at or before `at_s`, or of one so many `back` from it; None where there is none but the
    beginning."""
    key = int(np.searchsorted(timeline.keyframe_pts, int(at_s / timeline.time_base), side="right")) - 1 - back
    return int(timeline.keyframe_pts[key]) if key > 0 else None


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


def _stamped(
    evidence: Evidence, timeline: Timeline, start_s: float, wanted: Collection[int]
) -> Iterator[tuple[int, Any]]:
    """(PTS, picture) from a keyframe at or before `start_s` on, at least those `wanted`; all from the beginning where
    frames are only counted."""
    if timeline.counted:
        whole = SequentialDecoder(evidence.file.path, timeline)
        try:
            yield from ((timeline.pts_of(number), picture) for number, picture in enumerate(whole.frames()))
        finally:
            whole.close()
        return
    path, until, due = evidence.file.path, int(start_s / timeline.time_base), min(wanted, default=None)
    key = _key_before(timeline, start_s, 0)
    if key is not None and due is not None:
        with open_video(path) as decoder:
            frames = _in_order(decoder.frames_from(key, until=until, wanted=wanted) or iter(()))
            head = next((one for one in frames if one[0] >= due), None)
            if head is not None and head[0] == due and not decoder.complaints:
                yield head
                yield from frames
                return
    # From the keyframe next to it the first frame does not come, or not without complaint: where a container seeks
    # roughly, a picture is refreshed by stripes, or the file is damaged.
    key = _key_before(timeline, start_s, 1)
    with open_video(path) as decoder:
        found = None if key is None else decoder.frames_from(key, until=until, wanted=wanted)
        if found is not None:
            yield from _in_order(found)
            return
    with open_video(path) as decoder:
        yield from _in_order(decoder.frames(wanted=wanted))


def _in_order(frames: Iterator[Any]) -> Iterator[tuple[int, Any]]:
    last: int | None = None
    for frame in frames:
        if frame.pts is not None and (last is None or frame.pts > last):
            last = frame.pts
            yield frame.pts, frame
