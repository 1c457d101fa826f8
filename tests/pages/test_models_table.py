"""Examine, with an ensemble that tells families apart: which it reads, and how often that was right."""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from detector.analysis.types import Conclusion, FamilyReading, Member
from detector.cases import CaseStore
from detector.evidence import examine, ingest
from detector.measurement.results import Results, Table
from detector.registry import ModelCard, weights_dir
from pages.parts.examine import models_table
from pages.parts.shared import services
from tests.pages import seed
from tests.pages.conftest import html_of

OpenPage = Callable[..., AppTest]
ROWS = (("swap", (8, 2, 0)), ("whole", (1, 6, 3)))
ERRORS = Table(("cross_validated", "families_read"), ("swap", "whole", "not_read"), ROWS)
FAMILIES = (FamilyReading("swap", 0.8), FamilyReading("whole", 0.2))
MEMBERS = (Member("seams", None, 2.0, 0.7), Member("motion", None, -1.0, 0.3))


@pytest.fixture
def examined(opened: services.Services, clip: Path, cards: dict[str, ModelCard]) -> Callable[[Conclusion], str]:
    """Saves an analysis with that conclusion; returns the record's id."""
    card = replace(cards["frame"], results=Results.joined([ERRORS]))
    card.write(weights_dir() / f"{card.model_id}.card.json")
    store: CaseStore = opened.store

    def save(conclusion: Conclusion) -> str:
        case = store.create_case("Families", examiner="A. Nalyst")
        exhibit = store.add_exhibit(case.case_id, examine(ingest(clip, store.evidence_dir)))
        analysis = seed.make_analysis(exhibit.evidence, card)
        (model,) = analysis.models
        tracks = tuple(replace(one, logit=one.logit + 2, families=FAMILIES) for one in model.tracks)
        logit = max(track.logit for track in tracks)
        read = replace(model, kind="ensemble", logit=logit, tracks=tracks, members=MEMBERS)
        saved = replace(analysis, models=(read,), conclusion=conclusion)
        return store.save_analysis(exhibit.exhibit_id, saved).record_id

    return save


def test_the_family_stands_below_the_members_with_its_errors(
    open_page: OpenPage, examined: Callable[[Conclusion], str]
) -> None:
    app = open_page("examine", tab="Models", record=examined(Conclusion("likely_manipulated", 0.9, ())))
    assert not app.exception
    shown = html_of(app)
    below = shown[shown.index("What tiny went by") :]
    assert "it reads as: face swap 0.80, wholly generated 0.20. Of 9 manipulated clips" in below
    assert "read as face swap, 8 were" in below
    assert "not read" in below[below.index("Families mistaken for each other") :]


def test_no_family_is_told_where_nothing_was_found(open_page: OpenPage, examined: Callable[[Conclusion], str]) -> None:
    shown = html_of(open_page("examine", tab="Models", record=examined(Conclusion("no_manipulation_found", 0.1, ()))))
    assert "seams" in shown
    assert "it reads as" not in shown


def test_a_score_that_the_ensemble_counts_on_another_track_stands_beside_the_models_own(seeded: seed.Seeded) -> None:
    (frames,) = seeded.analysis.models
    low = frames.tracks[0]
    counted = Member(frames.model_id, None, low.logit, 1.0)
    fused = replace(frames, model_id="all", kind="ensemble", logit=low.logit, members=(counted,))
    first, second = models_table.rows_of(replace(seeded.analysis, models=(frames, fused)))
    assert (first.name, first.track_id, first.fuses) == ("all", 1, True)
    assert (second.score, second.track_id, second.counted) == (frames.score, 2, low.score)
    with pytest.MonkeyPatch.context() as patch:
        shown: list[str] = []
        patch.setattr(st, "html", shown.append)
        models_table.show(replace(seeded.analysis, models=(frames, fused)), {})
    assert "on track 1" in shown[0]
    assert "The ensemble's result rests on track 1" in html.unescape(shown[1])
