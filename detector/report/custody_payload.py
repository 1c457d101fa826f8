"""People's acts and statements as plain data for the templates: the custody log, opinions, ground truth, signatures,
notes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from detector.cases.blind_phase import TELLING_ACTIONS
from detector.cases.chain import PASSIVE_ACTIONS
from detector.cases.codec import canonical
from detector.cases.statements import Opinion
from detector.cases.types import Event
from detector.report import wording
from detector.report.language import Words
from detector.report.parts_payload import Facts
from detector.report.printable import printable, printable_lines, shortened
from detector.report.record import CaseRecord

_MOST_OPINION_CHARS = 900
_MOST_ROWS = 120
# What of an event's details is told, in this order, and the codes among them that have words.
_TOLD = (
    "title", "reference", "examiner", "laboratory", "client", "question", "file_name", "sha256", "size_bytes",
    "received_from", "received_how", "received_when", "description", "status", "tags", "label", "score", "verdict",
    "truth", "source", "role", "form", "language", "reason", "problem", "text",
)  # fmt: skip
_CODED = {"label": "label", "verdict": "verdict", "truth": "truth", "role": "role", "status": "status", "form": "form"}
_HASH = re.compile(r"[0-9a-f]{32,}")


@dataclass(frozen=True, slots=True)
class EventData:
    """One event of the log."""

    sequence: str
    when: str
    actor: str
    action: str
    details: str
    hash: str


@dataclass(frozen=True, slots=True)
class CustodyData:
    """The log: `events` are those that changed something, all where they are few; `statement` says which."""

    facts: Facts
    head_hash: str
    check_passed: bool
    statement: str
    events: list[EventData]


@dataclass(frozen=True, slots=True)
class OpinionData:
    """An examiner's opinion, and whether it was formed before any score was seen."""

    exhibit: str
    verdict: str
    author: str
    when: str
    how: str
    lines: list[str]


@dataclass(frozen=True, slots=True)
class TruthData:
    """The truth of an exhibit as it came to be known, and from where."""

    exhibit: str
    truth: str
    author: str
    when: str
    source: str


@dataclass(frozen=True, slots=True)
class SignatureData:
    """A signature and the place in the log that it covers."""

    role: str
    author: str
    when: str
    lines: list[str]
    log: str


@dataclass(frozen=True, slots=True)
class StatementsData:
    """Everything that was stated; `state` says whether the case is signed off."""

    opinions: list[OpinionData]
    truths: list[TruthData]
    signatures: list[SignatureData]
    state: str


@dataclass(frozen=True, slots=True)
class NoteData:
    """A note and where it belongs."""

    when: str
    author: str
    where: list[str]
    lines: list[str]


