"""The check of a report against what it was when made: its signature, attachments, the hashes in its text, the store.

What each check can say is told with it. Without a signature nothing vouches for the words on the page; the attachments
are then still held against the hashes that the page prints, and against the case store where one is at hand.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from detector.cases.chain import chain_problem
from detector.cases.types import Event
from detector.errors import SettingsError, StoreError
from detector.report.attachments import LOG_NAME, RECORD_FORMAT, RECORD_NAME
from detector.report.signing import SignatureFinding, check_signatures

if TYPE_CHECKING:
    from asn1crypto.x509 import Certificate

    from detector.cases import CaseStore

_MOST_TEXT_PAGES = 2_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: `ok` None where it could not be made or says neither."""

    code: str
    ok: bool | None
    text: str


@dataclass(frozen=True, slots=True)
class ReportCheck:
    """Everything that was checked, in order. `case_id` is None where the file is no report of this program."""

    findings: tuple[Finding, ...]
    case_id: str | None = None

    @property
    def ok(self) -> bool:
        """Whether no check failed; those that could not be made do not count."""
        return all(finding.ok is not False for finding in self.findings)


def check_report(pdf: bytes, *, store: CaseStore | None = None, roots: Iterable[Certificate] = ()) -> ReportCheck:
    """Check a report, with the case store it came from where that is given. Raises SettingsError for what is no PDF."""
    findings = list(_signature_findings(check_signatures(pdf, roots)))
    attached = read_attachments(pdf)
    record = _record(attached)
    if record is None:
        findings.append(Finding("record", False, f"The file carries no readable {RECORD_NAME} of this program."))
        return ReportCheck(tuple(findings))
    findings += _attachment_findings(attached, record, _text(pdf))
    findings += _log_findings(attached, record)
    findings += _store_findings(attached, record, store)
    return ReportCheck(tuple(findings), str(record["case"]["case_id"]))


def read_attachments(pdf: bytes) -> dict[str, bytes]:
    """The embedded files of a PDF by name. Raises SettingsError for what is no PDF."""
    import pikepdf

    try:
        with pikepdf.open(io.BytesIO(pdf)) as document:
            return {name: spec.get_file().read_bytes() for name, spec in document.attachments.items()}
    except pikepdf.PdfError as error:
        raise SettingsError(f"The file is no readable PDF: {error}") from error


def _text(pdf: bytes) -> str:
    """All text of the pages without white space: a hash that runs over a line is one again."""
    from pypdf import PdfReader

    pages = PdfReader(io.BytesIO(pdf)).pages[:_MOST_TEXT_PAGES]
    return re.sub(r"\s+", "", "".join(page.extract_text() for page in pages))


def _record(attached: Mapping[str, bytes]) -> dict[str, Any] | None:
    try:
        record = json.loads(attached[RECORD_NAME])
        known = record["format"] == RECORD_FORMAT and isinstance(record["attached"], dict) and record["case"]["case_id"]
    except (KeyError, TypeError, ValueError):
        return None
    return record if known else None


def _signature_findings(found: tuple[SignatureFinding, ...]) -> Iterator[Finding]:
    if not found:
        text = "The file carries no digital signature, so nothing vouches for the words on its pages."
        yield Finding("signature", None, text)
    for one in found:
        name = f"{one.field} by {one.signer or 'an unnamed signer'}"
        if not one.intact:
            yield Finding("signature", False, f"{name} does not fit the signed bytes. {one.problem}".strip())
        elif not one.whole:
            yield Finding("signature", False, f"{name} is intact, but the file was changed after it.")
        else:
            stamp = f", time stamp of {one.stamped_at.isoformat()}" if one.stamped_at else ", without a time stamp"
            yield Finding("signature", True, f"{name} is intact and covers the file{stamp}.")
        if one.trusted is None:
            text = "Whether the signer is to be trusted was not checked: no root certificate was given."
            yield Finding("trust", None, text)
        else:
            ends = "ends" if one.trusted else "does not end"
            yield Finding("trust", one.trusted, f"The signer's chain {ends} in a given root certificate.")


