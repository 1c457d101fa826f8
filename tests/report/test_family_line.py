"""The report says beside a model's score which family it reads, and how often that was right."""

from __future__ import annotations

from dataclasses import replace

import pytest

from detector.analysis.types import Analysis, FamilyReading
from detector.measurement.results import Results, Table
from detector.report.html import case_html
from detector.report.record import CaseRecord, ExhibitEntry
from detector.report.typeset import typeset
from tests.report.conftest import make_analysis, make_entry, make_evidence, make_exhibit, make_record
from tests.report.test_html import Page
from tests.report.test_typeset import squeezed, text_of

ERRORS = Table(("held_out", "families_read"), ("swap", "animation"), (("swap", (8, 2)), ("animation", (3, 6))))
FAMILIES = (FamilyReading("swap", 0.25), FamilyReading("animation", 0.75))
LINE = (
    "Should it be manipulated, it reads as: animation of a picture 0.75, face swap 0.25. Of 8 manipulated clips left "
    "out of its training that read as animation of a picture, 6 were."
)


def record_of(analysis: Analysis) -> CaseRecord:
    record = make_record((ExhibitEntry(make_exhibit(analysis.evidence), (make_entry(analysis),)),))
    card = record.models[0].card
    assert card is not None
    measured = replace(card, results=Results.joined([ERRORS]))
    return replace(record, models=(replace(record.models[0], card=measured),))


@pytest.fixture
def analysis() -> Analysis:
    plain_one = make_analysis(make_evidence())
    (model,) = plain_one.models
    tracks = tuple(replace(track, families=FAMILIES) for track in model.tracks)
    return replace(plain_one, models=(replace(model, tracks=tracks),))


def test_the_family_stands_beside_the_models_score(analysis: Analysis) -> None:
    record = record_of(analysis)
    assert squeezed(LINE) in squeezed(Page(case_html(record)).text)
    assert squeezed(LINE) in squeezed(text_of(typeset(record)))


def test_nothing_of_it_where_no_manipulation_was_found(analysis: Analysis) -> None:
    found = replace(analysis, conclusion=replace(analysis.conclusion, label="no_manipulation_found"))
    assert "itreadsas" not in squeezed(Page(case_html(record_of(found))).text)