def custody_data(record: CaseRecord, words: Words) -> CustodyData:
    """The log of the case. While scores are withheld its events do not name them."""
    log = record.log
    listed = [event for event in log.events if not _tells_of_left_out(event, record)]
    if len(listed) > _MOST_ROWS // 2:
        listed = [event for event in listed if event.action not in PASSIVE_ACTIONS]
    left = listed[: _MOST_ROWS // 2] + listed[-_MOST_ROWS // 2 :] if len(listed) > _MOST_ROWS else listed
    facts = [(words("custody.events"), f"{log.event_count:,}")]
    if log.outcome is not None and log.outcome.anchored:
        facts.append((words("custody.anchor"), f"{log.outcome.anchored:,}"))
    return CustodyData(
        facts=facts,
        head_hash=log.head_hash or "",
        check_passed=bool(log.check_passed),
        statement=_statement(record, len(left), words),
        events=[_event(event, words, hidden=record.scores_withheld) for event in left],
    )


def check_sentence(record: CaseRecord, words: Words) -> str:
    """The outcome of recomputing the case, in one sentence."""
    outcome = record.log.outcome
    if outcome is None:
        return printable(record.log.check) if record.log.check else words("custody.check_none")
    counts = {
        "events": f"{outcome.events_checked:,}",
        "records": f"{outcome.records_checked:,}",
        "files": f"{outcome.files_checked:,}",
    }
    if outcome.ok:
        return words("custody.check_ok", **counts)
    return words("custody.check_bad", problem=printable(outcome.problem or ""), **counts)


def _tells_of_left_out(event: Event, record: CaseRecord) -> bool:
    """Whether an event names an exhibit that the report was not asked to cover."""
    told = canonical(event.details) if record.left_out else ""
    return any(entry.exhibit.exhibit_id in told for entry in record.left_out)


def _statement(record: CaseRecord, shown: int, words: Words) -> str:
    count = record.log.event_count
    if not count:
        return words("custody.empty")
    told = (
        words("custody.listed_all")
        if shown == count
        else words("custody.listed_left_out", count=f"{count:,}", shown=f"{shown:,}")
        if record.left_out
        else words("custody.listed_some", count=f"{count:,}", shown=f"{shown:,}")
    )
    if record.left_out:
        return f"{told} {words('custody.left_out')}"
    return f"{told} {words('custody.withheld')}" if record.scores_withheld else told


def _event(event: Event, words: Words, *, hidden: bool) -> EventData:
    details = "" if hidden and event.action in TELLING_ACTIONS else _details(event.details, words)
    return EventData(
        sequence=str(event.sequence),
        when=wording.time_in_a_row(event.at),
        actor=shortened(event.actor, 40),
        action=words.known(f"action.{event.action}", words("action.other")),
        details=details,
        hash=event.event_hash[:12],
    )


def _details(details: Mapping[str, Any], words: Words) -> str:
    """What an event tells that is of use to a reader, in words; the attached log has all of it."""
    parts = []
    for key in _TOLD:
        value = details.get(key)
        if isinstance(value, Mapping):
            value = value.get("after")
        if isinstance(value, list | tuple):
            value = ", ".join(str(one) for one in value)
        if value is None or value == "" or isinstance(value, Mapping):
            continue
        told = f"{value:.3f}" if isinstance(value, float) else str(value)
        told = words.known(f"{_CODED[key]}.{told}", told) if key in _CODED else told
        parts.append(words(f"detail.{key}", value=shortened(_HASH.sub(lambda found: found[0][:12] + "…", told), 90)))
    return "; ".join(parts)


def opinion_data(opinion: Opinion, number: str, words: Words) -> OpinionData:
    """An opinion on the exhibit of this number; a long one is cut, the attached record has it whole."""
    return OpinionData(
        exhibit=number,
        verdict=words(f"verdict.{opinion.verdict}"),
        author=shortened(opinion.author, 80),
        when=wording.time_in_a_row(opinion.created_at),
        how=words("statements.blind")
        if opinion.blind
        else words("statements.after", names=shortened(", ".join(opinion.scores_opened_by), 160)),
        lines=printable_lines(_cut(opinion.text)) if opinion.text else [],
    )


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_OPINION_CHARS else f"{text[: _MOST_OPINION_CHARS - 1]}…"


def statements_data(record: CaseRecord, words: Words) -> StatementsData:
    """Opinions, ground truth and signatures, oldest first."""
    numbers = {entry.exhibit.exhibit_id: str(entry.exhibit.number) for entry in record.exhibits}
    return StatementsData(
        opinions=[
            opinion_data(opinion, numbers.get(opinion.exhibit_id, printable(opinion.exhibit_id)), words)
            for opinion in record.opinions
        ],
        truths=[
            TruthData(
                exhibit=numbers.get(truth.exhibit_id, printable(truth.exhibit_id)),
                truth=words(f"truth.{truth.truth}"),
                author=printable(truth.author),
                when=wording.time_in_a_row(truth.created_at),
                source=printable("; ".join(filter(None, (truth.source, truth.method)))),
            )
            for truth in record.truths
        ],
        signatures=[
            SignatureData(
                role=words(f"role.{signature.role}"),
                author=printable(signature.author),
                when=wording.time_in_a_row(signature.created_at),
                lines=printable_lines(signature.statement),
                log=f"{signature.head_sequence:,} {signature.head_hash[:12]}",
            )
            for signature in record.signatures
        ],
        state=_state(record, words),
    )


def _state(record: CaseRecord, words: Words) -> str:
    sign_off = record.sign_off
    if not record.signatures or sign_off is None:
        return words("statements.no_signature")
    if sign_off.complete:
        return words("statements.complete")
    if sign_off.changed_since:
        actions = dict.fromkeys(words.known(f"action.{one}", printable(one)) for one in sign_off.changed_since)
        return words("statements.changed", changes=", ".join(actions))
    return words("statements.incomplete")


def notes_data(record: CaseRecord, words: Words) -> list[NoteData]:
    """Notes, oldest first; what was marked on a recording stands with the exhibit."""
    exhibits = {entry.exhibit.exhibit_id: entry.exhibit for entry in record.exhibits}
    told = []
    for note in record.notes:
        if note.annotation and note.exhibit_id in exhibits:
            continue
        where = [words("notes.case")]
        if (exhibit := exhibits.get(note.exhibit_id or "")) is not None:
            where = [words("notes.exhibit", number=exhibit.number)]
            if note.track_id is not None:
                where.append(words("notes.track", track=note.track_id))
            if note.pts is not None:
                at_s = float(note.pts * exhibit.evidence.video.time_base)
                where.append(f"{wording.seconds(at_s)} (PTS {note.pts})")
        told.append(
            NoteData(
                when=wording.time(note.created_at),
                author=printable(note.author) if note.author else words("not_stated"),
                where=where,
                lines=printable_lines(note.text),
            )
        )
    return told
