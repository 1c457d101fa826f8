"""A case record as plain data for the template: every value already written out, every text made printable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from detector.report import wording
from detector.report.attachments import Attachment
from detector.report.case_payload import case_data
from detector.report.custody_payload import check_sentence, custody_data
from detector.report.exhibit_payload import exhibit_data
from detector.report.language import Words
from detector.report.printable import SOFT_BREAK, printable, shortened
from detector.report.record import CaseRecord
from detector.report.statements_payload import notes_data, statements_data


@dataclass(slots=True)
class Payload:
    """`data` holds only dicts, lists, strings, numbers and booleans; `files` are pictures by the names `data` uses."""

    data: dict[str, Any]
    files: dict[str, bytes] = field(default_factory=dict)


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
    exhibits = [exhibit_data(entry, record, files, words, figures=figures) for entry in record.exhibits]
    data = {
        "language": words.language,
        "direction": words.direction,
        "w": words.phrases,
        **_head(record, words),
        "brief": [_brief(exhibit, words) for exhibit in exhibits],
        "exhibits": exhibits,
        "custody": custody_data(record, words),
        "statements": statements_data(record, words),
        "notes": notes_data(record, words),
        **case_data(record, attached, words),
    }
    return Payload(data, files)


def _head(record: CaseRecord, words: Words) -> dict[str, Any]:
    case = record.case
    made = record.recorded_at
    reference = case.reference or case.case_id
    title = case.title or words("report.untitled")
    commit = f" (commit {record.tool.commit[:12]})" if record.tool.commit else ""
    facts = [
        (words("fact.reference"), printable(reference)),
        (words("fact.examiner"), printable(case.examiner) if case.examiner else words("not_stated")),
        (words("fact.opened"), wording.time(case.created_at)),
        (words("fact.as_of"), wording.time(made)),
        (words("fact.exhibits"), f"{len(record.exhibits):,}"),
        (words("fact.analyses"), f"{record.analysis_count:,}"),
        (words("fact.made_with"), printable(f"{record.tool.name} {record.tool.version}{commit}")),
        (words("fact.status"), words.known(f"status.{case.status}", printable(case.status))),
        (words("fact.case_id"), printable(case.case_id)),
    ]
    return {
        "title": printable(title),
        "plain_title": shortened(title, 200).replace(SOFT_BREAK, ""),
        "short_title": shortened(title, 56),
        "brief_title": shortened(title, 110),
        "short_reference": shortened(reference, 32),
        "short_examiner": shortened(case.examiner, 48) if case.examiner else words("not_stated"),
        "plain_examiner": shortened(case.examiner, 200).replace(SOFT_BREAK, ""),
        "recorded": wording.time(made),
        "date": [made.year, made.month, made.day, made.hour, made.minute, made.second],
        "head_hash": record.log.head_hash or "",
        "check": check_sentence(record, words),
        "facts": facts,
    }


def _brief(exhibit: dict[str, Any], words: Words) -> dict[str, Any]:
    """What the first page says of an exhibit: its newest conclusion, and that there were earlier ones."""
    analyses = exhibit["analyses"]
    told = {
        "number": exhibit["number"],
        "title": words("brief.exhibit", number=exhibit["number"]),
        "name": exhibit["name"],
        "short_name": exhibit["short_name"],
        "sha256": exhibit["hashes"][0][1],
        "conclusion": None,
        "lines": [],
        "none": "",
    }
    if not analyses:
        kind = "withheld" if exhibit["withheld"] else "unreadable" if exhibit["unreadable"] else "no_analysis"
        return {**told, "none": words(f"brief.{kind}")}
    latest = analyses[-1]
    lines = [
        words("brief.analysis", record=latest["record_id"], when=latest["made"])
        if len(analyses) == 1
        else words("brief.newest", record=latest["record_id"], when=latest["made"], count=len(analyses))
    ]
    # An earlier conclusion must not vanish behind a newer one.
    lines += [
        words(
            "brief.earlier",
            record=earlier["record_id"],
            when=earlier["made"],
            label=earlier["conclusion"]["word"],
            score=earlier["conclusion"]["score"],
        )
        for earlier in analyses[:-1]
    ]
    return {**told, "conclusion": latest["conclusion"], "lines": lines}