def _attachment_findings(attached: Mapping[str, bytes], record: Mapping[str, Any], text: str) -> Iterator[Finding]:
    listed: dict[str, str] = {str(name): str(sha256) for name, sha256 in record["attached"].items()}
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in attached.items()}
    printed = hashes[RECORD_NAME] in text
    said = "is the one printed on the pages" if printed else "is not printed on the pages: it was exchanged"
    yield Finding("record", printed, f"The SHA-256 of {RECORD_NAME} {said}.")
    for name, expected in listed.items():
        if name not in hashes:
            yield Finding("attachment", False, f"{name} is listed in {RECORD_NAME} but is not in the file.")
        elif hashes[name] != expected:
            yield Finding("attachment", False, f"{name} is not the file that {RECORD_NAME} lists: it was exchanged.")
        elif record.get("form") == "full" and hashes[name] not in text:
            yield Finding("attachment", False, f"The SHA-256 of {name} is not printed on the pages.")
        else:
            yield Finding("attachment", True, f"{name} agrees with its SHA-256.")
    for name in sorted(set(hashes) - set(listed) - {RECORD_NAME}):
        yield Finding("attachment", False, f"{name!r} was added: {RECORD_NAME} does not list it.")
    head = record.get("head_hash")
    if head:
        found = str(head) in text
        said = "is" if found else "is not"
        yield Finding("head", found, f"The head of the custody log in {RECORD_NAME} {said} the one on the pages.")


def _log_findings(attached: Mapping[str, bytes], record: Mapping[str, Any]) -> Iterator[Finding]:
    if LOG_NAME not in attached:
        yield Finding("log", None, "No custody log is attached, so it was not recomputed.")
        return
    try:
        events = [
            Event(**{**event, "at": datetime.fromisoformat(event["at"])}) for event in json.loads(attached[LOG_NAME])
        ]
        problem = chain_problem(events)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        yield Finding("log", False, f"The attached custody log has another form than expected: {error!r}.")
        return
    if problem is None and (not events or events[-1].event_hash != record.get("head_hash")):
        problem = "Its newest event is not the head that the report names."
    text = problem or f"All {len(events):,} events of the attached custody log follow from one another."
    yield Finding("log", problem is None, text if problem is None else f"The attached custody log: {problem}")


def _store_findings(
    attached: Mapping[str, bytes], record: Mapping[str, Any], store: CaseStore | None
) -> Iterator[Finding]:
    case_id = str(record["case"]["case_id"])
    if store is None:
        yield Finding("store", None, "No case store was at hand to hold the report against.")
        return
    try:
        events = store.events(store.case(case_id).case_id)
    except StoreError:
        yield Finding("store", None, f"The case store at hand holds no case {case_id}.")
        return
    head = record.get("head_hash")
    known = any(event.event_hash == head for event in events)
    said = "is" if known else "is not"
    yield Finding("store", known, f"The head that the report prints {said} in the log of the case store.")
    for exhibit in record.get("exhibits", ()):
        for analysis in exhibit.get("analyses", ()):
            yield _analysis_finding(attached, analysis, store)


def _analysis_finding(attached: Mapping[str, bytes], analysis: Mapping[str, Any], store: CaseStore) -> Finding:
    record_id, name = str(analysis.get("record_id")), str(analysis.get("attached"))
    try:
        kept = {one.kind: one.sha256 for one in store.record(record_id).artefacts}
    except StoreError:
        return Finding("store", False, f"The case store holds no analysis {record_id}.")
    same = hashlib.sha256(attached.get(name, b"")).hexdigest() == kept.get("analysis")
    said = "is" if same else "is not"
    return Finding("store", same, f"{name} {said} the analysis {record_id} that the case store keeps.")
