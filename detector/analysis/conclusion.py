"""From scores to a conclusion that says what it rests on.

Where an ensemble has a score, it decides by its own thresholds; else the mean of the models' logits by the mean of
theirs. An audio-visual model joins that mean only where it raises it: good lip synchrony proves nothing. A score is
that of a whole track, so a run of frames within one that is high enough by a model's card makes the label
likely_manipulated whatever the score, and a peak, or a segment that a model over time singles out, turns
no_manipulation_found into inconclusive (see `moments`); the score stays what it is. From there a label can only be
weakened: every limit that applies ("caps") turns likely_manipulated and no_manipulation_found into inconclusive.
Caveats are stated and change nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from detector.analysis.aggregate import USABLE_WEIGHT, mean_weight
from detector.analysis.kinds import kind_of
from detector.analysis.moments import Moments, find_moments, peak_reasons, run_reasons, segment_reasons
from detector.analysis.strength import backing, calibration_behind, thresholds_in_force
from detector.analysis.types import Conclusion, Label, ModelResult, Reason, TrackScore, sigmoid
from detector.analysis.voting import mean_logit, voting
from detector.calibration.calibration import Calibration
from detector.evidence.types import Evidence
from detector.faces.types import FaceTrack
from detector.settings import AnalysisSettings

if TYPE_CHECKING:
    from detector.registry import Thresholds

DAMAGED_SHARE = 0.01  # decoder complaints per frame of the stream above which no label stands
LOW_COVERAGE = 0.5


@dataclass(frozen=True, slots=True)
class Findings:
    """All that a conclusion is drawn from. `results`, `decisions` and `calibrations` run in parallel, one a model;
    `deciding` are the tracks entitled to decide; `frames_with_face` counts examined frames in which at least one face
    was found; of a model without a calibration of these very weights, that is None. `appearance` is how the deciding
    faces look (`detector.models.appearance`), None where it is not known."""

    evidence: Evidence
    settings: AnalysisSettings
    tracks: tuple[FaceTrack, ...]
    deciding: tuple[FaceTrack, ...]
    results: tuple[ModelResult, ...]
    decisions: tuple[Thresholds, ...]
    frames_examined: int
    frames_with_face: int
    calibrations: tuple[Calibration | None, ...] = ()
    appearance: tuple[float, ...] | None = None

    @property
    def still(self) -> bool:
        """Whether the file is a still image."""
        return self.evidence.kind == "still"

    @property
    def decided(self) -> list[tuple[ModelResult, Thresholds]]:
        """Every model with its thresholds: the card's or, of one whose calibration backs the score, those in force."""
        behind = calibration_behind(self, voting(self.results))
        return [
            (result, thresholds_in_force(result.model_id, decision, behind))
            for result, decision in zip(self.results, self.decisions, strict=True)
        ]

    @property
    def voters(self) -> list[tuple[ModelResult, Thresholds]]:
        """The models that decide, with their thresholds."""
        deciding = {id(result) for result in voting(self.results)}
        return [(result, decision) for result, decision in self.decided if id(result) in deciding]


def _logit(result: ModelResult) -> float:
    assert result.logit is not None  # only models with a score become voters
    return result.logit


def conclude(findings: Findings) -> Conclusion:
    """Draw the conclusion. `score` is that of the models that decide, None where nothing was scored."""
    voters = findings.voters
    if not voters or not findings.tracks:
        return Conclusion("not_examined", None, (_why_nothing_was_scored(findings), *_caveats(findings)))
    logit = mean_logit([result for result, _ in voters])
    high = float(np.mean([decision.likely_manipulated_logit for _, decision in voters]))
    low = float(np.mean([decision.no_manipulation_logit for _, decision in voters]))
    if all(kind_of(result).one_sided for result, _ in voters):
        low = float("-inf")  # sound that fits the mouth says nothing about the picture
    worst = _worst_track(findings)
    found = _moments(findings, voters)
    accused = _accused(findings, found, worst if logit >= high else None)
    backed = backing(findings, [result for result, _ in voters], logit)
    caps = [*min((_caps(findings, track, found) for track in accused or [worst]), key=len), *backed.caps]
    label: Label = "likely_manipulated" if accused else "no_manipulation_found" if logit <= low else "inconclusive"
    if label == "inconclusive":
        caps.append(Reason("between_thresholds", _between_text(logit, low, high)))
    runs = list(run_reasons(found, findings.results, decides=logit < high and not caps))
    clear = label == "no_manipulation_found" and not caps
    peaks = [] if label == "likely_manipulated" else list(peak_reasons(found, findings.results, decides=clear))
    segments = list(segment_reasons(found, findings.results, one_track=len(findings.deciding) == 1))
    noticed = label == "no_manipulation_found" and (peaks or segments)
    called: Label = "inconclusive" if noticed or _models_disagree(findings, found) else label
    if caps or (clear and (peaks or segments)):
        label = "inconclusive"
    decided = [_deciding_reason(findings, worst)]
    why = (*peaks, *segments, *decided) if clear else (*decided, *peaks, *segments)
    caveats = _caveats(findings)
    # What is known comes before the caveats, that nothing is known among them.
    told = (*backed.reasons, *caveats) if backed.strength else (*caveats, *backed.reasons)
    return Conclusion(
        label,
        sigmoid(logit),
        (*caps, *runs, *why, *told),
        calibrated=backed.strength is not None,
        likelihood_ratio=None if backed.strength is None else backed.strength.ratio,
        interval=None if backed.strength is None else backed.strength.interval,
        member_spread=voters[0][0].member_spread if len(voters) == 1 else None,
        called=called,
    )


