"""Sequence models over finished tracks: windows of their trunk's features, overlapping, their answers averaged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detector.analysis.aggregate import FaceKey, face_key
from detector.analysis.kinds.sequence.intervals import MARGIN_LOGIT, intervals_of
from detector.analysis.types import Attention, FrameScore, TrackScore
from detector.analysis.workers import FaceReading
from detector.faces.temporal import (
    LaidOver,
    Picture,
    differences_to_previous,
    frame_pair,
    lay_over,
    temporal_differences,
)
from detector.faces.types import FaceTrack, TrackedFace

if TYPE_CHECKING:
    from detector.registry import SequenceModel

LEAST_FRAMES = 4  # fewer say nothing about change over time
WINDOWS_AT_ONCE = 16


class Windows(NamedTuple):
    """N windows of T frames over one track. `rows` (N, T) int: the track's scored frame in each place, -1 where padded;
    `times_s` (N, T) float32 seconds from the window's first frame; `present` (N, T) bool."""

    rows: NDArray[np.int64]
    times_s: NDArray[np.float32]
    present: NDArray[np.bool_]


def windows_of(pts_s: Sequence[float], length: int) -> Windows:
    """Windows of `length` frames, each sharing half with the next, the last one ending with the track.

    A shorter track makes one window with its frames in the middle. Raises ValueError for an empty track.
    """
    count = len(pts_s)
    if not count:
        raise ValueError("expected at least one frame")
    starts = list(range(0, max(1, count - length + 1), max(1, length // 2)))
    if count > length and starts[-1] != count - length:
        starts.append(count - length)
    rows = np.full((len(starts), length), -1, np.int64)
    for window, start in enumerate(starts):
        held = np.arange(start, min(start + length, count))
        first = (length - len(held)) // 2
        rows[window, first : first + len(held)] = held
    present = rows >= 0
    times = np.where(present, np.asarray(pts_s, np.float64)[rows], np.inf)
    elapsed = np.where(present, times - times.min(axis=1, keepdims=True), 0.0)
    return Windows(rows, elapsed.astype(np.float32), present)


def read_track(
    model: SequenceModel,
    track: FaceTrack,
    readings: Mapping[FaceKey, FaceReading],
    *,
    each_batch: Callable[[], None] = lambda: None,
) -> TrackScore | None:
    """A sequence model on one track: its logit the mean over windows, frames and pooling averaged where they overlap.

    None where the trunk looked at fewer than four of its faces. Raises ValueError where the model's answer is not
    finite.
    """
    faces = scored_faces(track, readings)
    if len(faces) < LEAST_FRAMES:
        return None
    table = read_of(model, [readings[face_key(face)] for face in faces])
    windows = windows_of([face.pts_s for face in faces], int(model.card.inputs["frames"]))
    logits: list[float] = []
    sums = np.zeros((3, len(faces)))  # of frame logits, of pooling, of windows
    for start in range(0, len(windows.rows), WINDOWS_AT_ONCE):
        each_batch()
        chosen = slice(start, start + WINDOWS_AT_ONCE)
        rows, present = windows.rows[chosen], windows.present[chosen]
        scores = model.score_windows(table[rows] * present[..., None], windows.times_s[chosen], present)
        logits.extend(scores.logits.tolist())
        np.add.at(sums[0], rows[present], scores.frame_logits[present])
        np.add.at(sums[1], rows[present], scores.pooling[present])
        np.add.at(sums[2], rows[present], 1.0)
    if not (np.isfinite(logits).all() and np.isfinite(sums).all()):
        raise ValueError("its answer holds values that are not finite")
    frame_logits, pooling = sums[0] / sums[2], sums[1] / sums[2]
    frames = tuple(
        FrameScore(face.frame_index, face.pts, face.pts_s, float(logit), float(face.face.quality.weight))
        for face, logit in zip(faces, frame_logits, strict=True)
    )
    attention = Attention(
        tuple(face.pts for face in faces),
        tuple(face.pts_s for face in faces),
        tuple((pooling / pooling.sum()).tolist()),
    )
    margin_logit = float(model.card.inputs.get("interval_margin_logit", MARGIN_LOGIT))
    intervals = intervals_of(frame_logits.tolist(), [face.pts_s for face in faces], margin_logit=margin_logit)
    return TrackScore(track.track_id, float(np.mean(logits)), frames, attention, intervals)


def dropout_logits(
    model: SequenceModel, track: FaceTrack, readings: Mapping[FaceKey, FaceReading], passes: int
) -> NDArray[np.float64] | None:
    """The track's logit (`passes`,) with other parts of the network off in each pass; None as for `read_track`."""
    faces = scored_faces(track, readings)
    if len(faces) < LEAST_FRAMES:
        return None
    table = read_of(model, [readings[face_key(face)] for face in faces])
    rows, times_s, present = windows_of([face.pts_s for face in faces], int(model.card.inputs["frames"]))
    windows = table[rows] * present[..., None]
    parts = [slice(start, start + WINDOWS_AT_ONCE) for start in range(0, len(rows), WINDOWS_AT_ONCE)]
    return np.array(
        [
            np.mean(
                np.concatenate(
                    [one.score_windows(windows[part], times_s[part], present[part]).logits for part in parts]
                ),
                dtype=np.float64,
            )
            for one in model.thinned(passes)
        ]
    )


def read_of(
    model: SequenceModel, readings: Sequence[FaceReading], *, before: Picture | None = None
) -> NDArray[np.float32]:
    """The input of a sequence model: of F readings of one face, in the order of time, `with_temporal_differences`, and
    after it, for a model that reads pairs of frames, its value of each frame and the one before it, (F, D + 85)."""
    if not model.reads_pairs:
        return with_temporal_differences(readings, model.card.crop.margin, before=before)
    laid = [None if one.just_before is None else lay_over(one.just_before, one.thumbnail) for one in readings]
    table = with_temporal_differences(readings, model.card.crop.margin, before=before, laid=laid)
    pairs = np.stack(
        [frame_pair(one.just_before, one.thumbnail, laid=known) for one, known in zip(readings, laid, strict=True)]
    )
    return np.concatenate([table, model.pair_logits(pairs)[:, None]], axis=1)


def with_temporal_differences(
    readings: Sequence[FaceReading],
    margin: float,
    *,
    before: Picture | None = None,
    laid: Sequence[LaidOver | None] | None = None,
) -> NDArray[np.float32]:
    """Of F looks at one face, in the order of time: features (F, D) with what changed since the look before and since
    the frame just before, (F, D + 84). `margin` and `before`, the thumbnail of a look before the first, as in
    `detector.faces.temporal.temporal_differences`; `laid` is `lay_over` of each frame just before, where known."""
    thumbnails = [one.thumbnail for one in readings]
    along = temporal_differences(thumbnails, margin, before=before)
    since = differences_to_previous([one.just_before for one in readings], thumbnails, margin, laid=laid)
    return np.concatenate([np.stack([one.features for one in readings]), along, since], axis=1)


def scored_faces(track: FaceTrack, readings: Mapping[FaceKey, FaceReading]) -> list[TrackedFace]:
    """The faces of a track that the trunk looked at, in order of time."""
    return [face for face in track.faces if face_key(face) in readings]
