"""Compare: models side by side on one exhibit, and the way from a difference to its frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from detector.analysis.agreement import ScoredFaces, disagreements, scored_faces
from detector.explain import HeatTest
from detector.registry import ModelCard
from pages.parts.compare import results, timelines
from pages.parts.examine import heatmap_panel
from pages.parts.models import model_choice
from pages.parts.shared import services
from pages.parts.shared.readings import Readings
from tests.pages import family, seed
from tests.pages.conftest import html_of
from tests.pages.seed import Seeded
from tests.pages.test_blind_first import tells_scores

OpenPage = Callable[..., AppTest]


@pytest.fixture
def examined(opened: services.Services, clip: Path, cards: dict[str, ModelCard]) -> Seeded:
    return family.fill(opened.store, clip, cards)


@pytest.fixture
def app(open_page: OpenPage, examined: Seeded) -> AppTest:
    app = open_page("compare", track=2)
    assert not app.exception
    return app


def _faces(examined: Seeded) -> list[ScoredFaces]:
    said = results.gather(examined.exhibit.exhibit_id)
    newest = [one for one in said if one.record.record_id == examined.record.record_id]
    return [scored_faces(one.result, one.analysis, one.analysis, one.decision) for one in newest]


def test_without_analyses_it_says_what_to_do(open_page: OpenPage) -> None:
    app = open_page("compare")
    assert "Nothing to compare yet" in html_of(app)
    assert app.get("page_link")[0].proto.label == "Go to Analyse"


def test_one_model_alone_has_nothing_to_compare_with(open_page: OpenPage, seeded: Seeded) -> None:
    shown = html_of(open_page("compare", case=seeded.case.case_id))
    assert "One model has examined this exhibit" in shown
    assert "fw-confusion" not in shown


def test_an_exhibit_that_is_not_there_is_answered_in_words(open_page: OpenPage, examined: Seeded) -> None:
    app = open_page("compare", exhibit="x00000000f")
    assert not app.exception
    assert "This exhibit cannot be compared" in html_of(app)


def test_models_of_all_analyses_stand_side_by_side(app: AppTest, examined: Seeded) -> None:
    (models,) = app.multiselect
    assert len(models.options) == len(models.value) == 6
    shown = html_of(app)
    assert shown[shown.index("by its thresholds") :].split("</table>")[0].count('scope="row"') == 6
    assert len(app.get("plotly_chart")) == 2
    matrix = shown[shown.index("fw-confusion") :].split("</table>")[0]
    assert matrix.count('scope="row"') == 5  # every pair once
    assert "<b>100 %</b>" in matrix  # the two analyses by one model
    assert "no face in common" in matrix  # the audio-visual model scores no faces
    opened_by = services.current().store.statements.scores_opened_by(examined.exhibit.exhibit_id)
    assert opened_by
    assert app.query_params["exhibit"] == [examined.exhibit.exhibit_id]


def test_a_comparison_opens_with_the_default_ensemble_and_its_members(
    cards: dict[str, ModelCard], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_choice, "default_ids", lambda: ("tiny-together", "tiny-av"))
    newest, older = ("other", "tiny", "tiny-av", "tiny-time", "tiny-cues", "tiny-together"), ("tiny", "tiny-together")
    offered = {f"new {name}": name for name in newest} | {f"old {name}": name for name in older}
    fused = ["new tiny", "new tiny-time", "new tiny-cues", "new tiny-together"]
    assert model_choice.preselected(offered, 2) == fused
    assert model_choice.preselected(offered, 5) == ["new other", *fused]
    monkeypatch.setattr(model_choice, "default_ids", lambda: ("tiny",))  # none that fuses
    assert model_choice.preselected(offered, 2) == ["new other", "new tiny"]


def test_fewer_than_two_models_are_asked_to_be_more(app: AppTest) -> None:
    models = app.multiselect[0]
    models.set_value(models.value[:1]).run()
    assert not app.exception
    assert "Choose two models or more" in html_of(app)
    assert not app.get("plotly_chart")


def test_heatmaps_of_one_frame_stand_in_a_grid_and_others_say_why_not(app: AppTest) -> None:
    shown = html_of(app)
    # The frame, the face, and the frame model's map in each of the two analyses.
    assert len(app.get("image")) == 4
    assert shown.count("last block of the trunk") >= 2
    without = shown[shown.index("Without a heatmap of this face") :]
    for model_id in ("tiny-time", "tiny-cues", "tiny-together", "tiny-av"):
        assert model_id in without
    assert "it has no layer that maps a single face" in without


def test_a_map_that_explains_no_more_than_chance_is_left_out_until_asked_for(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heatmap_panel, "tested", lambda *_: HeatTest(0.1, tuple(-0.1 * n for n in range(1, 20))))
    app.run()
    assert len(app.get("image")) == 2
    assert html_of(app).count("Its map explains no more than chance") == 2
    app.toggle(key="compare_chance").set_value(True).run()
    assert len(app.get("image")) == 4
    assert html_of(app).count("no more than chance") == 2


def test_weights_that_are_gone_are_the_reason_why_there_is_no_heatmap(
    open_page: OpenPage, examined: Seeded, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    services.model.clear()
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(tmp_path / "weights"))
    (tmp_path / "weights" / "tiny.safetensors").unlink()
    app = open_page("compare", exhibit=examined.exhibit.exhibit_id)
    assert not app.exception
    assert len(app.get("image")) == 2
    without = html_of(app)
    assert "tiny.safetensors" in without[without.index("Without a heatmap of this face") :]


def test_a_difference_leads_to_its_frame_and_that_to_examine(app: AppTest, examined: Seeded) -> None:
    one = disagreements(_faces(examined))[-1]
    app.button(key=f"differ_{one.track_id}_{one.pts}").click().run()
    assert not app.exception
    where = {name: app.query_params[name] for name in ("track", "pts")}
    assert where == {"track": [str(one.track_id)], "pts": [str(one.pts)]}
    assert f"PTS {one.pts}" in html_of(app)
    (link,) = [one for one in app.get("page_link") if one.proto.label == "Examine this frame"]
    assert f"pts={one.pts}" in link.proto.query_string
    assert f"record={examined.record.record_id}" in link.proto.query_string


def test_lines_break_where_the_face_was_not_found(examined: Seeded) -> None:
    readings, faces = Readings.of(examined.analysis), _faces(examined)
    line = timelines.line_of("tiny", faces[0], readings, 2)
    assert [point is None for point in line.points].count(True) == 1
    figure = timelines.scores(readings, [line, timelines.Line("none", ())], current_pts=0)
    assert [trace.name for trace in figure.data] == ["tiny"]
    assert list(figure.data[0].y).count(None) == 1
    assert figure.data[0].customdata[0] == list(line.points[0].face)


def test_lanes_tell_sides_by_symbol_and_word_and_grey_where_thresholds_are_missing(examined: Seeded) -> None:
    readings, faces = Readings.of(examined.analysis), _faces(examined)
    faces[1] = replace(faces[1], thresholds=None)
    figure = timelines.sides(readings, [f"m{n}" for n in range(len(faces))], faces, 2, current_pts=None)
    by_name = {trace.name: trace for trace in figure.data}
    assert {"likely manipulated", "undecided", "thresholds not at hand"} <= set(by_name)
    assert set(by_name["thresholds not at hand"].y) == {1}
    assert len({trace.marker.symbol for trace in figure.data}) == len(figure.data)
    total = sum(1 for model in faces for key in model.scores if key[0] == 2)
    assert sum(len(trace.x) for trace in figure.data) == total


def test_another_track_is_shown_at_its_nearest_face(app: AppTest, examined: Seeded) -> None:
    current = next(pills for pills in app.pills if str(pills.key).startswith("compare_track_"))
    other = 3 - int(current.key.rsplit("_", 1)[1])
    current.set_value(other).run()
    assert not app.exception
    assert app.query_params["track"] == [str(other)]
    assert f"Scores over time · track {other}" in html_of(app)


def test_nothing_is_compared_before_an_opinion(open_page: OpenPage, examined: Seeded) -> None:
    store = services.current().store
    store.metadata.set_blind_first(examined.case.case_id, True, author="Lead")
    app = open_page("compare", exhibit=examined.exhibit.exhibit_id, track=1, pts=0)
    assert not app.exception
    assert "Scores held back until you record your opinion" in html_of(app)
    assert tells_scores(app, examined) == []
    assert not app.get("plotly_chart")
    assert not app.get("image")
    assert store.statements.scores_opened_by(examined.exhibit.exhibit_id) == ()
    store.statements.give_opinion(examined.exhibit.exhibit_id, "genuine", author="A. Tester")
    assert open_page("compare", exhibit=examined.exhibit.exhibit_id).get("plotly_chart")


def test_a_case_made_blind_meanwhile_stops_showing_scores(app: AppTest, examined: Seeded) -> None:
    services.current().store.metadata.set_blind_first(examined.case.case_id, True)
    app.run()
    assert tells_scores(app, examined) == []


def test_examine_leads_to_the_comparison(open_page: OpenPage, examined: Seeded) -> None:
    app = open_page("examine", record=examined.record.record_id, track=1, pts=0)
    (link,) = [one for one in app.get("page_link") if one.proto.label == "Compare models"]
    assert f"exhibit={examined.exhibit.exhibit_id}" in link.proto.query_string
    assert "track=1" in link.proto.query_string


def test_another_exhibit_of_the_case_can_be_chosen(
    open_page: OpenPage, examined: Seeded, opened: services.Services, tmp_path: Path
) -> None:
    from detector.evidence import examine, ingest

    other = seed.write_clip(tmp_path / "<b>other.mp4", seconds=1.0)
    exhibit = opened.store.add_exhibit(examined.case.case_id, examine(ingest(other, opened.store.evidence_dir)))
    app = open_page("compare", exhibit=exhibit.exhibit_id)
    assert "Not analysed yet" in html_of(app)
    app = open_page("compare", case=examined.case.case_id)
    (choice,) = [box for box in app.selectbox if box.label == "Exhibit"]
    assert choice.value == examined.exhibit.exhibit_id
