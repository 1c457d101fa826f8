"""The PDF says what the record says, the same way every time, whatever the texts in it are."""

from __future__ import annotations

import io
import random
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pikepdf
import pytest
from PIL import Image
from pypdf import PdfReader

from detector.analysis.types import Conclusion, Reason
from detector.report.record import CaseRecord, ExhibitEntry
from detector.report.typeset import page_pictures, typeset
from tests.report.conftest import (
    START,
    make_analysis,
    make_entry,
    make_evidence,
    make_exhibit,
    make_record,
    make_unscored,
)

HOSTILE = {
    "markup": '#import "@preview/evil:1.0.0": *; #panic() *bold* _it_ $x^2$ `raw` = head <label> @ref // c /* c */ \\',
    "closers": '"}]) #let d = (:) ]} "" #read("/etc/passwd") #eval("1+1") {{7*7}} %s',
    "long": "a" * 300,
    "long_wide": "漢" * 300,
    "bidi": "invoice\u202egpj.exe \u2066x\u2069 \u200f\u200e",
    "controls": "a\nb\r\tc\x00d\x1b[31me\x7f",
    "surrogates": "bad\udc80name\ud83d.mp4",
    "emoji": "😀🎬👩‍👩‍👧⚠️🇩🇪🏴󠁧󠁢󠁳󠁣󠁴󠁿.mp4",
    "scripts": "Ελληνικά Кириллица עברית العربية हिन्दी ไทย Հայերեն ქართული 漢字かな 한국어 አማርኛ தமிழ் .mov",
    "zalgo": "z" + "\u0335\u0316\u0330" * 60,
    "edges": "  two  spaces and\u00a0nbsp\u3000wide\u200bzero ",
    "html": "<script>alert(1)</script><b>x</b>&amp;'\"",
    "private": "\ue000\uf8ff\ufffe\U0010ffff\ufdd0",
    "path": "../../etc/passwd C:\\windows\\x.mp4",
    "minimal": ".",
}
# Those that place or show text, or draw another stream (ISO 32000-1, annex A).
TEXT_OPERATORS = "BT ET q Q cm Tf Tj TJ ' \" Td TD Tm T* TL Tc Tw Tz Ts Do"


