"""Examine, with a model that reads patches: what each place said, and which family it reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from detector.analysis.types import Conclusion, FamilyReading, PlaceReading
from detector.cases import CaseStore
from detector.evidence import examine, ingest
from detector.measurement.results import Results, Table
from detector.registry import ModelCard, weights_dir
from pages.parts.shared import services
from tests.pages import seed
from tests.pages.conftest import html_of

OpenPage = Callable[..., AppTest]
ERRORS = Table(("held_out", "families_read"), ("swap", "whole"), (("swap", (8, 2)), ("whole", (1, 6))))
FAMILIES = (FamilyReading("swap", 0.8), FamilyReading("whole", 0.2))
LOGITS = {"middle": 2.0, "left": 0.0, "right": -2.0}
PLACES = tuple(PlaceReading(place, logit) for place, logit in LOGITS.items())  # type: ignore[arg-type]


@pytest.fixture
def examined(opened: services.Services, clip: Path, cards: dict[str, ModelCard]) -> Callable[[Conclusion], str]:
    """Saves an analysis with that conclusion; returns the record's id."""
    card = replace(cards["frame"], results=Results.joined([ERRORS]))
    card.write(weights_dir() / f"{card.model_id}.card.json")
    store: CaseStore = opened.store

    def save(conclusion: Conclusion) -> str:
        case = store.create_case("Patches", examiner="A. Nalyst")
        exhibit = store.add_exhibit(case.case_id, examine(ingest(clip, store.evidence_dir)))
        analysis = seed.make_analysis(exhibit.evidence, card)
        (model,) = analysis.models
        tracks = tuple(replace(one, logit=one.logit + 2, families=FAMILIES, places=PLACES) for one in model.tracks)
        logit = max(track.logit for track in tracks)
        read = replace(model, kind="residual", logit=logit, tracks=tracks)
        saved = replace(analysis, models=(read,), conclusion=conclusion)
        return store.save_analysis(exhibit.exhibit_id, saved).record_id

    return save


def test_every_place_has_a_score(open_page: OpenPage, examined: Callable[[Conclusion], str]) -> None:
    app = open_page("examine", record=examined(Conclusion("likely_manipulated", 0.9, ())))
    assert not app.exception
    shown = html_of(app)
    table = shown[shown.index("Where tiny looked") :].split("</table>")[0]
    for part in ("score 0.881", "score 0.500", "score 0.119", "left cheek"):
        assert part in table
    assert "it reads as: face swap 0.80, wholly generated 0.20. Of 9 manipulated clips" in shown
    assert "read as face swap, 8 were" in shown
    assert "Families mistaken for each other" in shown


def test_no_family_is_told_where_nothing_was_found(open_page: OpenPage, examined: Callable[[Conclusion], str]) -> None:
    shown = html_of(open_page("examine", record=examined(Conclusion("no_manipulation_found", 0.1, ()))))
    assert "Where tiny looked" in shown
    assert "it reads as" not in shown
