"""The strength of the evidence as plain data for the templates: calibration where there is any, and what was measured.

Measured numbers come from the cards of the models that decide, and only with the counts that they were measured on.
"""

from __future__ import annotations

from dataclasses import dataclass

from detector.analysis.types import Analysis
from detector.analysis.voting import voting
from detector.calibration.calibration import Calibration
from detector.measurement.results import DataPath, Measurement, Results
from detector.measurement.wording import DEEPFAKE_VIDEOS, main_rows
from detector.report import wording
from detector.report.language import Words
from detector.report.parts_payload import Facts
from detector.report.printable import printable, shortened
from detector.report.record import CaseRecord, ModelEntry

MOST_ROWS = 14
_MOST_NAMED = 4
_ON_VIDEOS = ("videos", "cross_validated")


@dataclass(frozen=True, slots=True)
class MeasuredData:
    """The measurements of one model: sentences, `rows` of a set each, and in `left` how many were left out."""

    label: str
    sentences: list[str]
    rows: list[list[str]]
    left: str


@dataclass(frozen=True, slots=True)
class StrengthData:
    """The words on what backs the score, and the measurements of each model that decides."""

    text: str
    facts: Facts
    models: list[MeasuredData]


def strength_data(analysis: Analysis, record: CaseRecord, short: dict[str, str], words: Words) -> StrengthData:
    """The backing of the score, what was measured of the models that decide, and which specialists were worse than
    chance on real deepfake videos."""
    conclusion = analysis.conclusion
    backed = conclusion.calibrated and conclusion.likelihood_ratio is not None
    ratio = f"{conclusion.likelihood_ratio:.2g}" if backed else words("strength.no_ratio")
    facts: Facts = [(words("strength.ratio"), ratio)]
    if conclusion.interval is not None:
        low, high = conclusion.interval
        facts.append((words("strength.interval"), f"{low:.2g} – {high:.2g}"))
    facts += _errors(analysis.calibration, words)
    key = "no_score" if conclusion.score is None else "calibrated" if backed else "uncalibrated"
    used = {(model.model_id, model.weights_sha256) for model in (voting(analysis.models) or analysis.models)}
    entries = [model for model in record.models if (model.model_id, model.weights_sha256) in used]
    models = [_measured(entry, short, words) for entry in entries]
    models += [_specialists(entry, said, short) for entry in record.models if (said := _cues(entry, analysis, words))]
    return StrengthData(words(f"strength.{key}"), facts, models)


def _errors(found: Calibration | None, words: Words) -> Facts:
    """The errors on the calibration set, and the set by name and hash; that they are not known without one."""
    if found is None:
        return [(words("strength.error"), words("strength.no_error"))]
    whole = found.errors[0]
    counts = {name: f"{getattr(whole, name):,}" for name in ("false_alarms", "n_real", "misses", "n_fake")}
    named = f"{printable(found.set_name)}, SHA-256 {found.set_sha256}"
    facts = [
        (words("strength.error"), words("strength.error_known", **counts)),
        (words("strength.calibration_set"), named),
    ]
    if found.policy is not None:
        low, high = (wording.logit(one) for one in found.thresholds)
        shares = {name: f"{100 * share:.3g}" for name, share in found.policy.model_dump().items()}
        facts.append((words("strength.policy"), words("strength.policy_limits", **shares, low=low, high=high)))
    return facts


def _measured(entry: ModelEntry, short: dict[str, str], words: Words) -> MeasuredData:
    name = short.get(entry.model_id, printable(entry.model_id))
    found = entry.card.results if entry.card is not None else Results()
    rows = sorted(
        (row for row in found.measurements if row.value is not None and None not in (row.n_real, row.n_fake)),
        key=lambda row: row.data[0] not in _ON_VIDEOS,
    )
    turned = [row for row in rows if row.worse_than_chance]
    # Sets on which the order is turned round are never the ones that are left out.
    kept = sorted(sorted(range(len(rows)), key=lambda index: (not rows[index].worse_than_chance, index))[:MOST_ROWS])
    sentences = [] if rows else [words("strength.not_measured", model=name)]
    if (whole := main_rows(found).get(DEEPFAKE_VIDEOS)) is not None and whole in rows:
        sentences.append(words("strength.video", model=name, auc=_auc(whole), **_sizes(whole)))
    if turned:
        sets = "; ".join(_set_name(row.data, words) for row in turned[:_MOST_NAMED])
        sentences.append(words("strength.turned", count=len(turned), sets=sets))
    left = len(rows) - len(kept)
    return MeasuredData(
        label=name,
        sentences=sentences,
        rows=[_row(rows[index], words) for index in kept],
        left=words("strength.rows_left", count=left) if left else "",
    )


def _specialists(entry: ModelEntry, said: str, short: dict[str, str]) -> MeasuredData:
    return MeasuredData(short.get(entry.model_id, printable(entry.model_id)), [said], [], "")


def _cues(entry: ModelEntry, analysis: Analysis, words: Words) -> str:
    """The specialists of a model that were worse than chance on real deepfake videos; empty where none was."""
    if entry.card is None:
        return ""
    cues = [cue.cue for model in analysis.models if model.model_id == entry.model_id for cue in model.specialists]
    found = {cue: entry.card.results.on_real_videos(cue) for cue in cues}
    worse = [
        f"{words(f'cue.{cue}')} ({_auc(row)})"
        for cue, row in found.items()
        if row is not None and row.worse_than_chance
    ]
    return words("strength.cues", cues=", ".join(worse)) if worse else ""


def _row(row: Measurement, words: Words) -> list[str]:
    remark = "inverted" if row.worse_than_chance else "chance" if row.not_told_from_chance else ""
    return [
        _set_name(row.data, words),
        f"{row.value:.3f}",
        f"{row.interval[0]:.2f} – {row.interval[1]:.2f}" if row.interval is not None else "–",
        *_sizes(row).values(),
        words(f"strength.{remark}") if remark else "",
    ]


def _auc(row: Measurement) -> str:
    spread = "" if row.interval is None else f" ({row.interval[0]:.2f} – {row.interval[1]:.2f})"
    return f"{row.value:.3f}{spread}"


def _sizes(row: Measurement) -> dict[str, str]:
    return {"genuine": f"{row.n_real:,}", "manipulated": f"{row.n_fake:,}"}


def _set_name(data: DataPath, words: Words) -> str:
    return shortened(", ".join(words.known(f"cue.{part}", part.replace("_", " ")) for part in data), 90)
