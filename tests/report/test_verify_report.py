"""Reports that lie beside an exported case are held against its log by the verifier that stands alone."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pikepdf

from detector.cases.verify_case import report_problem
from detector.report.attachments import attachments_of
from detector.report.language import words_of
from detector.report.record import CaseRecord
from detector.report.typeset import typeset


def test_a_report_is_known_by_its_hash_and_its_attachments_by_theirs(full_record: CaseRecord, tmp_path: Path) -> None:
    pdf = typeset(full_record, form="short")
    attached = {one.name: one for one in attachments_of(full_record, "short", words_of("en"))}
    kept = {
        name.replace("analysis-", "analyses/"): (one.sha256, len(one.content))
        for name, one in attached.items()
        if name.startswith("analysis-")
    }
    assert kept
    path = tmp_path / "report.pdf"

    def problem(content: bytes, manifest: dict[str, tuple[str, int]] = kept, *, logged: bool = True) -> str | None:
        path.write_bytes(content)
        return report_problem(str(path), {hashlib.sha256(content).hexdigest()} if logged else {"0" * 64}, manifest)

    assert problem(pdf) is None
    assert "no report that the log names" in str(problem(pdf, logged=False))
    other = {name: ("0" * 64, size) for name, (_, size) in kept.items()}
    assert "is not the case's" in str(problem(pdf, other))
    with pikepdf.open(io.BytesIO(pdf)) as document:
        document.attachments["frame-scores.csv"] = b"exchanged"
        exchanged = io.BytesIO()
        document.save(exchanged)
    assert "'frame-scores.csv' is not the file" in str(problem(exchanged.getvalue()))
    assert "no record.json" in str(problem(b"%PDF-1.7\n%%EOF"))
