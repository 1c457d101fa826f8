"""The files that calibrations are least sure of, and labelling them without a word on their scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from detector.analysis.identity import card_facts, recorded_digests
from detector.analysis.types import AnalysisIdentity, ModelIdentity
from detector.evidence import examine, ingest
from detector.registry import ModelCard
from pages.parts.shared import services
from tests.calibration.by_hand import make_set, write_both
from tests.pages.conftest import EXAMINER, html_of, player_of
from tests.pages.seed import Seeded, make_analysis, write_clip
from tests.pages.test_blind_first import everything_sent, tells_scores


def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files are enough to measure drift by, and chance counts for nothing."""
    monkeypatch.setattr("detector.measurement.drift.LEAST_RECENT", 2)
    monkeypatch.setattr("detector.measurement.drift.psi_by_chance", lambda *_: 0.0)


def test_files_are_labelled_one_after_another_and_nothing_gives_their_scores_away(
    open_page: Callable[..., AppTest],
    seeded: Seeded,
    card: ModelCard,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = services.current().store
    identity = AnalysisIdentity(
        "1.4", "c" * 64, "s" * 64, ("cpu",), {}, (ModelIdentity("tiny", card.weights_sha256, card_facts(card)),)
    )
    write_both(tmp_path, make_set("tiny", recorded_digests(identity)["tiny"]), "tiny")
    monkeypatch.setenv("FRAMEWITNESS_CALIBRATIONS", str(tmp_path))
    other = ingest(write_clip(tmp_path / "other.mp4", seconds=1.8), store.evidence_dir)
    exhibits = [seeded.exhibit, store.add_exhibit(seeded.case.case_id, examine(other))]
    for exhibit in exhibits:
        made = make_analysis(exhibit.evidence, card)
        store.save_analysis(exhibit.exhibit_id, replace(made, analysis_id=f"b{made.analysis_id}", identity=identity))

    app = open_page("calibration", model="tiny")
    assert not app.exception
    assert "too few: 2 recent files" in html_of(app)
    charts = len(app.get("plotly_chart"))
    assert "drift_measured" not in [event.action for event in store.events()]
    lenient(monkeypatch)
    for _ in range(2):
        app.run()
        assert not app.exception
        assert "Drift: score" in html_of(app)
        assert len(app.get("plotly_chart")) == charts + 1
    (found,) = [event for event in store.events() if event.action == "drift_measured"]
    assert (found.actor, found.details["drifted"][0]) == (EXAMINER, "tiny score")
    assert app.dataframe[-2].value.loc[0, "event"] == "Drift measured"
    listed = app.dataframe[-1].value
    assert sorted(listed["File"]) == ["drift.mp4", "other.mp4"]
    assert list(listed.columns) == ["Case", "Exhibit", "File", "Added (UTC)"]
    (first,) = [one for one in exhibits if one.file_name == listed["File"][0]]
    (second,) = [one for one in exhibits if one is not first]

    app = open_page("calibration", exhibit=first.exhibit_id)
    assert not app.exception
    assert player_of(app)["readings"] is None
    assert first.sha256 in html_of(app)
    sent = everything_sent(app)
    assert tells_scores(app, seeded) == []
    assert not [word for word in ("posterior", "likelihood", "ncertain", "heatmap") if word in sent]
    assert not app.get("plotly_chart")
    assert store.statements.scores_opened_by(first.exhibit_id) == ()

    key = f"truth_{first.exhibit_id}"
    app.radio(key=f"{key}_truth").set_value("manipulated")
    app.text_input(key=f"{key}_source").set_value("the maker said so")
    app.button(key=f"{key}_send").click().run()
    assert not app.exception
    (truth,) = store.statements.truths(seeded.case.case_id)
    assert (truth.exhibit_id, truth.truth, truth.source, truth.author) == (
        first.exhibit_id,
        "manipulated",
        "the maker said so",
        EXAMINER,
    )
    assert app.query_params["exhibit"] == [second.exhibit_id]
    assert second.sha256 in html_of(app)
    actions = [event.action for event in store.events(seeded.case.case_id)]
    assert actions[-3:] == ["exhibit_viewed", "truth_recorded", "exhibit_viewed"]
