"""Examine, with a model that reads patches: what each place said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from streamlit.testing.v1 import AppTest

from detector.analysis.types import PlaceReading
from detector.evidence import examine, ingest
from detector.registry import ModelCard
from pages.parts.shared import services
from tests.pages import seed
from tests.pages.conftest import html_of

LOGITS = {"middle": 2.0, "left": 0.0, "right": -2.0}
PLACES = tuple(PlaceReading(place, logit) for place, logit in LOGITS.items())  # type: ignore[arg-type]


def test_every_place_has_a_score(
    open_page: Callable[..., AppTest], opened: services.Services, clip: Path, cards: dict[str, ModelCard]
) -> None:
    store = opened.store
    case = store.create_case("Patches", examiner="A. Nalyst")
    exhibit = store.add_exhibit(case.case_id, examine(ingest(clip, store.evidence_dir)))
    analysis = seed.make_analysis(exhibit.evidence, cards["frame"])
    (model,) = analysis.models
    read = replace(model, kind="residual", tracks=tuple(replace(track, places=PLACES) for track in model.tracks))
    record = store.save_analysis(exhibit.exhibit_id, replace(analysis, models=(read,)))
    app = open_page("examine", tab="Models", record=record.record_id)
    assert not app.exception
    shown = html_of(app)
    table = shown[shown.index("What tiny went by") :].split("</table>")[0]
    for part in ("score 0.881", "score 0.500", "score 0.119", "left cheek"):
        assert part in table
