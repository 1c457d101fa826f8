"""Segments of a file to compare lips and voice in: speech with a face beside it, spread over the file."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from detector.evidence.speech import HOP_S, SpeechActivity
from detector.faces.types import FaceTrack

# At most three windows of three seconds: 225 meshes a face, however long the file is.
MAX_SEGMENTS, LONGEST_S = 3, 3.0
SHORTEST_S = 0.9
_MIN_SPEECH_SHARE = 0.5
_STEP_S = 0.25


class SpeechSegment(NamedTuple):
    """Seconds to look at, and the faces that are in the picture then, most promising first."""

    start_s: float
    end_s: float
    tracks: tuple[FaceTrack, ...]


def choose_segments(activity: SpeechActivity, tracks: Sequence[FaceTrack]) -> tuple[SpeechSegment, ...]:
    """Up to three segments of up to 3 s, each within one face's time and mostly speech, spread over the file.

    Each third of the speech gives its fullest segment; silence at both ends of a segment is cut off. Where no third
    holds one, the whole of the speech may. Empty where no face is in the picture for 0.9 s of speech.
    """
    spans = spread_spans(activity, [(track.first_pts_s, track.last_pts_s) for track in tracks])
    return tuple(SpeechSegment(*span, _present(tracks, *span)) for span in spans)


def spread_spans(activity: SpeechActivity, faces: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """(start, end) of the segments, where each of `faces` is in the picture from a first to a last second."""
    found = [span for part in _parts(activity) if (span := _best_in(activity, faces, *part)) is not None]
    if not found and activity.segments_s:
        whole = _best_in(activity, faces, activity.segments_s[0][0], activity.segments_s[-1][1])
        found = [] if whole is None else [whole]
    return tuple(found)


def _best_in(
    activity: SpeechActivity, faces: Sequence[tuple[float, float]], low_s: float, high_s: float
) -> tuple[float, float] | None:
    options = [
        option
        for first_s, last_s in faces
        for option in _windows_in(activity, max(low_s, first_s), min(high_s, last_s))
    ]
    return max(options)[1:] if options else None


def _parts(activity: SpeechActivity) -> list[tuple[float, float]]:
    """(start, end) of the parts of the file that hold a third of the speech each, fewer where there is little."""
    spoken = np.flatnonzero(activity.is_speech)
    parts = int(np.clip(activity.speech_s // SHORTEST_S, 1, MAX_SEGMENTS))
    if activity.speech_s <= LONGEST_S:
        parts = 1
    cuts = [spoken[0], *(spoken[len(spoken) * part // parts] for part in range(1, parts)), spoken[-1] + 1]
    edges_s = [activity.start_s + HOP_S * int(cut) for cut in cuts]
    return list(pairwise(edges_s))


def _windows_in(activity: SpeechActivity, low_s: float, high_s: float) -> list[tuple[float, float, float]]:
    """(seconds of speech, start, end) of segments of up to 3 s in [low, high], a quarter of a second apart."""
    if high_s - low_s < SHORTEST_S:
        return []
    options = []
    length_s = min(LONGEST_S, high_s - low_s)
    for start_s in np.arange(low_s, high_s - length_s + 1e-6, _STEP_S):
        first, last = (round((at_s - activity.start_s) / HOP_S) for at_s in (start_s, start_s + length_s))
        spoken = np.flatnonzero(activity.is_speech[max(0, first) : last])
        if not len(spoken):
            continue
        begin_s, end_s = start_s + HOP_S * int(spoken[0]), start_s + HOP_S * int(spoken[-1] + 1)
        seconds = len(spoken) * HOP_S
        if end_s - begin_s >= SHORTEST_S and seconds >= _MIN_SPEECH_SHARE * (end_s - begin_s):
            options.append((seconds, float(begin_s), float(end_s)))
    return options


def _present(tracks: Sequence[FaceTrack], start_s: float, end_s: float) -> tuple[FaceTrack, ...]:
    """Tracks that cover the segment, the largest faces first."""
    within = [track for track in tracks if track.first_pts_s <= start_s + 0.1 and track.last_pts_s >= end_s - 0.1]
    return tuple(sorted(within, key=_size_px, reverse=True))


def _size_px(track: FaceTrack) -> float:
    return float(np.median([face.face.quality.size_px for face in track.faces]))


def overlap_s(activity: SpeechActivity, tracks: Sequence[FaceTrack]) -> float:
    """Seconds of speech beside the face that is in the picture for most of it; pauses count where a face stays."""
    return max(
        (
            sum(
                max(0.0, min(track.last_pts_s, end_s) - max(track.first_pts_s, start_s))
                for start_s, end_s in activity.segments_s
            )
            for track in tracks
        ),
        default=0.0,
    )
