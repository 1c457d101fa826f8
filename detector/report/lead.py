"""What a conclusion comes to in one sentence: the label, how strong the evidence is, how often such a call is wrong."""

from __future__ import annotations

import math

from detector.analysis.strength import error_row_like
from detector.analysis.types import Analysis, Label, sigmoid
from detector.calibration.calibration import ErrorRow
from detector.calibration.likelihood import SUPPORT_CODES, verbal
from detector.report.language import Words


def lead_sentence(analysis: Analysis, words: Words) -> str:
    """The label and `lead_text`."""
    return words("lead.sentence", label=words(f"label.{analysis.conclusion.label}"), text=lead_text(analysis, words))


def lead_text(analysis: Analysis, words: Words) -> str:
    """What follows the label, without a full stop. Of a label that the score gives, its likelihood ratio in words
    (ENFSI 2015) and the error rate of such calls among clips like this one; of any other, the first reason for it."""
    conclusion = analysis.conclusion
    codes = [reason.code for reason in conclusion.reasons]
    if conclusion.label == "not_examined":
        return _joined(_why(codes, words), words("lead.nothing"), words)
    if not conclusion.calibrated or conclusion.likelihood_ratio is None:
        first = words("lead.unbacked")
        if conclusion.label == "inconclusive":
            return _joined(_why(codes, words), first, words)
        return _joined(first, words("lead.unknown"), words)
    outside = [code for code in codes if code.startswith("outside_")]
    if outside and conclusion.label == "inconclusive":
        return _joined(_why(outside, words), words("lead.unknown"), words)
    strength = _strength(analysis, conclusion.likelihood_ratio, words)
    if conclusion.label == "inconclusive":
        return _joined(_why(codes, words), strength, words)
    if _called_by_run(analysis):
        return _joined(words("lead.by_run"), strength, words)
    row = error_told(analysis)
    return strength if row is None else _joined(strength, _error(row, conclusion.label, words), words)


def error_told(analysis: Analysis) -> ErrorRow | None:
    """The errors that `lead_text` tells, of clips like this one or of the whole set; None where it tells none."""
    conclusion = analysis.conclusion
    given = conclusion.label in ("likely_manipulated", "no_manipulation_found") and conclusion.calibrated
    if not given or _called_by_run(analysis):
        return None
    missed = conclusion.label == "no_manipulation_found"
    row = error_row_like(analysis, manipulated=missed)
    interval = row and (row.miss_interval if missed else row.false_alarm_interval)
    return None if interval is None else row


def _joined(first: str, second: str, words: Words) -> str:
    return words("lead.join", first=first, second=second)


def _why(codes: list[str], words: Words) -> str:
    """The first reason, which is what the label rests on."""
    if codes[:1] == ["sensitivity"]:
        return words("lead.flips")
    return _lower(words.known(f"reason.{codes[0]}", words("reason.other")) if codes else words("reason.other"))


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


def _strength(analysis: Analysis, ratio: float, words: Words) -> str:
    """In whichever direction the ratio speaks; "at least" at the bounds of what the set supports."""
    key, size = ("for", ratio) if ratio >= 1 else ("against", 1 / ratio)
    found = analysis.calibration
    if found is not None:
        bound = found.highest if ratio >= 1 else -found.lowest
        key += "_at_least" if math.log(size) >= bound - 1e-9 else ""
    support = words(f"support.{SUPPORT_CODES[verbal(ratio)]}")
    return words(f"lead.{key}", ratio=f"{size:.2g}", support=support)


def _called_by_run(analysis: Analysis) -> bool:
    """Whether the face is called for a run of frames alone: the errors were counted at the threshold of the score."""
    conclusion, found = analysis.conclusion, analysis.calibration
    if conclusion.label != "likely_manipulated" or conclusion.score is None or found is None:
        return False
    return conclusion.score < sigmoid(found.thresholds[1])


def _error(row: ErrorRow, label: Label, words: Words) -> str:
    key, wrong, count, interval = (
        ("missed", row.misses, row.n_fake, row.miss_interval)
        if label == "no_manipulation_found"
        else ("called", row.false_alarms, row.n_real, row.false_alarm_interval)
    )
    assert interval is not None
    low, high = (100 * share for share in interval)
    key += "_of_set" if row.condition == "all" else ""
    return words(f"lead.{key}", n=count, share=f"{100 * wrong / count:.0f} % ({low:.0f}–{high:.0f} %)")
