"""Observations of streams and of time: lengths, starts, gaps between pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from detector.evidence.forensics.meaning import state
from detector.evidence.forensics.types import Gaps, Observation, StreamFacts
from detector.evidence.text import listed
from detector.evidence.timeline import Timeline
from detector.evidence.types import Evidence

# Sound is coded in blocks of up to 50 ms and pictures last up to 100 ms; what is beyond both and 2 % is a difference.
_LENGTH_S, _LENGTH_SHARE = 0.35, 0.02
_START_S = 0.2
_GAP = 1.75
_VARIABLE_SHARE = 0.05
_MAX_TIMES = 12


def observe_streams(evidence: Evidence, streams: Sequence[StreamFacts]) -> Iterator[Observation]:
    """Observations of the streams: what each holds, and how they fit each other."""
    if streams:
        yield state("streams", f"{'; '.join(_described(stream) for stream in streams[:6])}.")
    video = next((one for one in streams if one.kind == "video"), None)
    sound = next((one for one in streams if one.kind == "audio"), None)
    if video is not None and sound is None:
        yield state("no_sound", "The file holds pictures only.")
    further = [one for one in streams if one not in (video, sound)]
    if further:
        yield state("extra_streams", f"{listed([f'stream {one.index} ({one.kind}, {one.codec})' for one in further])}.")
    if evidence.video.rotation_deg:
        yield state("rotation", f"The file asks for a turn by {evidence.video.rotation_deg}° clockwise.")
    if video is None or sound is None:
        return
    if sound.duration_s is not None and evidence.video.duration_s > 0:
        difference_s = sound.duration_s - evidence.video.duration_s
        if abs(difference_s) > max(_LENGTH_S, _LENGTH_SHARE * evidence.video.duration_s):
            longer, shorter = ("sound", "pictures") if difference_s > 0 else ("pictures", "sound")
            yield state(
                "length_mismatch",
                f"The {longer} last {abs(difference_s):.2f} s longer than the {shorter} "
                f"({sound.duration_s:.2f} s of sound, {evidence.video.duration_s:.2f} s of pictures).",
            )
    if video.start_s is not None and sound.start_s is not None:
        apart_s = sound.start_s - video.start_s
        if abs(apart_s) > _START_S:
            later = "sound" if apart_s > 0 else "pictures"
            yield state("start_mismatch", f"The {later} start {abs(apart_s):.2f} s after the other.")


def _described(stream: StreamFacts) -> str:
    details = dict(stream.details)
    parts = [stream.codec, stream.profile, details.get("size"), details.get("average rate"), details.get("sound")]
    if stream.duration_s is not None:
        parts.append(f"{stream.duration_s:.2f} s")
    return f"{stream.kind.capitalize()} {stream.index}: {', '.join(part for part in parts if part)}"


def find_gaps(timeline: Timeline) -> Gaps | None:
    """Distances well above the usual one; None where the file holds no usable times or fewer than three pictures."""
    if timeline.counted or len(timeline.pts) < 3:
        return None
    steps = np.diff(timeline.pts)
    usual = float(np.median(steps))
    wide = np.flatnonzero(steps > _GAP * usual)
    base_s = float(timeline.time_base)
    return Gaps(
        usual_s=round(usual * base_s, 6),
        count=len(wide),
        missing_frames=int((np.rint(steps[wide] / usual) - 1).sum()),
        longest_s=round(float(steps.max()) * base_s, 6),
        at_s=tuple(round(float(timeline.pts[index] * base_s), 4) for index in wide[:_MAX_TIMES]),
    )


def observe_times(evidence: Evidence, timeline: Timeline, gaps: Gaps | None) -> Iterator[Observation]:
    """Observations of the pictures' time stamps: rate, repeats, gaps."""
    if gaps is None:
        if timeline.counted:
            yield state("no_times", "The pictures are timed by their order.")
        return
    steps = np.diff(timeline.pts)
    usual = np.median(steps)
    varied = float((np.abs(steps - usual) > 0.25 * usual).mean())
    if varied > _VARIABLE_SHARE:
        yield state(
            "variable_rate",
            f"{varied:.0%} of the distances between pictures differ from the usual {gaps.usual_s * 1000:.1f} ms; the "
            f"longest is {gaps.longest_s:.2f} s.",
        )
    elif gaps.count:
        places = listed([f"{at_s:.2f} s" for at_s in gaps.at_s], 6)
        yield state(
            "gaps",
            f"{gaps.count} gap(s), the longest {gaps.longest_s:.2f} s, where about {gaps.missing_frames} picture(s) "
            f"at the usual distance of {gaps.usual_s * 1000:.1f} ms would fit: after {places}.",
        )
