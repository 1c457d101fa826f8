"""Examine, with a model that judges motion: which measures told most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from streamlit.testing.v1 import AppTest

from detector.analysis.types import Contribution
from detector.cases import CaseStore
from detector.evidence import examine, ingest
from detector.registry import ModelCard, weights_dir
from pages.parts.shared import services
from tests.pages import seed
from tests.pages.conftest import html_of

PARTS = (Contribution("mouth_corner_right_with_mouth_corner_left", 0.97, 0.61), Contribution("flicker", -4.0, -0.2))
INPUTS = {"features": [part.name for part in PARTS], "genuine_mean": [0.6, -4.5], "genuine_std": [0.2, 0.5]}


def test_the_measures_that_told_most_stand_beside_genuine_clips(
    open_page: Callable[..., AppTest], opened: services.Services, clip: Path, cards: dict[str, ModelCard]
) -> None:
    store: CaseStore = opened.store
    card = replace(cards["frame"], inputs=INPUTS)
    card.write(weights_dir() / f"{card.model_id}.card.json")
    case = store.create_case("Motion", examiner="A. Nalyst")
    exhibit = store.add_exhibit(case.case_id, examine(ingest(clip, store.evidence_dir)))
    analysis = seed.make_analysis(exhibit.evidence, card)
    (model,) = analysis.models
    track = replace(model.tracks[0], contributions=PARTS)
    moved = replace(model, kind="kinematics", logit=track.logit, tracks=(track,))
    record = store.save_analysis(exhibit.exhibit_id, replace(analysis, models=(moved,)))
    app = open_page("examine", tab="Models", record=record.record_id)
    assert not app.exception
    shown = html_of(app)
    table = shown[shown.index("What tiny went by") :].split("</table>")[0]
    for part in ("corner of the mouth (right)", "0.97", "0.40 to 0.80", "+0.61 for", "-0.20 against", "0.018"):
        assert part in table
