from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from detector.analysis import Moment, Reason
from detector.evidence import frame_times
from detector.explain import Explainer, HeatTest
from detector.registry import ModelCard
from pages.parts.player import component
from pages.parts.shared import services
from pages.parts.shared.readings import Readings
from tests.pages import seed
from tests.pages.conftest import EXAMINER, html_of, player_of
from tests.pages.seed import HOSTILE_NAME, Seeded

OpenPage = Callable[..., AppTest]


def _open(open_page: OpenPage, seeded: Seeded, **params: object) -> AppTest:
    app = open_page("examine", exhibit=seeded.exhibit.exhibit_id, record=seeded.record.record_id, **params)
    assert not app.exception
    return app


def _param(app: AppTest, name: str) -> str:
    value = app.query_params[name]
    return value[0] if isinstance(value, list) else value


def test_without_analyses_it_says_what_to_do(open_page: OpenPage) -> None:
    app = open_page("examine")
    assert "Nothing to examine yet" in html_of(app)
    assert app.get("page_link")[0].proto.label == "Go to Analyse"


def test_without_an_address_it_lists_recent_analyses_and_names_the_opened_one_in_it(
    open_page: OpenPage, seeded: Seeded
) -> None:
    app = open_page("examine")
    assert "drift.mp4" in html_of(app)
    app.button(key=f"open_{seeded.record.record_id}").click().run()
    assert 'aria-label="Conclusion"' in html_of(app)
    assert (_param(app, "exhibit"), _param(app, "record")) == (seeded.exhibit.exhibit_id, seeded.record.record_id)


def test_the_conclusion_has_icon_word_score_reasons_and_limits(open_page: OpenPage, seeded: Seeded) -> None:
    shown = html_of(_open(open_page, seeded))
    assert 'aria-label="Conclusion"' in shown
    assert "Inconclusive" in shown
    assert f"{seeded.analysis.conclusion.score:.3f}" in shown
    assert "The score lies between the model&#x27;s thresholds." in shown
    assert "What this does not prove" in shown


def test_an_analysis_in_doubt_says_so_at_the_top_also_when_acknowledged(open_page: OpenPage, seeded: Seeded) -> None:
    store = services.current().store
    store.intake.report_altered(seeded.exhibit.sha256, "0" * 64)
    assert "This analysis is in doubt" in html_of(_open(open_page, seeded))
    store.acknowledge("A failing disk.", case_id=seeded.case.case_id)
    shown = html_of(_open(open_page, seeded))
    assert "This analysis is in doubt" in shown
    assert "A failing disk." in shown


def test_it_opens_at_the_strongest_face(open_page: OpenPage, seeded: Seeded) -> None:
    track_id, pts = Readings.of(seeded.analysis).strongest() or (0, 0)
    shown = html_of(_open(open_page, seeded))
    assert f"Face · track {track_id}" in shown
    assert f"PTS {pts} ×" in shown
    for absent in ("SHA-256", "No notes yet", "Tool and models"):  # what closed tabs hold was not even computed
        assert absent not in shown


def test_the_moments_that_reasons_name_lead_to_their_frames(
    open_page: OpenPage, opened: services.Services, clip: Path, card: ModelCard
) -> None:
    seeded = seed.fill(opened.store, clip, card)
    faces = seeded.analysis.tracks[1].faces
    moments = tuple(
        Moment(2, face.pts_s - 0.1, face.pts_s + 0.1, face.pts, face.pts_s, 2.5, card.model_id)
        for face in (faces[2], faces[8])
    )
    reasons = (Reason("peaks", "Look at two moments.", moments), *seeded.analysis.conclusion.reasons)
    conclusion = replace(seeded.analysis.conclusion, reasons=reasons)
    analysis = replace(seeded.analysis, analysis_id="a-moments", conclusion=conclusion)
    record = opened.store.save_analysis(seeded.exhibit.exhibit_id, analysis)
    app = _open(open_page, replace(seeded, record=record, analysis=analysis), tab="Models", track=1)
    target = app.button(key=f"moment_2_{faces[8].pts}")
    assert target.label == f"{faces[8].pts_s:.2f} s · track 2"
    target.click().run()
    assert not app.exception
    assert (_param(app, "track"), _param(app, "pts")) == ("2", str(faces[8].pts))
    assert app.session_state["examine_tab"] == "Models"  # the tab that was open stays open
    plain = _open(open_page, seeded)
    assert not [one for one in plain.button if str(one.key).startswith("moment_")]


