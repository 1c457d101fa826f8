"""What a conclusion comes to in one sentence: the label, how strong the evidence is, how often such a call is wrong."""

from __future__ import annotations

import math

from detector.analysis.strength import error_row_like
from detector.analysis.types import Analysis
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
    if "outside_conditions" in codes:
        return _joined(_lower(words("reason.outside_conditions")), words("lead.unknown"), words)
    strength = _strength(analysis, conclusion.likelihood_ratio, words)
    if conclusion.label == "inconclusive":
        return _joined(_why(codes, words), strength, words)
    if conclusion.label == "likely_manipulated" and "run" in codes and not _called_by_score(analysis):
        return _joined(words("lead.by_run"), strength, words)
    error = _error(analysis, words)
    return _joined(strength, error, words) if error else strength


def _joined(first: str, second: str, words: Words) -> str:
    return words("lead.join", first=first, second=second)


def _why(codes: list[str], words: Words) -> str:
    """The first reason, which is what the label rests on."""
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


def _called_by_score(analysis: Analysis) -> bool:
    """Whether the score itself reaches the threshold that the errors were counted at."""
    score, found = analysis.conclusion.score, analysis.calibration
    if score is None or found is None:
        return True
    return score >= 1 / (1 + math.exp(-found.thresholds[1]))


def _error(analysis: Analysis, words: Words) -> str:
    """How often clips like this one, or of the whole set, are called so wrongly; empty where that is not recorded."""
    manipulated = analysis.conclusion.label == "no_manipulation_found"
    row = error_row_like(analysis, manipulated=manipulated)
    if row is None:
        return ""
    key, wrong, count, interval = (
        ("missed", row.misses, row.n_fake, row.miss_interval)
        if manipulated
        else ("called", row.false_alarms, row.n_real, row.false_alarm_interval)
    )
    if interval is None:
        return ""
    key += "_of_set" if row.condition == "all" else ""
    low, high = (100 * share for share in interval)
    return words(f"lead.{key}", n=count, share=f"{100 * wrong / count:.0f} % ({low:.0f}–{high:.0f} %)")
