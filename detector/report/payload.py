"""A case record as plain data for the templates: every value already written out, every text made printable."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from detector.analysis.types import Label
from detector.faces.types import PLACES, CropSpec
from detector.measurement.thresholds import Thresholds
from detector.report import wording
from detector.report.analysis_payload import model_labels
from detector.report.attachments import Attachment
from detector.report.cover_payload import BriefData, CoverData, brief_data, cover_data
from detector.report.custody_payload import (
    CustodyData,
    NoteData,
    StatementsData,
    check_sentence,
    custody_data,
    notes_data,
    statements_data,
)
from detector.report.exhibit_payload import MOST_NAME_CHARS, ExhibitData, exhibit_data
from detector.report.glossary import glossary
from detector.report.language import Words
from detector.report.parts_payload import Facts
from detector.report.printable import SOFT_BREAK, printable, shortened
from detector.report.record import CaseRecord, ModelEntry
from detector.report.strength_payload import MeasuredData

_LABELS: tuple[Label, ...] = ("likely_manipulated", "no_manipulation_found", "inconclusive", "not_examined")
_METHOD = tuple(f"method.p{number}" for number in range(1, 6))
_LIMITS = tuple(f"limits.{number}" for number in range(1, 7))
_REFERENCES = tuple(f"references.{number}" for number in range(1, 10))
_ALTERNATIVES = tuple(f"alternatives.{number}" for number in range(1, 7))
_MOST_TRAINING = 6


@dataclass(frozen=True, slots=True)
class MeaningData:
    """A conclusion's word and what it means."""

    label: str
    word: str
    meaning: str


@dataclass(frozen=True, slots=True)
class ModelData:
    """A model as its card describes it, or in `problem` why there is no card."""

    label: str
    title: str
    rows: Facts
    limits: list[str]
    problem: str


@dataclass(frozen=True, slots=True)
class SettingsData:
    """The settings of analyses: `used` says of which exhibits."""

    used: str
    facts: Facts
    sha256: str


@dataclass(frozen=True, slots=True)
class AttachedData:
    """A file inside the PDF."""

    name: str
    mime: str
    relationship: str
    description: str
    sha256: str
    size: str


@dataclass(frozen=True, slots=True)
class ReportData:
    """Everything that a template prints. `w` are the fixed phrases by key, `date` the record's time from year to
    second; titles and names stand whole, cut, and `plain` of the soft breaks that metadata cannot hold."""

    language: str
    direction: str
    w: dict[str, str]
    title: str
    plain_title: str
    short_title: str
    brief_title: str
    short_reference: str
    short_examiner: str
    plain_examiner: str
    recorded: str
    covered: str
    date: list[int]
    head_hash: str
    check: str
    facts: Facts
    about: Facts
    cover: CoverData
    brief: list[BriefData]
    exhibits: list[ExhibitData]
    custody: CustodyData
    statements: StatementsData
    notes: list[NoteData]
    meanings: list[MeaningData]
    method: list[str]
    models: list[ModelData]
    measured: list[MeasuredData]
    settings: list[SettingsData]
    glossary: Facts
    references: list[str]
    alternatives: list[str]
    cue_causes: list[str]
    limits: list[str]
    commands: Facts
    attached: list[AttachedData]


@dataclass(frozen=True, slots=True)
class Payload:
    """The data that a template prints, and the pictures by the names that it uses."""

    data: ReportData
    files: dict[str, bytes]


def build_payload(
    record: CaseRecord,
    words: Words = wording.ENGLISH,
    attached: Sequence[Attachment] = (),
    *,
    figures: bool = True,
) -> Payload:
    """Everything that either form prints, in the given language; `attached` are the files inside the PDF. Without
    `figures` none is drawn: the short form of a case with several exhibits shows none."""
    files: dict[str, bytes] = {}
    case, made = record.case, record.recorded_at
    reference = case.reference or case.case_id
    title = case.title or words("report.untitled")
    exhibits = [exhibit_data(entry, record, files, words, figures=figures) for entry in record.exhibits]
    labels = model_labels(record)
    analyses = [one.analysis for entry in record.exhibits for one in entry.analyses]
    cues = sorted({cue.cue for analysis in analyses for model in analysis.models for cue in model.specialists})
    data = ReportData(
        language=words.language,
        direction=words.direction,
        w=words.phrases,
        title=shortened(title, MOST_NAME_CHARS),
        plain_title=shortened(title, 200).replace(SOFT_BREAK, ""),
        short_title=shortened(title, 56),
        brief_title=shortened(title, 110),
        short_reference=shortened(reference, 32),
        short_examiner=shortened(case.examiner, 48) if case.examiner else words("not_stated"),
        plain_examiner=shortened(case.examiner, 200).replace(SOFT_BREAK, ""),
        recorded=wording.time(made),
        covered=_exhibits_covered(record, words),
        date=[made.year, made.month, made.day, made.hour, made.minute, made.second],
        head_hash=record.log.head_hash or "",
        check=check_sentence(record, words),
        facts=_facts(record, reference, words),
        about=_about(record, words),
        cover=cover_data(record, exhibits, words),
        brief=[
            brief_data(entry, exhibit, record, words) for entry, exhibit in zip(record.exhibits, exhibits, strict=True)
        ],
        exhibits=exhibits,
        custody=custody_data(record, words),
        statements=statements_data(record, words),
        notes=notes_data(record, words),
        meanings=[MeaningData(label, words(f"label.{label}"), words(f"meaning.{label}")) for label in _LABELS],
        method=[words(key) for key in _METHOD],
        models=[_model(entry, labels, words) for entry in record.models],
        measured=_measured(exhibits),
        settings=_settings(exhibits, words),
        glossary=[(term.word, term.text) for term in glossary(words)],
        references=[words(key) for key in _REFERENCES],
        alternatives=[words(key) for key in _ALTERNATIVES],
        cue_causes=[
            words("alternatives.cue", cue=words(f"cue.{cue}"), causes=words(f"cue.{cue}.innocent")) for cue in cues
        ],
        limits=[words(key) for key in _LIMITS],
        commands=_commands(record, words),
        attached=[
            AttachedData(
                name=one.name,
                mime=one.mime_type,
                relationship=one.relationship,
                description=one.description,
                sha256=one.sha256,
                size=wording.size(len(one.content), words),
            )
            for one in attached
        ],
    )
    return Payload(data, files)