def test_a_frame_that_was_not_examined_can_be_looked_at(open_page: OpenPage, seeded: Seeded) -> None:
    between = frame_times(seeded.exhibit.evidence)[1]
    app = _open(open_page, seeded, track=1, pts=between)
    told = player_of(app)
    assert (told["here"], told["readings"].endswith(f"/readings/{seeded.record.record_id}")) == (
        {"track": 1, "pts": between},
        True,
    )
    assert "No reading for track 1 here" in html_of(app)
    assert not app.exception


def test_a_click_on_a_chart_leads_address_and_player_to_that_face(open_page: OpenPage, seeded: Seeded) -> None:
    target = seeded.analysis.tracks[1].faces[3]

    def script(track_id: int, pts: int) -> None:
        import streamlit as st

        from pages.parts.examine import position

        st.session_state["chart"] = {"selection": {"points": [{"customdata": [track_id, pts]}]}}
        position.clicked("chart")

    clicked = AppTest.from_function(script, args=(2, target.pts)).run()
    assert clicked.session_state[component.TURN] == 1
    app = _open(open_page, seeded, track=_param(clicked, "track"), pts=_param(clicked, "pts"))
    assert f"PTS {target.pts} ×" in html_of(app)
    assert "Face · track 2" in html_of(app)


def _decide(monkeypatch: pytest.MonkeyPatch, test: HeatTest) -> None:
    monkeypatch.setattr(Explainer, "heat_test", lambda *_: test)


