"""The moments within face tracks that models respond to and a mean over a whole track hides; what is said of them.

Runs are those of the models that decide, peaks those of any model, both at the levels of their cards (see
`frame_series`); segments are what any model over time singles out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from detector.analysis.frame_series import series_of
from detector.analysis.types import Interval, ModelResult, Moment, Reason, TrackScore, sigmoid
from detector.faces.types import FaceTrack

if TYPE_CHECKING:
    from detector.registry import Thresholds

SEGMENTS_NAMED: Final = 3  # in words; all are in the reason's moments
PEAKS_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Moments:
    """What was found, by model and track and in order of time. A run that a segment overlaps reaches as far as both do,
    and the segment is in `confirming` instead of `segments`."""

    runs: tuple[Moment, ...] = ()
    peaks: tuple[Moment, ...] = ()
    segments: tuple[Moment, ...] = ()
    confirming: tuple[Moment, ...] = ()


def find_moments(
    results: Sequence[tuple[ModelResult, Thresholds]], voters: Collection[str], tracks: Sequence[FaceTrack]
) -> Moments:
    """The moments of `tracks`; `voters` names the models that decide. A model has no peaks in a track in which it has a
    run."""
    segments = [moment for result, _ in results for track in tracks for moment in _segments(result, track)]
    runs: list[Moment] = []
    peaks: list[Moment] = []
    for result, thresholds in results:
        for track in tracks:
            own = list(_runs(result, thresholds, track)) if result.model_id in voters else []
            runs += _merged(own, segments)
            peaks += [] if own else _peaks(result, thresholds, track)
    confirming = [one for one in segments if any(_overlap(one, run) for run in runs)]
    rest = [one for one in segments if one not in confirming]
    return Moments(tuple(runs), tuple(peaks), tuple(rest), tuple(confirming))


def run_reasons(found: Moments, results: Sequence[ModelResult], *, decides: bool) -> Iterator[Reason]:
    """Manipulation indicated for a time. `decides`: the label follows it, and not the score."""
    for runs in _together(found.runs):
        spans = _spans(runs, "from ")
        over = [one for one in found.confirming if any(_overlap(one, run) for run in runs)]
        models = sorted({_name(one, results) for one in over})
        confirmed = (
            f"; {_listed(models)} {'single' if len(models) > 1 else 'singles'} out the same time" if models else ""
        )
        follows = " The label follows that time, the score is that of the whole track." if decides else ""
        yield Reason("run", f"Manipulation is indicated {spans}: {_scores(runs, results)}{confirmed}.{follows}", runs)


def peak_reasons(found: Moments, results: Sequence[ModelResult], *, decides: bool) -> Iterator[Reason]:
    """Moments to look at. `decides`: without them the conclusion were that nothing was found."""
    for every in _together(found.peaks):
        highest = sorted(every, key=lambda one: one.logit, reverse=True)[:PEAKS_NAMED]
        named = tuple(one for one in every if one in highest)
        times = [f"{one.pts_s:.2f} s" for one in named]
        if len(every) > len(named):
            times.append(f"{len(every) - len(named)} more")
        text = f"Look at {_listed(times)}: {_scores(named, results, 'up to ')}. "
        text += (
            "Too little to speak of manipulation, too much to say that none was found."
            if decides
            else ("By themselves they are too little to speak of manipulation.")
        )
        yield Reason("peaks", text, named)


def segment_reasons(found: Moments, results: Sequence[ModelResult], *, one_track: bool) -> Iterator[Reason]:
    """Segments that models over time single out, whose score says nothing of when. `one_track`: no other could have
    decided, so that the track needs no name."""
    for segments in _together(found.segments):
        first = segments[0]
        track = "the track" if one_track else f"face track {first.track_id}"
        text = (
            f"{_name(first, results)} singles out {_spans(segments)} as unlike the rest of {track}. The "
            "score is that of the whole track: look there. Cuts and sudden changes of light can be singled out too."
        )
        yield Reason("stretch", text, segments)


def _name(moment: Moment, results: Sequence[ModelResult]) -> str:
    return next((one.name for one in results if one.model_id == moment.model_id), moment.model_id)


def _score_of(result: ModelResult, track_id: int) -> TrackScore | None:
    return next((score for score in result.tracks if score.track_id == track_id), None)


def _runs(result: ModelResult, thresholds: Thresholds, track: FaceTrack) -> Iterator[Moment]:
    score = _score_of(result, track.track_id)
    if score is None or thresholds.run_logit is None:
        return
    series, frames = series_of(score.frames)
    for part in series.runs(thresholds.run_logit):
        shown = max(frames[part], key=lambda frame: frame.logit)
        yield Moment(track.track_id, *series.span_s(part), shown.pts, shown.pts_s, series.mean(part), result.model_id)


def _peaks(result: ModelResult, thresholds: Thresholds, track: FaceTrack) -> Iterator[Moment]:
    score = _score_of(result, track.track_id)
    if score is None or thresholds.peak_logit is None:
        return
    series, frames = series_of(score.frames)
    for part in series.peaks(thresholds.peak_logit):
        shown = max(frames[part], key=lambda frame: frame.logit)
        yield Moment(track.track_id, *series.span_s(part), shown.pts, shown.pts_s, shown.logit, result.model_id)


def _segments(result: ModelResult, track: FaceTrack) -> Iterator[Moment]:
    score = _score_of(result, track.track_id)
    if score is None:
        return
    for interval in score.intervals:
        pts, pts_s = _shown(score, interval, track)
        yield Moment(track.track_id, interval.start_s, interval.end_s, pts, pts_s, interval.logit, result.model_id)


def _shown(score: TrackScore, interval: Interval, track: FaceTrack) -> tuple[int, float]:
    """The highest frame of a segment; where none of its frames is on record, the face nearest to its middle."""
    inside = [frame for frame in score.frames if interval.start_s <= frame.pts_s <= interval.end_s]
    if inside:
        highest = max(inside, key=lambda frame: frame.logit)
        return highest.pts, highest.pts_s
    middle = (interval.start_s + interval.end_s) / 2
    nearest = min(track.faces, key=lambda face: abs(face.pts_s - middle))
    return nearest.pts, nearest.pts_s


def _merged(runs: Sequence[Moment], segments: Sequence[Moment]) -> list[Moment]:
    """Runs of one model in one track, each as long as it and the segments over it are together."""
    merged: list[Moment] = []
    for run in runs:
        over = [one for one in segments if _overlap(one, run)]
        start, end = min([run.start_s, *(one.start_s for one in over)]), max([run.end_s, *(one.end_s for one in over)])
        if merged and start <= merged[-1].end_s:
            before = merged.pop()
            stronger = max(before, run, key=lambda one: one.logit)
            merged.append(replace(stronger, start_s=before.start_s, end_s=max(before.end_s, end)))
        else:
            merged.append(replace(run, start_s=start, end_s=end))
    return merged


def _overlap(one: Moment, other: Moment) -> bool:
    return one.track_id == other.track_id and one.start_s < other.end_s and other.start_s < one.end_s


def _together(moments: Sequence[Moment]) -> list[tuple[Moment, ...]]:
    """Those of one model in one track side by side."""
    grouped: dict[tuple[str, int], list[Moment]] = {}
    for one in moments:
        grouped.setdefault((one.model_id, one.track_id), []).append(one)
    return [tuple(group) for group in grouped.values()]


def _scores(moments: Sequence[Moment], results: Sequence[ModelResult], at_most: str = "") -> str:
    """The score there beside that of the whole track."""
    first = moments[0]
    result = next(one for one in results if one.model_id == first.model_id)
    whole = _score_of(result, first.track_id)
    assert whole is not None  # it has frames
    there = sigmoid(max(one.logit for one in moments))
    up_to = at_most or ("up to " if len(moments) > 1 else "")
    return (
        f"{result.name} gives face track {first.track_id} a score of {up_to}{there:.2f} there and of "
        f"{whole.score:.2f} as a whole"
    )


def _spans(moments: Sequence[Moment], before: str = "") -> str:
    spans = [f"{before}{one.start_s:.2f} s to {one.end_s:.2f} s" for one in moments[:SEGMENTS_NAMED]]
    if len(moments) > SEGMENTS_NAMED:
        spans.append(f"{len(moments) - SEGMENTS_NAMED} more")
    return _listed(spans)


def _listed(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
