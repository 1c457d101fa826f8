"""A signature holds what it signed, a later change shows, and a check says what it could not check."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pikepdf
import pytest
from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12

from detector.cases.codec import digest
from detector.cases.time_authority import read_roots, time_stamper
from detector.errors import SettingsError
from detector.report.attachments import FRAMES_NAME, LOG_NAME, RECORD_NAME
from detector.report.check import ReportCheck, check_report, read_attachments
from detector.report.record import CaseRecord
from detector.report.signing import check_signatures, load_signer, sign_pdf
from detector.report.typeset import typeset
from tests.report.certificates import PASSPHRASE, Chain, make_chain
from tests.report.conftest import make_full_record


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    return make_chain(tmp_path_factory.mktemp("chain"))


def chained(record: CaseRecord) -> CaseRecord:
    """The record with a log whose hashes hold."""
    events, previous = [], "0" * 64
    for event in record.log.events:
        own = digest([event.case_id, event.sequence, event.at, event.actor, event.action, event.details, previous])
        events.append(replace(event, previous_hash=previous, event_hash=own))
        previous = own
    return replace(record, log=replace(record.log, events=tuple(events), head_hash=previous))


@pytest.fixture(scope="module")
def pdf() -> bytes:
    return typeset(chained(make_full_record()), form="short")


def failed(outcome: ReportCheck) -> set[str]:
    return {finding.code for finding in outcome.findings if finding.ok is False}


def test_a_signed_report_validates_and_keeps_the_bytes_it_signed(pdf: bytes, chain: Chain) -> None:
    signed = sign_pdf(pdf, load_signer(chain.signer_p12, PASSPHRASE), reason="test")
    assert signed.startswith(pdf)
    roots = read_roots([chain.root_pem])
    (found,) = check_signatures(signed, roots)
    assert found.ok
    assert found.trusted is True
    assert "A. Examiner" in found.signer
    assert found.stamped_at is None
    outcome = check_report(signed, roots=roots)
    assert outcome.ok, outcome.findings
    assert {"signature", "trust", "record", "log", "head"} <= {one.code for one in outcome.findings if one.ok}


def test_a_time_stamp_is_read_back(pdf: bytes, chain: Chain) -> None:
    signer = load_signer(chain.signer_p12, PASSPHRASE)
    (found,) = check_signatures(
        sign_pdf(pdf, signer, reason="test", stamper=chain.stamper), read_roots([chain.root_pem])
    )
    assert found.ok
    assert found.stamped_at is not None


def test_a_second_signature_is_allowed_and_both_hold(pdf: bytes, chain: Chain) -> None:
    signer = load_signer(chain.signer_p12, PASSPHRASE)
    twice = sign_pdf(sign_pdf(pdf, signer, reason="first"), signer, reason="second")
    assert [one.ok for one in check_signatures(twice, read_roots([chain.root_pem]))] == [True, True]


@pytest.mark.parametrize("place", [0.1, 0.5, 0.9])
def test_one_changed_byte_breaks_the_signature(pdf: bytes, chain: Chain, place: float) -> None:
    signed = bytearray(sign_pdf(pdf, load_signer(chain.signer_p12, PASSPHRASE), reason="test"))
    stream = pdf.index(b"stream\n", int(len(pdf) * place)) + 12
    signed[stream] ^= 1
    assert not check_signatures(bytes(signed))[0].intact


def test_a_page_changed_after_signing_is_found(pdf: bytes, chain: Chain) -> None:
    from pyhanko.pdf_utils.generic import NameObject, NumberObject
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

    signed = sign_pdf(pdf, load_signer(chain.signer_p12, PASSPHRASE), reason="test")
    writer = IncrementalPdfFileWriter(io.BytesIO(signed))
    page = writer.root["/Pages"]["/Kids"][0]
    page[NameObject("/Rotate")] = NumberObject(180)
    writer.update_container(page)
    out = io.BytesIO()
    writer.write(out)
    (found,) = check_signatures(out.getvalue(), read_roots([chain.root_pem]))
    assert found.intact  # the signed bytes are still there
    assert not found.ok
    assert "signature" in failed(check_report(out.getvalue()))


def test_a_signer_outside_the_given_roots_is_not_trusted(pdf: bytes, chain: Chain, tmp_path: Path) -> None:
    signed = sign_pdf(pdf, load_signer(chain.signer_p12, PASSPHRASE), reason="test")
    other = make_chain(tmp_path)
    assert check_signatures(signed, read_roots([other.root_pem]))[0].trusted is False
    assert "trust" in failed(check_report(signed, roots=read_roots([other.root_pem])))
    assert check_signatures(signed)[0].trusted is None


def test_a_wrong_passphrase_and_a_wrong_address_are_refused(chain: Chain) -> None:
    with pytest.raises(SettingsError, match="PKCS#12"):
        load_signer(chain.signer_p12, b"wrong")
    with pytest.raises(SettingsError, match="address"):
        time_stamper("clock.example")


def test_a_certificate_without_its_key_is_refused_by_what_it_lacks(tmp_path: Path) -> None:
    root = make_chain(tmp_path).root
    path = tmp_path / "no-key.p12"
    path.write_bytes(pkcs12.serialize_key_and_certificates(b"x", None, root, None, NoEncryption()))
    with pytest.raises(SettingsError, match=r"no-key\.p12 holds no private key"):
        load_signer(path, None)


def test_an_unsigned_report_passes_and_says_that_no_one_signed(pdf: bytes) -> None:
    outcome = check_report(pdf)
    assert outcome.ok
    assert [one.ok for one in outcome.findings if one.code == "signature"] == [None]
    assert [one.ok for one in outcome.findings if one.code == "store"] == [None]


def rewritten(pdf: bytes, change: Callable[[pikepdf.Pdf], None]) -> bytes:
    out = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf)) as document:
        change(document)
        document.save(out)
    return out.getvalue()


def replaced(name: str, edit: Callable[[bytes], bytes]) -> Callable[[pikepdf.Pdf], None]:
    def change(document: pikepdf.Pdf) -> None:
        content = edit(document.attachments[name].get_file().read_bytes())
        document.attachments[name] = pikepdf.AttachedFileSpec(document, content, filename=name)

    return change


def removed(name: str) -> Callable[[pikepdf.Pdf], None]:
    def change(document: pikepdf.Pdf) -> None:
        del document.attachments[name]

    return change


def added(document: pikepdf.Pdf) -> None:
    document.attachments["more.json"] = pikepdf.AttachedFileSpec(document, b"{}", filename="more.json")


def other_score(content: bytes) -> bytes:
    return content.replace(b'"score": 0.', b'"score": 0.0', 1)


def actor_changed(content: bytes) -> bytes:
    events = json.loads(content)
    events[1]["actor"] = "someone else"
    return json.dumps(events).encode()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (replaced(RECORD_NAME, other_score), "record"),
        (replaced(FRAMES_NAME, lambda content: content.replace(b"0.8", b"0.1", 1)), "attachment"),
        (replaced("analysis-r000000001.json", other_score), "attachment"),
        (replaced(LOG_NAME, actor_changed), "log"),
        (removed(FRAMES_NAME), "attachment"),
        (removed(RECORD_NAME), "record"),
        (added, "attachment"),
    ],
)
def test_an_exchanged_attachment_is_found(pdf: bytes, change: Callable[[pikepdf.Pdf], None], code: str) -> None:
    assert code in failed(check_report(rewritten(pdf, change)))


@pytest.mark.parametrize("language", ["en", "ar", "es"])
def test_hashes_are_read_from_the_pages_in_every_language(full_record: CaseRecord, language: str) -> None:
    full = typeset(chained(full_record), language=language)
    outcome = check_report(full)
    assert outcome.ok, [one for one in outcome.findings if one.ok is False]
    assert set(read_attachments(full)) == {RECORD_NAME, LOG_NAME, FRAMES_NAME, "analysis-r000000001.json"}
    assert "attachment" in failed(check_report(rewritten(full, replaced(FRAMES_NAME, lambda content: content + b"1"))))


def test_what_is_no_report_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no readable PDF"):
        check_report(b"not a PDF")
    empty = io.BytesIO()
    document = pikepdf.new()
    document.add_blank_page()
    document.save(empty)
    assert failed(check_report(empty.getvalue())) == {"record"}