def test_a_map_that_explains_no_more_than_chance_is_marked_and_folded_away(
    open_page: OpenPage, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    face = seeded.analysis.tracks[0].faces[2]
    _decide(monkeypatch, HeatTest(-0.4, (-0.1,) * 18 + (-0.7,)))
    app = _open(open_page, seeded, track=1, pts=face.pts)
    shown = html_of(app)
    assert "This map explains no more than chance" in shown
    assert "changes by -0.40, without one of 19 random fifths by -0.13 on average and by -0.70 at the lowest" in shown
    (folded,) = [one for one in app.expander if "no more than chance" in one.label]
    assert not folded.proto.expanded
    assert len(folded.get("image")) == 1
    assert len(app.get("image")) == 2  # crop, and the folded map
    folded.slider(key="heatmap_opacity").set_value(100).run()
    assert not app.exception


def test_a_map_that_passes_its_test_is_open_with_the_result_in_a_sentence(
    open_page: OpenPage, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    face = seeded.analysis.tracks[0].faces[2]
    _decide(monkeypatch, HeatTest(-0.8, (-0.1,) * 19))
    app = _open(open_page, seeded, track=1, pts=face.pts)
    assert "falls by 0.80, more than without any of 19 random fifths (-0.10 on average)" in html_of(app)
    assert not [one for one in app.expander if "chance" in one.label]


def test_a_map_that_was_not_tested_is_shown_and_says_so(
    open_page: OpenPage, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    face = seeded.analysis.tracks[0].faces[2]
    _decide(monkeypatch, HeatTest(-0.8, (-0.1,) * 3))
    app = _open(open_page, seeded, track=1, pts=face.pts)
    assert "Not tested: whether the score rests on the places that it marks is unknown." in html_of(app)
    assert "explains no more than chance" not in html_of(app)


def test_a_map_that_explains_no_more_than_chance_is_not_laid_over_the_frame(
    open_page: OpenPage, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    _decide(monkeypatch, HeatTest(-0.8, (-0.1,) * 19))
    face = seeded.analysis.tracks[0].faces[2]
    app = _open(open_page, seeded, track=1, pts=face.pts)
    assert (player_of(app)["heat"]["on"], player_of(app)["heat"]["png"]) == (False, None)
    app.session_state[component.HEAT_KEY] = True
    heat = player_of(app.run())["heat"]
    assert (heat["track"], heat["pts"], heat["note"]) == (1, face.pts, "")
    layer = np.asarray(Image.open(io.BytesIO(base64.b64decode(heat["png"].split(",")[1]))))
    assert layer.shape == (240, 320, 4)
    assert {0, 255} == set(layer[..., 3].flat)
    _decide(monkeypatch, HeatTest(-0.8, (-0.9,) * 19))
    heat = player_of(app.run())["heat"]
    assert heat["png"] is None
    assert "more than chance" in heat["note"]


def test_the_heatmap_is_made_and_its_opacity_can_be_set(
    open_page: OpenPage, seeded: Seeded, monkeypatch: pytest.MonkeyPatch
) -> None:
    _decide(monkeypatch, HeatTest(-0.8, (-0.1,) * 19))
    face = seeded.analysis.tracks[0].faces[2]
    app = _open(open_page, seeded, track=1, pts=face.pts)
    assert "Grad-CAM of tiny" in html_of(app)
    assert len(app.get("image")) == 2  # crop, heatmap
    app.slider(key="heatmap_opacity").set_value(100).run()
    assert not app.exception


def test_the_heatmap_shown_first_is_of_the_model_that_scored_highest(
    open_page: OpenPage,
    opened: services.Services,
    clip: Path,
    card: ModelCard,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(tmp_path / "weights"))
    seed.write_model(tmp_path / "weights")
    seeded = seed.fill(opened.store, clip, card)
    (low,), second = seeded.analysis.models, seed.write_model(tmp_path / "weights", "tiny-two")
    assert low.logit is not None
    high = replace(low, model_id="tiny-two", weights_sha256=second.weights_sha256, logit=low.logit + 1)
    analysis = replace(seeded.analysis, analysis_id="a-two-models", models=(low, high))
    record = opened.store.save_analysis(seeded.exhibit.exhibit_id, analysis)
    face = analysis.tracks[0].faces[2]
    app = _open(open_page, replace(seeded, record=record, analysis=analysis), track=1, pts=face.pts)
    assert "Grad-CAM of tiny-two" in html_of(app)
    app.selectbox(key="heatmap_model").set_value("tiny").run()
    assert "Grad-CAM of tiny," in html_of(app)


def test_a_model_with_other_weights_gives_a_reason_instead_of_a_heatmap(
    open_page: OpenPage, opened: services.Services, clip: Path, card: ModelCard
) -> None:

    seeded = seed.fill(opened.store, clip, replace(card, weights_sha256="ab" * 32))
    shown = html_of(_open(open_page, seeded, track=1, pts=seeded.analysis.tracks[0].faces[1].pts))
    assert "No heatmap" in shown
    assert "Face, cropped for display" in shown


def test_facts_name_the_hashes_and_the_settings(open_page: OpenPage, seeded: Seeded) -> None:
    file = seeded.analysis.evidence.file
    evidence, method = (html_of(_open(open_page, seeded, tab=tab)) for tab in ("Evidence", "Method"))
    for fact in (file.sha256, file.md5, "h264", "320 × 240 px"):
        assert fact in evidence
    assert seeded.analysis.settings.sha256 in method


def test_a_note_refers_to_the_frame_shown(open_page: OpenPage, seeded: Seeded) -> None:
    face = seeded.analysis.tracks[0].faces[4]
    app = _open(open_page, seeded, tab="Notes", track=1, pts=face.pts)
    scope = seeded.exhibit.exhibit_id
    app.text_area(key=f"note_text_{scope}").set_value("Odd <edge> at the **jaw**")
    next(button for button in app.button if button.label == "Add note").click().run()
    (note,) = services.current().store.notes(seeded.case.case_id)
    assert (note.text, note.author, note.track_id, note.pts) == (
        "Odd <edge> at the **jaw**",
        EXAMINER,
        1,
        face.pts,
    )
    assert "Odd <edge> at the **jaw**" in [element.value for element in app.text]


def test_no_face_is_told_apart_from_a_low_score(
    open_page: OpenPage, opened: services.Services, clip: Path, card: ModelCard
) -> None:

    from detector.analysis.types import Conclusion, ModelResult, Reason
    from detector.evidence import examine, ingest

    case = opened.store.create_case("Nobody")
    exhibit = opened.store.add_exhibit(case.case_id, examine(ingest(clip, opened.store.evidence_dir)))
    empty = replace(
        seed.make_analysis(exhibit.evidence, card),
        tracks=(),
        models=(ModelResult(card.model_id, card.weights_sha256, None, (), "no face was found"),),
        conclusion=Conclusion("not_examined", None, (Reason("no_face", "No face was found."),)),
    )
    record = opened.store.save_analysis(exhibit.exhibit_id, empty)
    app = open_page("examine", exhibit=exhibit.exhibit_id, record=record.record_id)
    assert not app.exception
    shown = html_of(app)
    assert "No face scored" in shown
    assert "no face was found" in shown
    assert "0.500" not in shown
    assert not app.get("plotly_chart")
    assert player_of(app)["readings"] is None  # the plain frames
    assert f"{empty.frames_examined} of {empty.evidence.video.frame_count} frames; no face found in them" in shown


@pytest.mark.parametrize("params", [{"record": "rnothing"}, {"exhibit": "xnothing"}, {"record": "<b>"}])
def test_an_unknown_address_is_answered_in_words(open_page: OpenPage, seeded: Seeded, params: dict[str, str]) -> None:
    app = open_page("examine", **params)
    assert not app.exception
    assert "This record cannot be opened" in html_of(app)


@pytest.mark.parametrize("params", [{"track": 99, "pts": 0}, {"track": "x", "pts": "y"}, {"pts": 10**15}])
def test_a_wrong_place_in_the_address_does_not_break_the_page(
    open_page: OpenPage, seeded: Seeded, params: dict[str, object]
) -> None:
    app = _open(open_page, seeded, **params)
    assert 'aria-label="Conclusion"' in html_of(app)


def test_two_sessions_stand_at_their_own_frames(open_page: OpenPage, seeded: Seeded) -> None:
    moments = Readings.of(seeded.analysis).moments
    sessions = [_open(open_page, seeded, track=1, pts=pts) for pts in moments[:2]]
    assert [player_of(app.run())["here"]["pts"] for app in sessions] == list(moments[:2])


def test_a_hostile_file_name_is_shown_as_text(
    open_page: OpenPage, opened: services.Services, clip: Path, card: ModelCard
) -> None:
    seeded = seed.fill(opened.store, clip, card, file_name=HOSTILE_NAME)
    app = _open(open_page, seeded)
    assert "&lt;img src=x onerror=alert(1)&gt; **bold**" in html_of(app)
    assert "<img" not in html_of(app)
    for kind in (app.markdown, app.caption, app.title, app.header, app.subheader):
        assert not any("onerror" in element.value for element in kind)


def test_a_second_analysis_says_how_it_is_unlike_the_first(
    open_page: OpenPage, opened: services.Services, seeded: Seeded
) -> None:

    from detector.analysis.identity import identity_of
    from detector.settings import AnalysisSettings

    settings = AnalysisSettings(max_frames=77)
    again = replace(seeded.analysis, analysis_id="a-again", settings=settings, identity=identity_of(settings, []))
    record = opened.store.save_analysis(seeded.exhibit.exhibit_id, again)
    for app in (
        _open(open_page, replace(seeded, record=record), tab="Method"),
        open_page("cases", case=seeded.case.case_id, exhibit=seeded.exhibit.exhibit_id),
    ):
        shown = html_of(app)
        assert "Unlike the analysis before it" in shown
        assert "settings changed: max frames 900 → 77" in shown
        assert "not recorded" in shown
    assert "Unlike the analysis before it" not in html_of(_open(open_page, seeded, tab="Method"))
