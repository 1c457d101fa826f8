"""How much a score weighs: the likelihood ratio that a calibration set supports, and how often the model errs on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple, TypedDict

import numpy as np

from detector.analysis.aggregate import deciding_tracks
from detector.analysis.types import Analysis, ModelResult, Reason
from detector.calibration.calibration import CONDITION_WORDS, Calibration, ErrorRow, Strength, condition_classes
from detector.evidence.types import Evidence
from detector.faces.types import FaceTrack

if TYPE_CHECKING:
    from detector.analysis.conclusion import Findings
    from detector.measurement.thresholds import Thresholds


_LEAST_CLIPS: Final = 10
"""Clips of a class below which its error rate does not stand for files like it."""


class Backing(NamedTuple):
    """`strength` None with the reason among `reasons` where no calibration backs the score; `caps` are reasons why the
    set says nothing of such a file."""

    strength: Strength | None
    reasons: tuple[Reason, ...]
    caps: tuple[Reason, ...] = ()


def calibration_behind(findings: Findings, voters: Sequence[ModelResult]) -> Calibration | None:
    """The calibration of the one model that decides; None of a still, where several decide together, and with test-time
    augmentation, since the scores of a set are of plain crops."""
    if findings.settings.test_time_augmentation:
        return None
    known = dict(zip((result.model_id for result in findings.results), findings.calibrations, strict=False))
    return known.get(voters[0].model_id) if len(voters) == 1 and not findings.still else None


def thresholds_in_force(model_id: str, thresholds: Thresholds, calibration: Calibration | None) -> Thresholds:
    """The thresholds that decide about a model's score: those of its card or, where the calibration that backs the
    conclusion is the model's and has a policy, what the policy's limits come to. Levels within a track stay the card's;
    but a run needs no less than a whole track does, since the limits would not hold otherwise."""
    if calibration is None or calibration.model_id != model_id or calibration.policy is None:
        return thresholds
    low, high = calibration.thresholds
    return replace(
        thresholds,
        likely_manipulated_logit=high,
        no_manipulation_logit=low,
        basis=f"{calibration.set_name} by the laboratory's policy: {calibration.policy.words}",
        run_logit=None if thresholds.run_logit is None else max(thresholds.run_logit, high),
    )


def backing(findings: Findings, voters: Sequence[ModelResult], logit: float) -> Backing:
    """What backs the score `logit` of the models that decide: a calibration of the one model that does."""
    calibration = calibration_behind(findings, voters)
    if calibration is None:
        return Backing(None, (Reason("uncalibrated", _why_not(findings, voters)),))
    rows = _rows_like(calibration, conditions_of(findings.evidence, findings.deciding))
    unknown = [row for row in rows if not row.n_real or not row.n_fake]
    strength = calibration.strength(logit)
    reasons = (
        Reason("strength", _strength_text(calibration, strength)),
        Reason("error_rates", _errors_text(calibration, rows)),
    )
    caps = [Reason("outside_conditions", _unknown_text(calibration, unknown))] if unknown else []
    if (unlike := _unlike_text(calibration, findings.appearance)) is not None:
        caps.append(Reason("outside_appearance", unlike))
    return Backing(strength, reasons, tuple(caps))


def error_row_like(analysis: Analysis, *, manipulated: bool) -> ErrorRow | None:
    """Among the classes of conditions that a file is in, the one in which the calibration behind its conclusion errs
    most: of `manipulated` clips it misses most, or of genuine ones it calls most. Classes of fewer than ten such clips
    are passed over; the whole set where nothing is left. None without a calibration."""
    calibration = analysis.calibration
    if calibration is None:
        return None
    still = analysis.evidence.kind == "still"
    deciding = deciding_tracks(analysis.tracks, analysis.settings, still=still)
    rows = _rows_like(calibration, conditions_of(analysis.evidence, deciding))

    def errors(row: ErrorRow) -> tuple[int, int]:
        return (row.misses, row.n_fake) if manipulated else (row.false_alarms, row.n_real)

    enough = [row for row in rows if errors(row)[1] >= _LEAST_CLIPS]
    return max(enough, key=lambda row: _share(*errors(row)), default=calibration.errors[0])


def _rows_like(calibration: Calibration, conditions: Conditions) -> list[ErrorRow]:
    """The errors in each class that a file of these conditions is in."""
    classes = condition_classes(conditions)
    return [row for name, value in classes.items() if (row := calibration.error_row(name, value)) is not None]


class Conditions(TypedDict):
    """The conditions of a file: a row of `detector.calibration.sets.CONDITIONS`, and `sharpness`, the median variance
    of the Laplacian of the deciding faces. None where there is nothing to measure."""

    face_px: float | None
    short_side_px: int
    bits_per_pixel: float | None
    exposure: float | None
    sharpness: float | None
    codec: str | None
    frames_scored: int
    sound: bool


def conditions_of(evidence: Evidence, deciding: Sequence[FaceTrack]) -> Conditions:
    """The conditions under which the faces of the deciding tracks were seen."""
    video = evidence.video
    pixels = video.width * video.height * video.frame_count
    qualities = [tracked.face.quality for track in deciding for tracked in track.faces]

    def middle(values: list[float]) -> float | None:
        return float(np.median(values)) if values else None

    return {
        "face_px": middle([quality.size_px for quality in qualities]),
        "short_side_px": min(video.width, video.height),
        "bits_per_pixel": 8 * evidence.file.size_bytes / pixels if pixels else None,
        "exposure": middle([quality.exposure for quality in qualities]),
        "sharpness": middle([quality.sharpness for quality in qualities]),
        "codec": video.codec,
        "frames_scored": len(qualities),
        "sound": evidence.audio is not None,
    }


def _why_not(findings: Findings, voters: Sequence[ModelResult]) -> str:
    if not any(findings.calibrations):
        why = "no calibration set backs it yet"
    elif len(voters) > 1:
        why = "several models decide, and a calibration is of one"
    elif findings.settings.test_time_augmentation:
        why = "the calibration set was scored without test-time augmentation"
    elif findings.still:
        why = "the calibration set holds no stills"
    else:
        why = f"no calibration of {voters[0].name} with these weights is in force"
    return f"The score is the models' own, not a probability: {why}."


def _strength_text(calibration: Calibration, strength: Strength) -> str:
    ratio, (low, high) = strength.ratio, strength.interval
    which = "if the face was manipulated than if it is genuine"
    if ratio < 1:
        ratio, low, high = 1 / ratio, 1 / high, 1 / low
        which = "if the face is genuine than if it was manipulated"
    least = "at least " if strength.capped else ""
    return (
        f"Such a score is {least}{ratio:.2g} times as much to be expected {which} (95 %: {low:.2g} to {high:.2g}): "
        f"{strength.words}. {calibration.cap_text()} How probable either is depends on everything else that is known."
    )


def _errors_text(calibration: Calibration, rows: Sequence[ErrorRow]) -> str:
    whole = calibration.errors[0]
    policy = "" if calibration.policy is None else f" by the laboratory's policy ({calibration.policy.words})"
    said = [f"At the thresholds in force{policy}, of the set {_errors(whole)}"]
    if rows:
        # Where it errs most among clips like this one.
        worst = max(rows, key=lambda row: _share(row.false_alarms, row.n_real) + _share(row.misses, row.n_fake))
        said.append(
            f"; among those like this file in {CONDITION_WORDS[worst.condition]} ({worst.value}), {_errors(worst)}"
        )
    return f"{''.join(said)}."


def _errors(row: ErrorRow) -> str:
    alarms = "" if row.false_alarm_interval is None else f" ({_percent(row.false_alarm_interval)})"
    misses = "" if row.miss_interval is None else f" ({_percent(row.miss_interval)})"
    return (
        f"{row.false_alarms} of {row.n_real} genuine clips{alarms} are called manipulated, and in {row.misses} of "
        f"{row.n_fake} manipulated ones{misses} nothing is found"
    )


def _percent(interval: tuple[float, float]) -> str:
    return f"{interval[0]:.0%} to {interval[1]:.0%}"


def _share(hits: int, count: int) -> float:
    return hits / count if count else 0.0


def _unknown_text(calibration: Calibration, rows: Sequence[ErrorRow]) -> str:
    named = "; ".join(
        f"{CONDITION_WORDS[row.condition]} {row.value} ({row.n_real} genuine, {row.n_fake} manipulated)" for row in rows
    )
    return (
        f"The calibration set {calibration.set_name} does not cover files like this one, so that errors on them are "
        f"not known: {named}."
    )


def _unlike_text(calibration: Calibration, appearance: tuple[float, ...] | None) -> str | None:
    known = calibration.appearance
    distance = None if known is None or appearance is None else known.distance(appearance)
    if known is None or distance is None or distance <= known.farthest:
        return None
    return (
        f"The faces look unlike those of the calibration set {calibration.set_name} in light, colour or fine detail, "
        f"so that errors on them are not known: at a distance of {distance:.2f}, where {known.inside:.1%} of its "
        f"{known.files} files lie within {known.farthest:.2f}."
    )
