"""The panel on the file itself: every finding with both its sides, nothing of the evidence as markup."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from detector.analysis.types import Analysis
from detector.evidence import examine, ingest
from detector.evidence.forensics import FileForensics, Provenance, examine_file
from detector.evidence.forensics.types import MetadataFacts, Series, Validation
from detector.registry import ModelCard
from pages.parts.examine import packet_chart
from pages.parts.shared import services
from tests.evidence.media import make_still
from tests.pages import seed
from tests.pages.conftest import html_of

OpenPage = Callable[..., AppTest]
HOSTILE = '<img src=x onerror=alert(1)> **b** [a](http://x) :red[b] "quoted"'


@pytest.fixture(scope="module")
def analysis(clip: Path, card: ModelCard, tmp_path_factory: pytest.TempPathFactory) -> Analysis:
    evidence = examine(ingest(clip, tmp_path_factory.mktemp("store")))
    return replace(seed.make_analysis(evidence, card), forensics=examine_file(evidence.file.path, evidence))


def shown(analysis: Analysis) -> AppTest:
    def script(analysis: object) -> None:
        from pages.parts.examine import file_forensics

        file_forensics.show(analysis, key="r1")  # type: ignore[arg-type]

    app = AppTest.from_function(script, kwargs={"analysis": analysis}, default_timeout=60).run()
    assert not app.exception
    return app


def changed(analysis: Analysis, **values: object) -> Analysis:
    assert analysis.forensics is not None
    return replace(analysis, forensics=replace(analysis.forensics, **values))  # type: ignore[arg-type]


def test_every_observation_stands_with_both_its_sides(analysis: Analysis) -> None:
    assert analysis.forensics is not None
    html = html_of(shown(analysis))
    assert html.count('class="fw-observation"') == len(analysis.forensics.observations) > 3
    assert html.count("<b>Can mean</b>") == html.count("<b>Cannot mean</b>") == len(analysis.forensics.observations)
    assert "No content credentials" in html
    assert "none had a part in the conclusion" in html
    assert "H.264&#x27;s scale" in html
    assert "0 of 23 compared" in html
    assert "It needs 100 pictures" in html


def test_an_older_analysis_says_that_nothing_is_known(analysis: Analysis) -> None:
    app = shown(replace(analysis, forensics=None))
    assert "That is not a finding" in html_of(app)
    assert "fw-observation" not in html_of(app)


@pytest.mark.parametrize(
    ("state", "word"),
    [
        ("valid", "signer trusted"),
        ("untrusted", "signer not known"),
        ("invalid", "do not match the file"),
        ("absent", "No content credentials"),
        ("unreadable", "could not be examined"),
    ],
)
def test_each_state_of_the_credentials_has_its_words(analysis: Analysis, state: str, word: str) -> None:
    provenance = Provenance(
        state,  # type: ignore[arg-type]
        f"A statement {HOSTILE}",
        signer=HOSTILE if state != "absent" else None,
        actions=("c2pa.created",),
        validation=(Validation("a.code", HOSTILE),),
    )
    html = html_of(shown(changed(analysis, provenance=provenance)))
    assert word in html
    assert "<img" not in html
    assert ("no trusted time stamp" in html) == (state != "absent")


def test_texts_of_the_evidence_never_become_markup(analysis: Analysis) -> None:
    assert analysis.forensics is not None
    first, *rest = analysis.forensics.observations
    hostile = changed(
        analysis,
        observations=(replace(first, finding=HOSTILE), *rest),
        limits=(HOSTILE,),
        metadata=MetadataFacts(fields=(("XMP", HOSTILE, HOSTILE),), history=(HOSTILE,)),
    )
    app = shown(hostile)
    assert "<img" not in html_of(app)
    assert html_of(app).count("&lt;img src=x") >= 4
    assert not any(HOSTILE in element.value for element in app.markdown)


def test_a_still_has_its_tables_and_no_packets(analysis: Analysis, tmp_path: Path) -> None:
    evidence = examine(ingest(make_still(tmp_path / "a.jpg", quality=75), tmp_path / "store"))
    found: FileForensics = examine_file(evidence.file.path, evidence)
    app = shown(replace(analysis, evidence=evidence, forensics=found))
    assert len(app.get("plotly_chart")) == 0
    luma = app.code[0].value.splitlines()
    assert luma[0].split() == ["8", "6", "5", "8", "12", "20", "26", "31"]


def test_the_chart_tells_types_by_shape_as_well_as_colour() -> None:
    figure = packet_chart.figure(Series((0.0, 0.04, 0.08, 0.12), (900, 100, 40, 50), "IPB?", 1))
    assert len({trace.marker.symbol for trace in figure.data}) == 4
    assert len({trace.marker.color for trace in figure.data}) == 4
    assert [list(trace.y) for trace in figure.data] == [[900], [100], [40], [50]]
    assert figure.layout.yaxis.type == "log"
    untimed = packet_chart.figure(Series((), (900, 100), "IP", 1))
    assert untimed.layout.xaxis.title.text == "packet"


def test_the_examine_page_shows_it_for_new_records_and_says_so_for_old_ones(
    open_page: OpenPage, opened: services.Services, seeded: seed.Seeded
) -> None:
    old = open_page("examine", tab="Evidence", exhibit=seeded.exhibit.exhibit_id, record=seeded.record.record_id)
    assert "was made before the file itself was examined" in html_of(old)
    evidence = seeded.exhibit.evidence
    new = replace(seeded.analysis, analysis_id="examined-anew", forensics=examine_file(evidence.file.path, evidence))
    record = opened.store.save_analysis(seeded.exhibit.exhibit_id, new)
    page = open_page("examine", tab="Evidence", exhibit=seeded.exhibit.exhibit_id, record=record.record_id)
    assert not page.exception
    assert "Observations about the file" in html_of(page)
    assert 'class="fw-observation"' in html_of(page)