def _moments(findings: Findings, voters: Sequence[tuple[ModelResult, Thresholds]]) -> Moments:
    """A still has none."""
    if findings.still:
        return Moments()
    return find_moments(findings.decided, {result.model_id for result, _ in voters}, findings.deciding)


def _accused(findings: Findings, found: Moments, by_score: FaceTrack | None) -> list[FaceTrack]:
    """The tracks that are called manipulated: by the score, and by the runs in them."""
    of_runs = {run.track_id for run in found.runs}
    others = [track for track in findings.deciding if track.track_id in of_runs and track is not by_score]
    return others if by_score is None else [by_score, *others]


def _between_text(logit: float, low: float, high: float) -> str:
    if low == float("-inf"):
        return (
            f"Sound and mouth agree too well to speak of manipulation ({sigmoid(logit):.2f}, threshold "
            f"{sigmoid(high):.2f}), which says nothing about the picture."
        )
    return f"The score {sigmoid(logit):.2f} lies between the thresholds {sigmoid(low):.2f} and {sigmoid(high):.2f}."


def _why_nothing_was_scored(findings: Findings) -> Reason:
    if findings.tracks:
        names = ", ".join(result.name for result in findings.results)
        return Reason("model_failed", f"Faces were found, but no model gave a usable value on them ({names}).")
    where = "in the picture" if findings.still else f"in the {_count(findings.frames_examined, 'frame')} examined"
    return Reason("no_face", f"No face was found {where}, so there was nothing to score.")


def _worst_track(findings: Findings) -> FaceTrack:
    """The deciding track with the highest logit, averaged over the models that decide and scored it."""

    def mean_logit(track: FaceTrack) -> float:
        values = [score.logit for score in _scores_of(findings, track)]
        return float(np.mean(values)) if values else float("-inf")

    return max(findings.deciding, key=mean_logit)


def _scores_of(findings: Findings, track: FaceTrack) -> list[TrackScore]:
    return [score for result, _ in findings.voters for score in result.tracks if score.track_id == track.track_id]


def _mainstay(findings: Findings) -> str:
    """The member that an ensemble's score mostly rests on: it may be one that scores no single frame."""
    for result, _ in findings.voters:
        heaviest = max(result.members, key=lambda member: member.weight or 0.0, default=None)
        if heaviest is not None and (heaviest.weight or 0.0) > 0.5:
            named = {one.model_id: one.name for one in findings.results}
            member = named.get(heaviest.model_id, heaviest.model_id)
            return f" {heaviest.weight:.0%} of the score of {result.name} rests on {member}."
    return ""


def _why_above_frames(findings: Findings, track: FaceTrack) -> str:
    """What the score of the track counts that no frame's does."""
    counted = {
        name
        for result, _ in findings.voters
        for name in (result.model_id, *(one.model_id for one in result.members if one.logit is not None))
    }
    without_frames = [
        result.name
        for result in findings.results
        if result.model_id in counted
        and any(score.track_id == track.track_id and not score.frames for score in result.tracks)
    ]
    if not without_frames:
        return "for a track is scored as a whole"
    names = " and ".join([", ".join(without_frames[:-1]), without_frames[-1]] if without_frames[1:] else without_frames)
    scores = "scores the track and no single frame" if len(without_frames) == 1 else "score the track and no frames"
    return f"for it also counts {names}, which {scores}"


def _deciding_reason(findings: Findings, worst: FaceTrack) -> Reason:
    scores = _scores_of(findings, worst)
    score = sigmoid(float(np.mean([item.logit for item in scores])))
    if findings.still:
        others = len(findings.tracks) - 1
        among = "the only face" if not others else f"the highest of {others + 1} faces"
        return Reason("deciding_track", f"Face {worst.track_id} decided: {among}, with a score of {score:.2f}.")
    by_time: dict[float, list[float]] = {}
    for item in scores:
        for frame in item.frames:
            by_time.setdefault(frame.pts_s, []).append(frame.logit)
    among = (
        "the only one" if len(findings.tracks) == 1 else f"the highest of {len(findings.deciding)} that could decide"
    )
    text = (
        f"Face track {worst.track_id} ({worst.first_pts_s:.2f} s to {worst.last_pts_s:.2f} s) decided: {among}, with a "
        f"score of {score:.2f}"
    )
    if by_time:
        means = {pts_s: float(np.mean(logits)) for pts_s, logits in by_time.items()}
        peak_s = max(means, key=lambda pts_s: means[pts_s])
        text += (
            f" over {_count(len(by_time), 'frame')}; its highest frame is at {peak_s:.2f} s "
            f"({sigmoid(means[peak_s]):.2f})"
        )
        if round(score, 2) > round(sigmoid(means[peak_s]), 2):
            text += f". The score is above every frame's, {_why_above_frames(findings, worst)}"
    text += f".{_mainstay(findings)}"
    return Reason("deciding_track", text)