def _facts(record: CaseRecord, reference: str, words: Words) -> Facts:
    """What stands at the head of the first page."""
    case = record.case
    return [
        (words("fact.laboratory"), shortened(case.laboratory, 90) if case.laboratory else words("not_stated")),
        (words("fact.reference"), shortened(reference, 90)),
        (words("fact.client"), shortened(case.client, 90) if case.client else words("not_stated")),
        (words("fact.examiner"), shortened(case.examiner, 90) if case.examiner else words("not_stated")),
        (words("fact.exhibits"), _exhibits_covered(record, words)),
        (words("fact.as_of"), wording.time(record.recorded_at)),
    ]


def _about(record: CaseRecord, words: Words) -> Facts:
    """What else is on record of the case."""
    case = record.case
    commit = f" (commit {record.tool.commit[:12]})" if record.tool.commit else ""
    return [
        (words("fact.opened"), wording.time(case.created_at)),
        (words("fact.status"), words.known(f"status.{case.status}", printable(case.status))),
        (words("fact.analyses"), f"{record.analysis_count:,}"),
        (words("fact.made_with"), printable(f"{record.tool.name} {record.tool.version}{commit}")),
        (words("fact.case_id"), printable(case.case_id)),
    ]


def _measured(exhibits: Sequence[ExhibitData]) -> list[MeasuredData]:
    """What was measured of each model that decides, once."""
    found: list[MeasuredData] = []
    for exhibit in exhibits:
        for one in exhibit.analyses[-1].strength.models if exhibit.analyses else ():
            if one not in found:
                found.append(one)
    return found


def _settings(exhibits: Sequence[ExhibitData], words: Words) -> list[SettingsData]:
    """The settings of the newest analyses, each once."""
    numbers: dict[str, list[str]] = {}
    facts: dict[str, Facts] = {}
    for exhibit in exhibits:
        for one in exhibit.analyses[-1:]:
            numbers.setdefault(one.settings_sha256, []).append(exhibit.number)
            facts[one.settings_sha256] = one.settings
    return [
        SettingsData(words("settings.used", exhibits=", ".join(of)), facts[sha256], sha256)
        for sha256, of in numbers.items()
    ]


def _exhibits_covered(record: CaseRecord, words: Words) -> str:
    """How many exhibits the report covers, and of how many where it was asked for some only."""
    if not record.left_out:
        return f"{len(record.exhibits):,}"
    count = len(record.exhibits) + len(record.left_out)
    numbers = ", ".join(str(entry.exhibit.number) for entry in record.exhibits)
    return words("fact.exhibits_chosen", shown=len(record.exhibits), count=count, numbers=numbers)


def _commands(record: CaseRecord, words: Words) -> Facts:
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


def _input(crop: CropSpec, words: Words) -> str:
    if crop.alignment == "native":
        return words("model.input_native", count=len(PLACES), size=crop.size_px)
    return words(
        "model.input_value",
        size=crop.size_px,
        margin=f"{crop.margin:g}",
        alignment=crop.alignment,
        interpolation=crop.interpolation,
    )


def _model(entry: ModelEntry, labels: dict[tuple[str, str], str], words: Words) -> ModelData:
    rows: Facts = [(words("model.id"), printable(entry.model_id)), (words("model.weights"), entry.weights_sha256)]
    card = entry.card
    if entry.standing is not None:
        rows.append((words("model.standing"), words(f"model.standing_{entry.standing}")))
    if card is not None:
        kind = words("model.kind_value", kind=printable(card.kind), count=f"{card.parameters:,}")
        rows += [
            (words("model.kind"), kind),
            (words("model.input"), _input(card.crop, words)),
            (
                words("model.thresholds"),
                words(
                    "model.thresholds_value",
                    high=wording.logit(card.thresholds.likely_manipulated_logit),
                    low=wording.logit(card.thresholds.no_manipulation_logit),
                ),
            ),
            *_within_tracks(card.thresholds, words),
            (words("model.basis"), shortened(card.thresholds.basis, 600)),
            (words("model.licence"), printable(card.licence)),
        ]
        if training := _training(card.training):
            rows.append((words("model.training"), training))
    return ModelData(
        label=labels[entry.model_id, entry.weights_sha256],
        title=shortened(card.title if card else entry.model_id, 120),
        rows=[*rows[:2], (words("model.title"), shortened(card.title, 160)), *rows[2:]] if card else rows,
        limits=[printable(limit) for limit in card.limits] if card else [],
        problem=words("model.no_card", problem=printable(entry.problem)) if entry.problem else "",
    )


def _within_tracks(thresholds: Thresholds, words: Words) -> Facts:
    """The levels for parts of a track, where the card has them."""
    said = []
    if thresholds.run_logit is not None:
        said.append(words("model.within_run", run=wording.logit(thresholds.run_logit)))
    if thresholds.peak_logit is not None:
        said.append(words("model.within_peak", peak=wording.logit(thresholds.peak_logit)))
    return [(words("model.within"), "; ".join(said))] if said else []


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