@pytest.fixture(autouse=True)
def _no_complaint_of_the_typesetter(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A layout that does not settle prints wrong page numbers, and says so only in a warning."""
    yield
    assert [entry.getMessage() for entry in caplog.get_records("call") if "typesetting" in entry.getMessage()] == []


def read(pdf: bytes) -> PdfReader:
    return PdfReader(io.BytesIO(pdf))


def text_of(pdf: bytes) -> str:
    """The text of all pages. What draws is left out first: pypdf takes its time over every line of a chart."""
    plain = io.BytesIO()
    with pikepdf.open(io.BytesIO(pdf)) as document:
        for page in document.pages:
            words = pikepdf.unparse_content_stream(pikepdf.parse_content_stream(page, TEXT_OPERATORS))
            page.Contents = document.make_stream(words)
        document.save(plain, compress_streams=False)
    return "\n".join(page.extract_text() for page in PdfReader(plain).pages)


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def test_the_report_states_every_fact_of_the_record(full_record: CaseRecord) -> None:
    pdf = typeset(full_record)
    text = squeezed(text_of(pdf))
    analysis = full_record.exhibits[0].analyses[0].analysis
    for fact in (
        "Interview of 6 May", "FW-2030-0042", "A. Examiner", "2030-05-06 07:08:09 UTC", "interview.mp4", "ab" * 32,
        "cd" * 16, "7,654,321 bytes", "mov,mp4", "h264, High", "512 × 512 px", "25.000 per second, constant",
        "1/12800 s", "Decoder complaints when the file was taken in: 2", "Two packets were damaged",
        "Likely manipulated", "0.848",
        "not calibrated", "Track 1 scores above the threshold", "1f" * 32, analysis.settings.sha256, "0123456789ab",
        "Frames examined: 100",
        "Frame model, EfficientNet-B0", "the validation families", "Faces under 48 px",
        "does not show that a recording is authentic", "Lip edge doubled.", "10.000 s (PTS 128000)",
        "analysis recorded",
        f"{3:064x}", "recomputed and agree", "from 0.71 likely manipulated",
    ):  # fmt: skip
        assert squeezed(fact) in text, fact


def test_equal_records_give_equal_bytes(full_record: CaseRecord) -> None:
    first = typeset(full_record)
    time.sleep(1.1)  # a clock that leaked into the file would show in the next second
    assert typeset(full_record) == first
    later = replace(full_record, recorded_at=datetime(2031, 1, 1, tzinfo=UTC))
    assert typeset(later) != first


def test_the_only_time_in_the_file_is_the_record_s(full_record: CaseRecord) -> None:
    reader = read(typeset(full_record))
    assert reader.metadata is not None
    assert reader.metadata.creation_date == full_record.recorded_at
    assert reader.metadata.title == "Interview of 6 May"


def test_every_page_has_its_number_and_the_case_s_reference(full_record: CaseRecord) -> None:
    pages = read(typeset(full_record)).pages
    for number, page in enumerate(pages, start=1):
        text = squeezed(page.extract_text())
        assert f"Page{number}of{len(pages)}" in text
        assert "FW-2030-0042" in text


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_printed_as_it_is(name: str, named_record: Callable[[str], CaseRecord]) -> None:
    pdf = typeset(named_record(HOSTILE[name]))
    text = squeezed(text_of(pdf))
    assert "Likelymanipulated" in text
    assert ink_in_margins(named_record(HOSTILE[name])) == 0
    for control in ("\u202e", "\u2066", "\x00", "\u200b", "\ufffd"):
        assert control not in text
    if name in ("markup", "closers", "html", "path", "long"):
        assert text.count(squeezed(HOSTILE[name])) >= 3  # title, file name, reason


def test_a_disguised_name_is_unmasked(named_record: Callable[[str], CaseRecord]) -> None:
    assert "invoice‹U+202E›gpj.exe" in squeezed(text_of(typeset(named_record("invoice\u202egpj.exe"))))


def test_random_text_never_breaks_the_page(named_record: Callable[[str], CaseRecord]) -> None:
    dice = random.Random(20300506)
    ranges = [(0, 0x2FF), (0x300, 0x36F), (0x370, 0x8FF), (0x900, 0xE7F), (0x2000, 0x27BF), (0x3000, 0x30FF),
              (0x4E00, 0x9FFF),
              (0xAC00, 0xD7A3), (0xD800, 0xDFFF), (0xFE00, 0xFEFF), (0x1F000, 0x1FAFF), (0xE0000, 0xE01EF)]  # fmt: skip
    text = "".join(chr(dice.randint(*dice.choice(ranges))) for _ in range(4000))
    assert len(read(typeset(named_record(text))).pages) > 3


def ink_in_margins(record: CaseRecord, language: str = "en") -> int:
    """Pixels that are not white in the outer 16 mm left and right of every page (the text block starts at 18 mm)."""
    ppi = 60
    margin = round(16 / 25.4 * ppi)
    pages = [
        np.asarray(Image.open(io.BytesIO(page)).convert("L"))
        for page in page_pictures(record, language=language, ppi=ppi)
    ]
    return sum(int((page[:, :margin] < 250).sum() + (page[:, -margin:] < 250).sum()) for page in pages)


@pytest.mark.parametrize("letter", ["W", "i", "漢", "م", "_"])
def test_long_unbroken_names_wrap(letter: str, named_record: Callable[[str], CaseRecord]) -> None:
    record = named_record(letter * 300)
    pdf = typeset(record)
    runs = [len(run) for run in re.findall(re.escape(letter) + "+", text_of(pdf))]
    assert max(runs) < 300  # broken over lines
    assert sum(runs) >= 3 * 300  # and nothing of it lost
    assert ink_in_margins(record) == 0


@pytest.mark.parametrize("name", ["markup", "long", "long_wide", "bidi", "scripts", "zalgo"])
def test_hostile_text_stays_on_the_page_of_a_right_to_left_report(
    name: str, named_record: Callable[[str], CaseRecord]
) -> None:
    record = named_record(HOSTILE[name])
    assert ink_in_margins(record, "ar") == 0
    text = squeezed(text_of(typeset(record, language="ar")))
    if name in ("markup", "long"):
        assert text.count(squeezed(HOSTILE[name])) >= 3
    assert "\u202e" not in text


@pytest.mark.parametrize("language", ["en", "ar"])
def test_a_name_of_ten_thousand_letters_is_cut_on_the_pages_and_whole_in_the_attached_record(
    language: str, named_record: Callable[[str], CaseRecord]
) -> None:
    record = named_record("W" * 10_000)
    reader = read(typeset(record, language=language))
    assert "W" * 10_000 in reader.attachments["record.json"][0].decode()
    assert len(reader.pages) < 40
    assert ink_in_margins(record, language) == 0


def test_a_case_without_exhibits(full_record: CaseRecord) -> None:
    text = text_of(typeset(make_record(())))
    assert "holds no exhibit" in text


def test_an_exhibit_without_analyses() -> None:
    text = text_of(typeset(make_record((ExhibitEntry(make_exhibit(make_evidence())),))))
    assert "No analysis of this exhibit is on record" in text.replace("\n", " ")
    assert "model score" not in text


def test_not_examined_is_never_a_number() -> None:
    evidence = make_evidence()
    entry = ExhibitEntry(make_exhibit(evidence), (make_entry(make_unscored(evidence)),))
    text = text_of(typeset(make_record((entry,))))
    assert "No face scored" in text
    assert "not scored" in text
    assert "No face was found in 100 examined frames." in text
    assert not re.search(r"\b0\.0+\b(?! s)", text)


def test_several_exhibits_and_analyses_stay_apart() -> None:
    video, still = make_evidence("first.mp4"), make_evidence("second.png", kind="still")
    old, new = make_analysis(video), make_analysis(video, models=3, faces_per_track=30)
    new = replace(
        new, conclusion=Conclusion("inconclusive", 0.61, (Reason("models_disagree", "The models disagree."),))
    )
    record = make_record(
        (
            ExhibitEntry(make_exhibit(video, 1), (make_entry(old, number=1), make_entry(new, number=2))),
            ExhibitEntry(
                make_exhibit(still, 2), (make_entry(make_analysis(still, faces_per_track=1, tracks=1), number=3),)
            ),
            ExhibitEntry(make_exhibit(make_evidence("third.mov"), 3)),
        )
    )
    text = squeezed(text_of(typeset(record)))
    for fact in (
        "Exhibit 1", "Exhibit 2", "Exhibit 3", "first.mp4", "second.png", "third.mov", "analysis 2 of 2",
        "Inconclusive", "Earlier analysis r000000001", "The models disagree.", "A still picture has no timeline.",
    ):  # fmt: skip
        assert squeezed(fact) in text, fact


def test_what_could_not_be_drawn_is_said() -> None:
    evidence = make_evidence()
    entry = ExhibitEntry(
        make_exhibit(evidence),
        (make_entry(make_analysis(evidence), pictures=False),),
        "The original file is no longer in the store.",
    )
    text = text_of(typeset(make_record((entry,))))
    assert "The original file is no longer in the store." in text
    assert text.count("The heatmap could not be made: the model is not installed.") == 3
    assert "not available" in text


def test_a_report_stays_small(full_record: CaseRecord) -> None:
    assert len(typeset(full_record)) < 1_000_000


def test_the_time_zone_of_the_record_does_not_matter(full_record: CaseRecord) -> None:
    from datetime import timedelta, timezone

    elsewhere = START.astimezone(timezone(timedelta(hours=9)))
    moved = replace(full_record, case=replace(full_record.case, created_at=elsewhere))
    assert typeset(moved) == typeset(full_record)
