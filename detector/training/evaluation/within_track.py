"""The levels from which frames within a track count by themselves, fitted to genuine clips and measured by folds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold

from detector.analysis.types import Label
from detector.errors import SettingsError
from detector.measurement.metrics import share_interval
from detector.measurement.results import DataPath, Fact, Measurement, Results, Table
from detector.registry import ModelCard, Thresholds
from detector.training.evaluation.clip_frames import ClipFrames

RUN_SHARE: Final = 0.01
PEAK_SHARE: Final = 0.1
LEAST_CLIPS: Final = 20
FOLDS: Final = 5
_LOWEST: Final = -1e3  # where so few clips are long enough for a run that no level is needed
MANIPULATED: Final = "likely_manipulated"
INCONCLUSIVE: Final = "inconclusive"
NOTHING: Final = "no_manipulation_found"


def fit_levels(
    clips: Sequence[ClipFrames],
    thresholds: Thresholds,
    *,
    run_share: float | None = RUN_SHARE,
    peak_share: float = PEAK_SHARE,
) -> Thresholds:
    """The thresholds with `run_logit` and `peak_logit` (see `detector.analysis.frame_series`) set on genuine clips.

    At most `run_share` of them have a run at or above `run_logit`, which is no lower than the threshold of a whole
    track, and at most `peak_share` of those that would come out as "no manipulation found" otherwise have a peak at or
    above `peak_logit`: of the clips as they are, and with every group weighing alike. Without a `run_share` there is no
    level for runs, and where fewer than 20 genuine clips come out as nothing found there is none for peaks. Raises
    SettingsError for fewer than 20 genuine clips, and for shares that are none.
    """
    if not all(0 < share < 1 for share in (RUN_SHARE if run_share is None else run_share, peak_share)):
        raise SettingsError(f"Expected shares of false alarms above 0 and below 1, found {run_share} and {peak_share}.")
    real = [clip for clip in clips if clip.label == "real"]
    if len(real) < LEAST_CLIPS:
        raise SettingsError(f"Levels need at least {LEAST_CLIPS} genuine clips, found {len(real)}.")
    run, peak, basis = None, None, []
    if run_share is not None:
        run = max(_level(real, lambda clip: clip.highest_run, run_share), thresholds.likely_manipulated_logit)
        basis.append(f"runs: {_promise(real, run_share)}")
    nothing = [clip for clip in real if _called(clip, thresholds) == NOTHING and not _reaches(clip.highest_run, run)]
    if len(nothing) >= LEAST_CLIPS:
        peak = _level(nothing, lambda clip: clip.highest_peak, peak_share)
        basis.append(f"peaks: {_promise(nothing, peak_share, ' that come out as nothing found otherwise')}")
    else:
        basis.append(f"no level for peaks: {len(nothing)} genuine clips come out as nothing found")
    return replace(thresholds, run_logit=run, peak_logit=peak, within_track_basis="; ".join(basis))


def with_levels(
    card: ModelCard,
    clips: Sequence[ClipFrames],
    *,
    decided_by: Thresholds | None = None,
    run_share: float = RUN_SHARE,
    peak_share: float = PEAK_SHARE,
) -> ModelCard:
    """The card with levels fitted to all the clips, and with what they do measured by folds, under "within_track".

    `decided_by`: the thresholds of the model that decides, where it is another and the clips' `logit` is its: then only
    peaks have a level, since no other can have a run. Raises SettingsError as `measure_levels`."""
    deciding = decided_by or card.thresholds
    runs = run_share if decided_by is None else None
    fitted = fit_levels(clips, deciding, run_share=runs, peak_share=peak_share)
    thresholds = replace(
        card.thresholds,
        run_logit=fitted.run_logit,
        peak_logit=fitted.peak_logit,
        within_track_basis=fitted.within_track_basis,
    )
    measured = measure_levels(clips, deciding, run_share=runs, peak_share=peak_share)
    return replace(card, thresholds=thresholds, results=card.results.updated(measured))


def measure_levels(
    clips: Sequence[ClipFrames],
    thresholds: Thresholds,
    *,
    run_share: float | None = RUN_SHARE,
    peak_share: float = PEAK_SHARE,
    folds: int = FOLDS,
) -> Results:
    """Under "within_track", each clip judged by levels that were fitted without any clip of its group.

    "runs" and "peaks": `false_alarms`, the share of genuine clips that have one, of peaks among those that come out as
    nothing found otherwise. "found": of each manipulation the share of clips that have a run or a peak, either one's
    own share among `rates`. "called": how many clips are called what, by the score alone and with the levels. Intervals
    of 95 % count every group once. Raises SettingsError as `fit_levels`, and for fewer groups than folds.
    """
    groups = np.array([clip.group for clip in clips])
    if len(set(groups.tolist())) < folds:
        raise SettingsError(f"Expected clips of at least {folds} groups, found {len(set(groups.tolist()))}.")
    run, peak = np.zeros(len(clips), bool), np.zeros(len(clips), bool)
    for rest, apart in GroupKFold(folds).split(groups, groups=groups):
        levels = fit_levels([clips[i] for i in rest], thresholds, run_share=run_share, peak_share=peak_share)
        run[apart] = [_reaches(clips[i].highest_run, levels.run_logit) for i in apart]
        peak[apart] = [_reaches(clips[i].highest_peak, levels.peak_logit) for i in apart]
    real = np.array([clip.label == "real" for clip in clips])
    made = np.array([clip.manipulation for clip in clips])
    before = np.array([_called(clip, thresholds) for clip in clips])
    after = np.where(run, MANIPULATED, np.where((before == NOTHING) & peak, INCONCLUSIVE, before))
    nothing = real & ~run & (before == NOTHING)
    kinds = {str(kind): ~real & (made == kind) for kind in sorted(set(made[~real].tolist()))}
    parts: list[Measurement | Table | Fact] = [
        replace(_share(("runs",), "false_alarms", run[real], groups[real]), n_real=int(real.sum())),
        replace(_share(("peaks",), "false_alarms", peak[nothing], groups[nothing]), n_real=int(nothing.sum())),
        *(_found(kind, run[own], peak[own], groups[own]) for kind, own in kinds.items()),
        _calls({"genuine": real, **kinds}, before, after),
        Fact(("how",), f"{folds} folds by group; each fold's levels come from the others; intervals count groups"),
    ]
    return Results.joined(parts).below("within_track")


def _found(kind: str, run: NDArray[np.bool_], peak: NDArray[np.bool_], groups: NDArray[np.str_]) -> Measurement:
    shares = {"run": round(float(run.mean()), 4), "peak": round(float(peak.mean()), 4)}
    return replace(_share(("found", kind), "found", run | peak, groups), n_fake=len(run), rates=shares)


def _calls(rows: Mapping[str, NDArray[np.bool_]], before: NDArray[np.str_], after: NDArray[np.str_]) -> Table:
    labels = (MANIPULATED, INCONCLUSIVE, NOTHING)
    columns = ("clips", *(f"{label}_by_score" for label in labels), *labels)
    cells = {
        name: (int(own.sum()), *(int((said[own] == label).sum()) for said in (before, after) for label in labels))
        for name, own in rows.items()
    }
    return Table(("called",), columns, tuple(cells.items()))


def _level(clips: Sequence[ClipFrames], highest: Callable[[ClipFrames], float], share: float) -> float:
    """The lowest level, to three places, that at most a share of the clips and of the groups reach."""
    values = np.array([highest(clip) for clip in clips])
    groups = np.array([clip.group for clip in clips])
    _, member, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    level = max(_above(values, np.ones(len(values)), share), _above(values, 1 / sizes[member], share))
    return round(level + 5e-4, 3)


def _above(values: NDArray[np.float64], weights: NDArray[np.float64], share: float) -> float:
    """The least level that at most a share of the weight reaches; of the values at hand it lies just above one."""
    order = np.argsort(-values, kind="stable")
    reached = np.cumsum(weights[order]) / weights.sum()
    first = float(values[order][np.argmax(reached > share + 1e-9)])
    return math.nextafter(first, math.inf) if math.isfinite(first) else _LOWEST


def _promise(clips: Sequence[ClipFrames], share: float, which: str = "") -> str:
    """The words for what a level was set on; of longer clips more have a run or a peak."""
    frames = np.median([sum(len(track.logit) for track in clip.tracks) for clip in clips])
    groups = len({clip.group for clip in clips})
    text = (
        f"at most {share:.1%} of {len(clips)} genuine clips{which}, {groups} groups, {frames:.0f} frames on the median"
    )
    return text if share * len(clips) >= 1 else f"{text}; too few for that share, it lies above all of them"


def _share(data: DataPath, what: str, hits: NDArray[np.bool_], groups: NDArray[np.str_]) -> Measurement:
    """A share of clips with its interval; none of no clips."""
    if not len(hits):
        return Measurement(data, None, what)
    counts = {"clips": int(hits.sum()), "groups": len(set(groups.tolist()))}
    return Measurement(data, round(float(hits.mean()), 4), what, share_interval(hits, groups), counts=counts)


def _reaches(highest: float, level: float | None) -> bool:
    return level is not None and highest >= level


def _called(clip: ClipFrames, thresholds: Thresholds) -> Label:
    """What the score alone calls a clip."""
    if clip.logit >= thresholds.likely_manipulated_logit:
        return MANIPULATED
    return NOTHING if clip.logit <= thresholds.no_manipulation_logit else INCONCLUSIVE
