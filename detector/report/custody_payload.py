"""The custody log and the check of the case as plain data for the template."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from detector.cases.chain import PASSIVE_ACTIONS
from detector.cases.types import Event
from detector.report import wording
from detector.report.language import Words
from detector.report.printable import printable, shortened
from detector.report.record import CaseRecord

_MAX_DETAIL_CHARS = 240
_MOST_ROWS = 120
_HASH = re.compile(r"[0-9a-f]{32,}")


def custody_data(record: CaseRecord, words: Words) -> dict[str, Any]:
    """`rows` holds the events that changed something, all events where they are few; `statement` says which."""
    log = record.log
    listed = list(log.events)
    if len(listed) > _MOST_ROWS // 2:
        listed = [event for event in listed if event.action not in PASSIVE_ACTIONS]
    left = listed[: _MOST_ROWS // 2] + listed[-_MOST_ROWS // 2 :] if len(listed) > _MOST_ROWS else listed
    facts = [(words("custody.events"), f"{log.event_count:,}")]
    if log.outcome is not None and log.outcome.anchored:
        facts.append((words("custody.anchor"), f"{log.outcome.anchored:,}"))
    return {
        "facts": facts,
        "head_hash": log.head_hash or "",
        "check": check_sentence(record, words),
        "check_passed": bool(log.check_passed),
        "statement": _statement(record, len(left), words),
        "events": [_event(event, words, hidden=record.scores_withheld) for event in left],
    }


def check_sentence(record: CaseRecord, words: Words) -> str:
    """What recomputing the case found."""
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


def _statement(record: CaseRecord, shown: int, words: Words) -> str:
    count = record.log.event_count
    if not count:
        return words("custody.empty")
    told = (
        words("custody.listed_all")
        if shown == count
        else words("custody.listed_some", count=f"{count:,}", shown=f"{shown:,}")
    )
    return f"{told} {words('custody.withheld')}" if record.scores_withheld else told


def _event(event: Event, words: Words, *, hidden: bool) -> dict[str, str]:
    details = "" if hidden and event.action == "analysis_saved" else _details(event.details)
    return {
        "sequence": str(event.sequence),
        "when": wording.time(event.at).removesuffix(" UTC"),
        "actor": shortened(event.actor, 40),
        "action": words.known(f"action.{event.action}", shortened(event.action, 60)),
        "details": shortened(details, _MAX_DETAIL_CHARS),
        "hash": event.event_hash[:12],
    }


def _details(details: Mapping[str, Any]) -> str:
    """An event's details in one line: without empty values and inner tables, long hashes cut."""
    parts = []
    for key, value in sorted(details.items()):
        if value is None or value == "" or isinstance(value, Mapping):
            continue
        told = round(value, 4) if isinstance(value, float) else value
        parts.append(f"{key.replace('_', ' ')} {_HASH.sub(lambda found: found[0][:12] + '…', str(told))}")
    return "; ".join(parts)