def _caps(findings: Findings, track: FaceTrack, found: Moments) -> list[Reason]:
    """Every limit that allows nothing stronger than inconclusive of this track."""
    caps = []
    settings = findings.settings
    if all(tracked.face.source == "centre_crop" for tracked in track.faces):
        text = "No face was found; the score rests on the centre of each frame, which may show no face at all."
        return [Reason("fallback_only", text)]
    if not findings.still and len(track.faces) < settings.min_frames:
        text = (
            f"The deciding face was seen in {_count(len(track.faces), 'examined frame')}; "
            f"at least {settings.min_frames} are needed."
        )
        caps.append(Reason("few_frames", text))
    size_px = float(np.median([tracked.face.quality.size_px for tracked in track.faces]))
    if size_px < settings.min_face_px:
        text = (
            f"The deciding face is {size_px:.0f} px across; below {settings.min_face_px} px the models are unreliable."
        )
        caps.append(Reason("small_faces", text))
    weight = mean_weight(track)
    if weight < USABLE_WEIGHT:
        flags = sorted({flag for tracked in track.faces for flag in tracked.face.quality.flags})
        seen = f" ({', '.join(flags)})" if flags else ""
        text = (
            f"The deciding face is of poor quality{seen}: mean weight {weight:.2f}, at least {USABLE_WEIGHT} is needed."
        )
        caps.append(Reason("low_quality", text))
    if _models_disagree(findings, found):
        parts = ", ".join(f"{result.name} {sigmoid(_logit(result)):.2f}" for result, _ in findings.voters)
        caps.append(Reason("models_disagree", f"The models contradict each other: {parts}."))
    if _damaged(findings):
        caps.append(Reason("decode_errors", _decode_text(findings)))
    return caps


def _models_disagree(findings: Findings, found: Moments) -> bool:
    """Of the models that decide, one is past its upper threshold, or has a run, while another is past its lower one and
    has none."""
    with_run = {run.model_id for run in found.runs}
    return any(
        result.model_id in with_run or _logit(result) >= decision.likely_manipulated_logit
        for result, decision in findings.voters
    ) and any(
        result.model_id not in with_run and _logit(result) <= decision.no_manipulation_logit
        for result, decision in findings.voters
        if not kind_of(result).one_sided
    )


def _damaged(findings: Findings) -> bool:
    frames = max(1, findings.evidence.video.frame_count)
    return findings.evidence.integrity.decode_errors > DAMAGED_SHARE * frames


def _decode_text(findings: Findings) -> str:
    errors = findings.evidence.integrity.decode_errors
    return f"The decoder complained {_count(errors, 'time')}: parts of the file are damaged and may mislead the models."


def _caveats(findings: Findings) -> list[Reason]:
    """Limits of the conclusion that do not change its label."""
    caveats = []
    settings = findings.settings
    if findings.evidence.integrity.decode_errors and not (_damaged(findings) and findings.voters):
        caveats.append(Reason("decode_errors", _decode_text(findings)))
    if findings.voters:
        caveats.extend(_left_out(result, findings) for result in findings.results if result.logit is None)
    if findings.still and findings.tracks:
        caveats.append(Reason("still", "A still gives less evidence than a video: one frame, and no change over time."))
    if not findings.still:
        caveats.extend(_sampling_caveats(findings, settings))
    return caveats


def _left_out(result: ModelResult, findings: Findings) -> Reason:
    """Of a model that an ensemble decides without, that it says nothing; of any other, that the score leaves it out."""
    code = "not_applicable" if kind_of(result).may_not_apply else "model_failed"
    fused = [member.model_id for voter, _ in findings.voters for member in voter.members]
    said = f"The score leaves out {result.name}"
    if fused and result.model_id not in fused:
        said = f"{result.name}, which has no vote, says nothing"
    return Reason(code, f"{said}: {result.reason or 'it gave no usable value.'}")


def _sampling_caveats(findings: Findings, settings: AnalysisSettings) -> list[Reason]:
    caveats = []
    examined, total = findings.frames_examined, findings.evidence.video.frame_count
    if findings.tracks and findings.frames_with_face < LOW_COVERAGE * examined:
        text = f"A face was found in {findings.frames_with_face:,} of {_count(examined, 'examined frame')}."
        caveats.append(Reason("face_coverage", text))
    if examined < total:
        text = (
            f"{examined:,} of {total:,} frames were examined (at most {settings.frames_per_second:g} a second and "
            f"{settings.max_frames:,} in all); what shows only between them was not seen."
        )
        caveats.append(Reason("sampled", text))
    return caveats


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
