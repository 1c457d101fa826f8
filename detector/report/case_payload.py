"""What holds for the whole case as plain data for the template: question, method, models, causes, limits, replay."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from detector.analysis.types import Label
from detector.report import wording
from detector.report.analysis_payload import model_labels
from detector.report.attachments import Attachment
from detector.report.language import Words
from detector.report.printable import printable, shortened
from detector.report.record import CaseRecord, ModelEntry

_LABELS: tuple[Label, ...] = ("likely_manipulated", "no_manipulation_found", "inconclusive", "not_examined")
_METHOD = tuple(f"method.p{number}" for number in range(1, 6))
_LIMITS = tuple(f"limits.{number}" for number in range(1, 7))
_ALTERNATIVES = tuple(f"alternatives.{number}" for number in range(1, 7))
_MOST_TRAINING = 6


def case_data(record: CaseRecord, attached: Sequence[Attachment], words: Words) -> dict[str, Any]:
    labels = model_labels(record)
    cues = sorted(
        {
            cue.cue
            for entry in record.exhibits
            for one in entry.analyses
            for model in one.analysis.models
            for cue in model.specialists
        }
    )
    return {
        "meanings": [
            {"label": label, "word": words(f"label.{label}"), "meaning": words(f"meaning.{label}")} for label in _LABELS
        ],
        "method": [words(key) for key in _METHOD],
        "models": [_model(entry, labels, words) for entry in record.models],
        "alternatives": [words(key) for key in _ALTERNATIVES],
        "cue_causes": [
            words("alternatives.cue", cue=f"{cue} {words(f'cue.{cue}')}", causes=words(f"cue.{cue}.innocent"))
            for cue in cues
        ],
        "limits": [words(key) for key in _LIMITS],
        "commands": _commands(record, words),
        "attached": [
            {
                "name": one.name,
                "mime": one.mime_type,
                "relationship": one.relationship,
                "description": one.description,
                "sha256": one.sha256,
                "size": wording.size(len(one.content), words),
            }
            for one in attached
        ],
    }


def _commands(record: CaseRecord, words: Words) -> list[tuple[str, str]]:
    """Command lines for another examiner; nothing from outside stands in them but the case's id and model ids."""
    models = dict.fromkeys(model.model_id for model in record.models)
    named = f" --models {','.join(models)}" if models else ""
    head = f" --head {record.log.head_hash}" if record.log.head_hash else ""
    return [
        (words("repro.replay"), "python -m detector replay BUNDLE.zip"),
        (words("repro.analyse"), shortened(f"python -m detector analyze FILE{named}", 400)),
        (words("repro.verify_case"), f"python -m detector cases verify {record.case.case_id}{head}"),
        (words("repro.verify_report"), "python -m detector report --verify REPORT.pdf"),
    ]


def _model(entry: ModelEntry, labels: dict[tuple[str, str], str], words: Words) -> dict[str, Any]:
    rows = [(words("model.id"), printable(entry.model_id)), (words("model.weights"), entry.weights_sha256)]
    card = entry.card
    if card is not None:
        crop = card.crop
        rows += [
            (
                words("model.kind"),
                words("model.kind_value", kind=printable(card.kind), count=f"{card.parameters:,}"),
            ),
            (
                words("model.input"),
                words(
                    "model.input_value",
                    size=crop.size_px,
                    margin=f"{crop.margin:g}",
                    alignment=crop.alignment,
                    interpolation=crop.interpolation,
                ),
            ),
            (
                words("model.thresholds"),
                words(
                    "model.thresholds_value",
                    high=wording.logit(card.thresholds.likely_manipulated_logit),
                    low=wording.logit(card.thresholds.no_manipulation_logit),
                ),
            ),
            (words("model.basis"), shortened(card.thresholds.basis, 600)),
            (words("model.licence"), printable(card.licence)),
        ]
        if training := _training(card.training):
            rows.append((words("model.training"), training))
    return {
        "label": labels[entry.model_id, entry.weights_sha256],
        "title": shortened(card.title if card else entry.model_id, 120),
        "rows": rows,
        "limits": [printable(limit) for limit in card.limits] if card else [],
        "problem": words("model.no_card", problem=printable(entry.problem)) if entry.problem else "",
    }


def _training(training: dict[str, Any]) -> str:
    """The plain facts of a card's training table; nested tables stay on the card."""
    facts = [
        f"{key.replace('_', ' ')}: {wording.number(value) if isinstance(value, int | float) else value}"
        for key, value in training.items()
        if isinstance(value, str | int | float) and not key.endswith("sha256")
    ]
    lists = [
        f"{key.replace('_', ' ')}: {json.dumps(value, ensure_ascii=False)[:120]}"
        for key, value in training.items()
        if isinstance(value, list) and len(facts) < _MOST_TRAINING
    ]
    return shortened("; ".join((facts + lists)[:_MOST_TRAINING]), 500)
