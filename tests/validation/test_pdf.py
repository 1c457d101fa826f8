"""The PDF says what the record says, in each language, and carries the record inside."""

from __future__ import annotations

import io

import pikepdf
import pytest
from pypdf import PdfReader

from detector.report.language import LANGUAGES, words_of
from detector.validation.documents import ValidationRecord
from detector.validation.files import sha256_of
from detector.validation.observe import Counted
from detector.validation.pdf import validation_pdf
from tests.validation.observed import MODEL, observations, record, scores


def text_of(pdf: bytes) -> str:
    return " ".join(" ".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages).split())


def test_it_leads_with_the_result_and_carries_the_very_record_inside() -> None:
    seen = observations(
        locked_versions=Counted(8, 9, ("torch: 2.12.1 → 2.11.0",)), supplied=scores([0.0] * 12, [1.0] * 12)
    )
    made = record(seen, examiner="#panic() <b>")
    content = made.as_json()
    pdf = validation_pdf(made, content, measured_on="a machine of old")
    assert pdf == validation_pdf(made, content, measured_on="a machine of old")
    text = text_of(pdf)
    phrases = words_of("en").phrases
    assert text.index(phrases["validation.meaning.fail"]) < text.index(phrases["validation.criteria"])
    for part in ("#panic() <b>", "torch: 2.12.1 → 2.11.0", "Worse than chance", "studio", "/data/own", "2 of 3 clips"):
        assert part in text, part
    assert "a machine of old" in text
    assert sha256_of(content) in text.replace(" ", "")
    with pikepdf.open(io.BytesIO(pdf)) as document:
        assert len(document.pages) <= 3
        assert document.attachments["validation.json"].get_file().read_bytes() == content
    assert ValidationRecord.read(content) == made


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_it_is_written_in_the_other_languages(language: str) -> None:
    made = record()
    assert made.result == "pass"
    text = text_of(validation_pdf(made, made.as_json(), language=language))
    assert MODEL in text
    assert words_of("en").phrases["validation.meaning.pass"] not in text
