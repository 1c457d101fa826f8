"""A case record as plain data for the template: every value already written out, every text made printable."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from detector.cases.types import Event, Note
from detector.report import wording
from detector.report.analysis_payload import model_labels
from detector.report.exhibit_payload import exhibit_data
from detector.report.printable import SOFT_BREAK, printable, printable_lines, shortened
from detector.report.record import CaseRecord, ModelEntry

_MAX_DETAIL_CHARS = 240
_HASH = re.compile(r"[0-9a-f]{32,}")


@dataclass(slots=True)
class Payload:
    """`data` holds only dicts, lists, strings, numbers and booleans; `files` are pictures by the names `data` uses."""

    data: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)


def build_payload(record: CaseRecord) -> Payload:
    files: dict[str, bytes] = {}
    exhibits = [exhibit_data(entry, record, files) for entry in record.exhibits]
    return Payload({**_head(record), "exhibits": exhibits, **_closing(record)}, files)


def _head(record: CaseRecord) -> dict[str, Any]:
    case = record.case
    made = record.recorded_at
    reference = case.reference or case.case_id
    commit = f" (commit {record.tool.commit[:12]})" if record.tool.commit else ""
    facts = [
        ("Reference", printable(reference)),
        ("Examiner", printable(case.examiner) if case.examiner else "not stated"),
        ("Opened", wording.time(case.created_at)),
        ("Record as of", wording.time(made)),
        ("Exhibits", wording.number(len(record.exhibits))),
        ("Analyses", wording.number(record.analysis_count)),
        ("Made with", printable(f"{record.tool.name} {record.tool.version}{commit}")),
        ("Case id", printable(case.case_id)),
    ]
    return {
        "title": printable(case.title or "Untitled case"),
        "plain_title": shortened(case.title or "Untitled case", 200).replace(SOFT_BREAK, ""),
        "short_title": shortened(case.title or "Untitled case", 56),
        "short_reference": shortened(reference, 32),
        "plain_examiner": shortened(case.examiner, 200).replace(SOFT_BREAK, ""),
        "recorded": wording.time(made),
        "date": [made.year, made.month, made.day, made.hour, made.minute, made.second],
        "head_hash": record.log.head_hash or "",
        "facts": facts,
    }


def _closing(record: CaseRecord) -> dict[str, Any]:
    log = record.log
    labels = model_labels(record)
    return {
        "method": list(wording.METHOD),
        "not_proven": list(wording.DOES_NOT_PROVE),
        "meanings": [
            {"label": label, "word": wording.LABEL_WORDS[label], "meaning": meaning}
            for label, meaning in wording.LABEL_MEANINGS.items()
        ],
        "models": [_model(entry, labels) for entry in record.models],
        "notes": [_note(note, record) for note in record.notes],
        "log": {
            "events": [_event(event) for event in log.events],
            "statement": _log_statement(record),
            "head_hash": log.head_hash or "",
            "check": printable(log.check) if log.check else "",
            "check_passed": log.check_passed,
        },
    }


def _log_statement(record: CaseRecord) -> str:
    log = record.log
    if not log.event_count:
        return "The log of this case holds no event."
    shown = (
        "all of them are listed" if len(log.events) == log.event_count else f"the newest {len(log.events)} are listed"
    )
    count = wording.count(log.event_count, "event")
    return f"The log holds {count}; {shown}, in short. The case export holds them in full."


def _model(entry: ModelEntry, labels: dict[tuple[str, str], str]) -> dict[str, Any]:
    rows = [("Model id", printable(entry.model_id)), ("Weights SHA-256", entry.weights_sha256)]
    card = entry.card
    if card is not None:
        crop = card.crop
        rows += [
            ("Kind", printable(f"{card.kind}; {card.parameters:,} parameters")),
            (
                "Input",
                f"crop {crop.size_px} × {crop.size_px} px, margin {crop.margin:g} of the face, alignment "
                f"{crop.alignment}, {crop.interpolation} interpolation",
            ),
            (
                "Thresholds",
                f"likely manipulated from logit {wording.logit(card.decision.likely_manipulated_logit)}, no "
                f"manipulation found up to {wording.logit(card.decision.no_manipulation_logit)}",
            ),
            ("Basis of thresholds", printable(card.decision.basis)),
        ]
        rows += [(f"Training: {_key(key)}", _fact(value)) for key, value in card.training.items()]
        rows += [(f"Measured: {_key(key)}", _fact(value)) for key, value in card.results.items()]
        rows.append(("Licence", printable(card.licence)))
    return {
        "label": labels[entry.model_id, entry.weights_sha256],
        "title": printable(card.title if card else entry.model_id),
        "rows": rows,
        "limits": [printable(limit) for limit in card.limits] if card else [],
        "problem": printable(entry.problem) if entry.problem else "",
    }


def _key(key: str) -> str:
    return printable(key.replace("_", " "))


def _fact(value: object) -> str:
    if isinstance(value, bool | int | float):
        return wording.number(value)
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return "; ".join(f"{printable(str(key))}: {_fact(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_fact(inner) for inner in value)
    return printable(json.dumps(value, ensure_ascii=False, sort_keys=True, default=str))


def _note(note: Note, record: CaseRecord) -> dict[str, Any]:
    where = "case"
    for entry in record.exhibits:
        if entry.exhibit.exhibit_id == note.exhibit_id:
            where = f"exhibit {entry.exhibit.number}"
            if note.track_id is not None:
                where += f", track {note.track_id}"
            if note.pts is not None:
                at_s = float(note.pts * entry.exhibit.evidence.video.time_base)
                where += f", {wording.seconds(at_s)} (PTS {note.pts})"
    return {
        "when": wording.time(note.created_at),
        "author": printable(note.author) if note.author else "not stated",
        "where": where,
        "lines": printable_lines(note.text),
    }


def _event(event: Event) -> dict[str, Any]:
    return {
        "sequence": str(event.sequence),
        "when": wording.time(event.at).removesuffix(" UTC"),
        "actor": shortened(event.actor, 40),
        "action": shortened(event.action, 60),
        "details": shortened(_details(event.details), _MAX_DETAIL_CHARS),
        "hash": event.event_hash[:12],
    }


def _details(details: Mapping[str, Any]) -> str:
    """An event's details in one line: without empty values and inner tables, long hashes cut."""
    parts = []
    for key, value in sorted(details.items()):
        if value is None or value == "" or isinstance(value, Mapping):
            continue
        words = round(value, 4) if isinstance(value, float) else value
        parts.append(f"{key.replace('_', ' ')} {_HASH.sub(lambda found: found[0][:12] + '…', str(words))}")
    return "; ".join(parts)
