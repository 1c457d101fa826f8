"""The file's structure as far as it can be read without a validator: what ISO 19005-3 and ISO 14289-1 ask for."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import replace

import pikepdf
import pytest

from detector.analysis import analysis_from_dict
from detector.report.attachments import FRAMES_NAME, LOG_NAME, RECORD_NAME, attachments_of, frame_scores
from detector.report.language import LANGUAGES, words_of
from detector.report.record import CaseRecord, ExhibitEntry
from detector.report.typeset import typeset
from tests.report.conftest import (
    make_analysis,
    make_entry,
    make_every_kind,
    make_evidence,
    make_exhibit,
    make_full_record,
    make_record,
)

ANALYSIS_NAME = "analysis-r000000001.json"


def everything() -> CaseRecord:
    evidence = make_evidence("عربي עברית हिन्दी ไทย 漢字 한국어.mp4")
    return make_record((ExhibitEntry(make_exhibit(evidence), (make_entry(make_every_kind(evidence)),)),))


@pytest.fixture(scope="module", params=[(form, language) for form in ("full", "short") for language in LANGUAGES])
def document(request: pytest.FixtureRequest) -> Iterator[tuple[str, str, pikepdf.Pdf]]:
    form, language = request.param
    with pikepdf.open(io.BytesIO(typeset(everything(), form=form, language=language))) as opened:
        yield form, language, opened


def dictionaries(document: pikepdf.Pdf) -> list[pikepdf.Object]:
    return [found for found in document.objects if isinstance(found, pikepdf.Dictionary | pikepdf.Stream)]


def test_it_declares_its_standards_title_language_and_author(document: tuple[str, str, pikepdf.Pdf]) -> None:
    _, language, pdf = document
    with pdf.open_metadata() as metadata:
        assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"]) == ("3", "A")
        assert metadata["pdfuaid:part"] == "1"
        assert metadata["dc:title"] == "Interview of 6 May"
        assert list(metadata["dc:creator"]) == ["A. Examiner"]
    assert str(pdf.Root.Lang) == language
    assert bool(pdf.Root.ViewerPreferences.DisplayDocTitle)
    assert str(pdf.Root.ViewerPreferences.get("/Direction", "/L2R")) == ("/R2L" if language == "ar" else "/L2R")


def test_colours_have_an_output_intent_and_pages_a_structure(document: tuple[str, str, pikepdf.Pdf]) -> None:
    _, _, pdf = document
    (intent,) = pdf.Root.OutputIntents
    assert intent.S == "/GTS_PDFA1"
    assert len(intent.DestOutputProfile.read_bytes()) > 100
    assert bool(pdf.Root.MarkInfo.Marked)
    kinds = {str(found.S) for found in dictionaries(pdf) if found.get("/S") is not None and "/P" in found}
    assert {"/Table", "/TR", "/TH", "/TD", "/H1", "/P", "/Figure"} <= kinds
    assert all("/StructParents" in page for page in pdf.pages)


def test_every_figure_has_a_description(document: tuple[str, str, pikepdf.Pdf]) -> None:
    _, _, pdf = document
    figures = [found for found in dictionaries(pdf) if found.get("/S") == "/Figure"]
    assert figures
    assert all(str(figure.Alt) for figure in figures)


def test_every_font_is_embedded_and_maps_to_unicode(document: tuple[str, str, pikepdf.Pdf]) -> None:
    _, _, pdf = document
    fonts = [found for found in dictionaries(pdf) if found.get("/Type") == "/Font"]
    composite = [font for font in fonts if font.Subtype == "/Type0"]
    assert composite
    assert all("/ToUnicode" in font for font in composite)
    for font in fonts:
        descriptor = font.get("/FontDescriptor")
        if descriptor is not None:
            assert any(key in descriptor for key in ("/FontFile2", "/FontFile3")), font.BaseFont


def test_nothing_acts_and_nothing_points_outside(document: tuple[str, str, pikepdf.Pdf]) -> None:
    _, _, pdf = document
    assert not {"/OpenAction", "/AA", "/AcroForm"} & set(pdf.Root.keys())
    assert "/JavaScript" not in pdf.Root.Names
    actions = {"/JavaScript", "/Launch", "/URI", "/GoToR", "/SubmitForm", "/ImportData", "/Rendition"}
    for found in dictionaries(pdf):
        assert "/JS" not in found
        assert str(found.get("/S", "")) not in actions
        assert found.get("/Filter") != "/LZWDecode"
        assert not (isinstance(found, pikepdf.Stream) and "/F" in found), "a stream in a file outside"
    assert "/Encrypt" not in pdf.trailer


def test_each_attachment_is_associated_typed_and_described(document: tuple[str, str, pikepdf.Pdf]) -> None:
    _, language, pdf = document
    expected = {
        ANALYSIS_NAME: ("/Source", "/application/json"),
        FRAMES_NAME: ("/Data", "/text/csv"),
        LOG_NAME: ("/Supplement", "/application/json"),
        RECORD_NAME: ("/Source", "/application/json"),
    }
    found = {str(spec.UF): (str(spec.AFRelationship), str(spec.EF.F.Subtype)) for spec in pdf.Root.AF}
    assert found == expected
    assert set(pdf.attachments) == set(expected)
    words = words_of(language)
    assert {str(spec.Desc) for spec in pdf.Root.AF} >= {words("repro.frames"), words("repro.log")}
    assert all("/ModDate" in spec.EF.F.Params for spec in pdf.Root.AF)


def test_the_attachments_are_the_record() -> None:
    record = everything()
    attached = {one.name: one for one in attachments_of(record, "full", words_of("en"))}
    analysis = record.exhibits[0].analyses[0].analysis
    read = analysis_from_dict(json.loads(attached[ANALYSIS_NAME].content), stored_path=analysis.evidence.file.path)
    assert read.models == analysis.models
    rows = list(csv.DictReader(io.StringIO(attached[FRAMES_NAME].content.decode(), newline="")))
    scored = [face for model in analysis.models for track in model.tracks for face in track.frames]
    assert len(rows) == len(scored)
    assert [float(row["logit"]) for row in rows] == pytest.approx([face.logit for face in scored], abs=1e-6)
    described = json.loads(attached[RECORD_NAME].content)
    assert described["attached"] == {
        name: hashlib.sha256(one.content).hexdigest() for name, one in attached.items() if name != RECORD_NAME
    }
    assert [event["action"] for event in json.loads(attached[LOG_NAME].content)] == [
        event.action for event in record.log.events
    ]


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_no_cell_of_the_frame_table_is_a_formula(name: str) -> None:
    record = make_full_record()
    (exhibit,) = record.exhibits
    (entry,) = exhibit.analyses
    models = tuple(replace(model, model_id=name) for model in entry.analysis.models)
    changed = replace(entry, analysis=replace(entry.analysis, models=models))
    table = frame_scores(replace(record, exhibits=(replace(exhibit, analyses=(changed,)),)))
    rows = csv.DictReader(io.StringIO(table.decode(), newline=""))
    assert {row["model_id"] for row in rows} == {f"'{name}"}


def test_the_stored_bytes_are_attached_where_there_are_any() -> None:
    analysis = make_analysis(make_evidence())
    entry = make_entry(analysis, pictures=False)
    stored = type(entry)(entry.saved, entry.analysis, entry.strong_frames, b'{"as": "stored"}')
    record = make_record((ExhibitEntry(make_exhibit(make_evidence()), (stored,)),))
    attached = {one.name: one.content for one in attachments_of(record, "full", words_of("en"))}
    assert attached[ANALYSIS_NAME] == b'{"as": "stored"}'
