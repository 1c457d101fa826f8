"""What repeated scoring and small changes made of a score, as plain data for the templates."""

from __future__ import annotations

from dataclasses import dataclass

from detector.analysis.types import Analysis, ModelResult
from detector.report import wording
from detector.report.language import Words
from detector.report.printable import printable
from detector.report.sentences import told


@dataclass(frozen=True, slots=True)
class SensitivityData:
    """A row a small change: what it is, score, label, and whether it flips the conclusion or why there is no score;
    `text` says the range. Both are empty where it was not tried."""

    text: str
    rows: list[list[str]]


def sensitivity_data(analysis: Analysis, words: Words) -> SensitivityData:
    """The small changes that were tried, in their order."""
    found = analysis.sensitivity
    if found is None:
        return SensitivityData("", [])
    rows = []
    for one in found.variants:
        outcome = (
            told(one.reason, words, otherwise="recorded.failed")
            if one.reason
            else words("sensitivity.flips" if one.flips else "sensitivity.holds")
        )
        label = words(f"label.{one.label}") if one.label else "–"
        name = words.known(f"sensitivity.{one.name}", printable(one.name.replace("_", " ")))
        rows.append([name, wording.score(one.score, words), label, outcome])
    low, high = (wording.score(value, words) for value in (found.lowest, found.highest))
    return SensitivityData(words("sensitivity.range", low=low, high=high), rows)


def repeats_text(model: ModelResult, words: Words) -> str:
    """What was repeated of a model's scoring and what came of it; empty where nothing was."""
    found = model.repeats
    if found is None:
        return ""
    said = []
    if found.views > 1:
        said.append(words("repeats.views"))
    elif found.views_reason:
        said.append(words("repeats.one_view", reason=told(found.views_reason, words, otherwise="recorded.failed")))
    decisive = {track.track_id for track in model.tracks if track.logit == model.logit}
    spread = next((one.std_logit for one in found.spreads if one.track_id in decisive), None)
    if spread is not None:
        said.append(words("repeats.spread", passes=found.passes, spread=f"{spread:.2f}"))
    elif found.spread_reason:
        said.append(words("repeats.no_spread", reason=told(found.spread_reason, words, otherwise="recorded.failed")))
    return " ".join(said)
