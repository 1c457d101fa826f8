"""How strong the evidence is, as plain data for the template: calibration where there is any, and what was measured.

Measured numbers come from the cards of the models that decide, and only with the counts that they were measured on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from detector.analysis.types import Analysis
from detector.analysis.voting import voting
from detector.report.language import Words
from detector.report.printable import printable, shortened
from detector.report.record import CaseRecord, ModelEntry

MOST_ROWS = 14
_DEPTH = 5
_MOST_NAMED = 4
_WHOLE_VIDEOS = ("videos", "all")


def strength_data(analysis: Analysis, record: CaseRecord, short: dict[str, str], words: Words) -> dict[str, Any]:
    """`turned` names the sets on which a deciding model puts manipulated material below genuine footage."""
    conclusion = analysis.conclusion
    backed = conclusion.calibrated and conclusion.likelihood_ratio is not None
    ratio = f"{conclusion.likelihood_ratio:.3g}" if backed else words("strength.no_ratio")
    facts = [(words("strength.ratio"), ratio)]
    if conclusion.interval is not None:
        low, high = conclusion.interval
        facts.append((words("strength.interval"), f"{low:.3f} – {high:.3f}"))
    facts.append((words("strength.error"), words("strength.no_error")))
    key = "no_score" if conclusion.score is None else "calibrated" if backed else "uncalibrated"
    used = {(model.model_id, model.weights_sha256) for model in (voting(analysis.models) or analysis.models)}
    entries = [model for model in record.models if (model.model_id, model.weights_sha256) in used]
    return {
        "text": words(f"strength.{key}"),
        "facts": facts,
        "models": [_measured(entry, short, words) for entry in entries],
    }


def _measured(entry: ModelEntry, short: dict[str, str], words: Words) -> dict[str, Any]:
    name = short.get(entry.model_id, printable(entry.model_id))
    rows = list(_sets(entry.card.results)) if entry.card is not None else []
    turned = [path for path, row in rows if _turned(row)]
    # Sets on which the order is turned round are never the ones that are left out.
    kept = sorted(sorted(range(len(rows)), key=lambda index: (not _turned(rows[index][1]), index))[:MOST_ROWS])
    sentences = []
    if not rows:
        sentences.append(words("strength.not_measured", model=name))
    for path, row in rows:
        if path == _WHOLE_VIDEOS:
            sentences.append(words("strength.video", model=name, **_whole(row)))
    if turned:
        sets = "; ".join(_set_name(path) for path in turned[:_MOST_NAMED])
        sentences.append(words("strength.turned", count=len(turned), sets=sets))
    left = len(rows) - len(kept)
    return {
        "label": name,
        "title": shortened(entry.card.title if entry.card else entry.model_id, 80),
        "sentences": sentences,
        "warns": bool(turned),
        "rows": [_row(*rows[index], words) for index in kept],
        "left": words("strength.rows_left", count=left) if left else "",
    }


def _whole(row: Mapping[str, Any]) -> dict[str, str]:
    interval = _interval(row)
    spread = "" if interval is None else f" ({interval[0]:.2f} – {interval[1]:.2f})"
    return {
        "genuine": _count(row["genuine"]),
        "manipulated": _count(row["manipulated"]),
        "auc": f"{row['auc']:.3f}{spread}",
    }


def _sets(
    results: Mapping[str, Any], path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Every measured set of a card's results with an AUC and the counts it rests on, in the card's order."""
    real, manipulated = results.get("genuine"), results.get("manipulated")
    if path and isinstance(results.get("auc"), int | float) and real is not None and manipulated is not None:
        yield path, results
    if len(path) < _DEPTH:
        for key, inner in results.items():
            if isinstance(inner, Mapping):
                yield from _sets(inner, (*path, str(key)))


def _turned(row: Mapping[str, Any]) -> bool:
    """Manipulated material is put below genuine, and chance does not explain it; without an interval the card's own
    mark decides."""
    interval = _interval(row)
    return bool(row.get("inverted")) if interval is None else interval[1] < 0.5


def _interval(row: Mapping[str, Any]) -> tuple[float, float] | None:
    found = row.get("auc_95")
    return (found[0], found[1]) if isinstance(found, list) and len(found) == 2 else None


def _set_name(path: tuple[str, ...]) -> str:
    return shortened(", ".join(part.replace("_", " ") for part in path), 90)


def _row(path: tuple[str, ...], row: Mapping[str, Any], words: Words) -> list[str]:
    interval = _interval(row)
    remark = ""
    if _turned(row):
        remark = words("strength.inverted")
    elif interval is not None and interval[0] <= 0.5 <= interval[1]:
        remark = words("strength.chance")
    return [
        _set_name(path),
        f"{row['auc']:.3f}",
        f"{interval[0]:.2f} – {interval[1]:.2f}" if interval is not None else "–",
        _count(row["genuine"]),
        _count(row["manipulated"]),
        remark,
    ]


def _count(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else printable(str(value))
