"""The record of a validation as a PDF/A, by the same templates, fonts and languages as the case report."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from typing import Final, get_args

from detector.report.attachments import Attachment
from detector.report.language import Words, words_of
from detector.report.printable import SOFT_BREAK, printable
from detector.report.typeset import STANDARDS, compile_pages, packed
from detector.validation.documents import PARTS, Criterion, Measure, SuiteFacts, ValidationRecord, figure_text

_LIMITS: Final = tuple(f"validation.limit.{number}" for number in range(1, 5))
_MOST_DETAILS, _MOST_INVERTED, _MOST_MISSED = 6, 12, 6
_NONE: Final = "–"
Facts = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class RowData:
    """A criterion, written out; `reason` is a key or empty."""

    measure: str
    subject: str
    source: str
    expected: str
    found: str
    verdict: str
    reason: str
    detail: list[str]


@dataclass(frozen=True, slots=True)
class PartData:
    """A part with its verdict, its counts and the criteria that are not met, or with its rows."""

    part: str
    verdict: str = ""
    counts: str = ""
    missed: tuple[str, ...] = ()
    rows: tuple[RowData, ...] = ()


@dataclass(frozen=True, slots=True)
class SuiteData:
    """A suite's numbers in words."""

    part: str
    location: str
    files: str
    list_sha256: str
    lines: list[str]


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model that was run."""

    model: str
    weights: str
    calibration: str
    standing: str


@dataclass(frozen=True, slots=True)
class PdfData:
    """Everything that the template prints; `w`, `date`, `plain_*` and `recorded` as in `report.payload.ReportData`."""

    language: str
    direction: str
    w: dict[str, str]
    plain_title: str
    plain_examiner: str
    recorded: str
    date: list[int]
    head_hash: str
    program: str
    result: str
    counts: str
    facts: Facts
    hashes: Facts
    parts: list[PartData]
    inverted: list[str]
    rules: list[str]
    expected_from: str
    groups: list[PartData]
    suites: list[SuiteData]
    models: list[ModelRow]
    environment: Facts
    limits: list[str]
    record_sha256: str
    attached: list[dict[str, str]]


def validation_pdf(record: ValidationRecord, content: bytes, *, measured_on: str = "", language: str = "en") -> bytes:
    """The record with its JSON, `content`, attached. `measured_on` says what the expected figures were measured with.

    Equal records give equal bytes. Raises SettingsError for a language that reports are not written in."""
    words = words_of(language)
    attached = Attachment("validation.json", "application/json", "source", words("validation.name"), content)
    data = _data(record, attached, measured_on, words)
    stamp = int(record.finished_at.timestamp())
    pages = compile_pages("validation", asdict(data), {}, [attached], "pdf", pdf_standards=STANDARDS, timestamp=stamp)
    return packed(pages[0]).content


def _data(record: ValidationRecord, attached: Attachment, measured_on: str, words: Words) -> PdfData:
    at = record.finished_at
    examiner = printable(record.examiner) if record.examiner else words("validation.unnamed")
    record_sha256 = hashlib.sha256(attached.content).hexdigest()
    return PdfData(
        language=words.language,
        direction=words.direction,
        w=words.phrases,
        plain_title=words("validation.title"),
        plain_examiner=printable(record.examiner).replace(SOFT_BREAK, ""),
        recorded=f"{at:%Y-%m-%d %H:%M:%S} UTC",
        date=[at.year, at.month, at.day, at.hour, at.minute, at.second],
        head_hash="",
        program=printable(record.program),
        result=record.result,
        counts=_counts(words, record),
        facts=[
            (words("fact.examiner"), examiner),
            (words("validation.program"), printable(record.program)),
            (words("validation.begun"), f"{record.begun_at:%Y-%m-%d %H:%M:%S}"),
            (words("validation.finished"), f"{at:%Y-%m-%d %H:%M:%S}"),
            (words("validation.criteria_version"), words("validation.version", version=record.criteria_version)),
            (words("validation.commit"), (record.commit or _NONE)[:12]),
        ],
        hashes=[
            (words("validation.code"), record.code_sha256),
            (words("validation.settings"), record.settings_sha256),
            (words("validation.criteria_sha256"), record.criteria_sha256),
            (words("validation.record_sha256"), record_sha256),
            (words("validation.scores_sha256"), record.scores_sha256),
        ],
        parts=[
            PartData(
                part.part,
                part.verdict,
                words("validation.counts", passed=part.passed, failed=part.failed, unchecked=part.not_checked),
                _missed([row for row in record.criteria if row.part == part.part], words),
            )
            for part in record.parts
        ],
        inverted=_inverted(record, words),
        rules=[rule for rule in get_args(Measure) if any(row.measure == rule for row in record.criteria)],
        expected_from=words("validation.expected_from", program=measured_on or record.program),
        groups=_groups(record, words),
        suites=[_suite(suite, words) for suite in record.suites],
        models=[
            ModelRow(printable(one.model_id), one.weights_sha256, printable(one.calibration_set or _NONE), one.standing)
            for one in record.models
        ],
        environment=[(printable(name), printable(value)) for name, value in record.environment.items()],
        limits=[words(key) for key in _LIMITS],
        record_sha256=record_sha256,
        attached=[
            {
                "name": attached.name,
                "mime": attached.mime_type,
                "relationship": attached.relationship,
                "description": attached.description,
            }
        ],
    )


def _counts(words: Words, record: ValidationRecord) -> str:
    passed, failed, unchecked = (
        sum(getattr(part, name) for part in record.parts) for name in ("passed", "failed", "not_checked")
    )
    return words("validation.counts", passed=passed, failed=failed, unchecked=unchecked)


def _groups(record: ValidationRecord, words: Words) -> list[PartData]:
    own = {part: [row for row in record.criteria if row.part == part] for part in PARTS}
    return [replace(PartData(part), rows=tuple(_row(row, words) for row in rows)) for part, rows in own.items() if rows]


def _missed(rows: list[Criterion], words: Words) -> tuple[str, ...]:
    """The first criteria that are not met, and how many more there are."""
    wrong = [row for row in rows if row.verdict == "fail"]
    said = words("validation.verdict.fail")
    lines = [
        f"{said}: {words(f'validation.measure.{row.measure}')} {printable(row.subject or _NONE)}"
        for row in wrong[:_MOST_MISSED]
    ]
    if more := len(wrong) - len(lines):
        lines.append(words("validation.more", count=more))
    return tuple(lines)


def _source(row: Criterion, words: Words) -> str:
    """What the expected figure was measured on, in words."""
    if not row.source:
        return words("validation.standing.shipped") if row.part == "synthesised_suite" else ""
    if row.measure != "auc":
        return f"{words('validation.calibration')}: {printable(row.source)}"
    return words(f"validation.source.{'calibration_videos' if row.source.startswith('calibration') else 'videos'}")


def _row(row: Criterion, words: Words) -> RowData:
    details = [printable(line) for line in row.detail[:_MOST_DETAILS]]
    if more := len(row.detail) - len(details):
        details.append(words("validation.more", count=more))
    expected = figure_text(row.measure, row.expected)
    if row.measure == "sample_scores":
        expected = words("validation.at_most", value=f"{row.expected.value:g}")
    return RowData(
        row.measure,
        printable(row.subject) if row.subject else "",
        _source(row, words),
        expected,
        figure_text(row.measure, row.found),
        row.verdict,
        row.reason or "",
        details,
    )


def _inverted(record: ValidationRecord, words: Words) -> list[str]:
    lines = [
        " · ".join(filter(None, (printable(row.model), row.dimension, printable(row.name) if row.name else "")))
        + f": {figure_text('auc', row.auc)}"
        for row in record.inverted[:_MOST_INVERTED]
    ]
    if more := len(record.inverted) - len(lines):
        lines.append(words("validation.more", count=more))
    return lines


def _suite(suite: SuiteFacts, words: Words) -> SuiteData:
    lines = []
    if suite.identical_to_shipped is not None:
        lines.append(words("validation.identical", same=suite.identical_to_shipped, count=len(suite.files)))
    if unscored := sum(one.problem is not None for one in suite.files):
        lines.append(words("validation.unscored", count=unscored))
    return SuiteData(
        suite.part,
        printable(suite.location) if suite.location else "",
        words("validation.suite_line", real=suite.n_real, fake=suite.n_fake),
        suite.list_sha256,
        lines,
    )
