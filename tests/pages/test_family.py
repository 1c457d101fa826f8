"""Examine, with results of every kind of model."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from detector.analysis.cue_meaning import CUE_MEANINGS
from detector.explain import Explainer, FrameTest
from detector.measurement.results import Measurement, Results
from detector.registry import ModelCard, weights_dir
from pages.parts.compare import results
from pages.parts.examine import attention_lane, channel_chart, score_chart, sync_lane
from pages.parts.shared import services
from pages.parts.shared.readings import Readings
from tests.pages import family
from tests.pages.conftest import html_of
from tests.pages.seed import Seeded

OpenPage = Callable[..., AppTest]


@pytest.fixture
def examined(opened: services.Services, clip: object, cards: dict[str, ModelCard]) -> Seeded:
    return family.fill(opened.store, clip, cards)  # type: ignore[arg-type]


@pytest.fixture
def at_tab(open_page: OpenPage, examined: Seeded) -> Callable[[str], AppTest]:
    def open_(tab: str) -> AppTest:
        face = examined.analysis.tracks[0].faces[5]
        app = open_page("examine", tab=tab, record=examined.record.record_id, track=1, pts=face.pts)
        assert not app.exception
        return app

    return open_


def test_members_and_other_models_are_one_table_with_a_score_or_a_reason_each(
    at_tab: Callable[[str], AppTest],
) -> None:
    shown = html_of(at_tab("Models"))
    short, table = (part.split("</table>")[0] for part in shown.split("fw-models")[1:])
    rows = table.split("<tr>")[2:]
    names = [re.search(r'title="([^"]*)">([^<]*)</th>', row) for row in rows]
    assert all(names)
    assert next(found[2] for found in names if found) == "tiny-together"
    assert "decides" in rows[0]
    assert sum("The faces are smaller" in row and "do_not_disturb_on" in row for row in rows) == 1
    assert sum("%</td>" in row for row in rows) == 5
    for name in ("tiny", "tiny-time", "tiny-cues", "tiny-av"):
        assert f">{name}</th>" in table
        assert f">{name}</th>" in short


def test_specialists_are_named_and_have_a_score_or_a_reason(at_tab: Callable[[str], AppTest]) -> None:
    app = at_tab("Specialists")
    shown = html_of(app)
    cells = shown[shown.index("fw-cues") :].split('class="fw-cue"')[1:]
    assert len(cells) == 6
    by_name = dict(zip(CUE_MEANINGS, _in_order(cells), strict=True))
    assert "not applicable: The faces are smaller" in by_name["RR"]
    for cue in ("BG", "CM", "LL", "TM", "AV"):
        assert 'role="img"' in by_name[cue]
    for innocent in CUE_MEANINGS["TM"].innocent:  # the cue with the highest score is opened first
        assert innocent in shown
    assert "It does not show that the face is genuine." in shown  # what a low score can mean
    app.segmented_control(key="cue_shown").set_value("BG").run()
    app.toggle(key="channels_as_maps").set_value(True).run()
    assert not app.exception
    shown = html_of(app)
    assert "Numbers over time" in shown
    channels = shown.split("fw-tiles")[1].split("</div>")[0]
    assert channels.count("<figure") == 12  # the face and the eleven channels of the first module
    assert "data:image/png;base64" in channels


def test_maps_and_steadiness_of_a_face_are_made_on_request(at_tab: Callable[[str], AppTest]) -> None:
    app = at_tab("Frame")
    for absent in ("Each line is one scoring", "Blend map of"):
        assert absent not in html_of(app)
    app.segmented_control(key="heatmap_kind").set_value("Blend map")
    app.button(key="uncertainty_tiny").click().run()
    assert not app.exception
    shown = html_of(app)
    assert shown[shown.index("fw-spread") :].split("</div>")[0].count("<b ") == 14
    assert "Blend map of tiny" in shown
    assert "Grad-CAM of tiny" not in shown


def test_scores_sound_and_attention_stand_on_one_axis_of_time(at_tab: Callable[[str], AppTest]) -> None:
    app = at_tab("Scores over time")
    shown = html_of(app)
    for part in ("Attention of tiny-time", "Sound against mouth · tiny-av", "Bands:"):
        assert part in shown
    assert "fw-tiles" not in shown
    assert len(app.get("plotly_chart")) == 3  # scores, sound, attention
    app.toggle(key="attention_heads_tiny-time").set_value(True).run()
    assert not app.exception
    shown = html_of(app)
    attention = shown.split("fw-tiles")[1].split("</div>")[0]
    assert "--fw-columns:2" in attention  # a row a layer
    assert [f"layer {layer} · head {head}" in attention for layer in (1, 2) for head in (1, 2)] == [True] * 4
    assert "attention rollout" in shown


def _in_order(cells: list[str]) -> list[str]:
    """The cells in the order of the cues that their titles name."""
    return [next(cell for cell in cells if f">{one.title}</b>" in cell) for one in CUE_MEANINGS.values()]


@pytest.mark.parametrize(
    ("marked", "told"),
    [
        (0.9, "the output changes by +0.90, more than without any of 19 random fifths (by 0.20 on average)."),
        (0.1, "explains no more than chance. Without the fifth that it attended to most of the 10 frames"),
    ],
)
def test_whether_the_attention_beats_chance_stands_below_its_lane(
    at_tab: Callable[[str], AppTest], monkeypatch: pytest.MonkeyPatch, marked: float, told: str
) -> None:
    test = FrameTest(marked, (-0.2,) * 19, tuple(i / 5 for i in range(10)))
    monkeypatch.setattr(Explainer, "attention_test", lambda *_: test)
    shown = html_of(at_tab("Scores over time"))
    assert shown.index("Attention of tiny-time") < shown.index(told)


def test_weights_that_are_gone_leave_reasons_and_not_a_broken_page(
    open_page: OpenPage, opened: services.Services, clip: object, cards: dict[str, ModelCard]
) -> None:
    other = {name: replace(card, weights_sha256="ab" * 32) for name, card in cards.items()}
    seeded = family.fill(opened.store, clip, other)  # type: ignore[arg-type]
    place = {"record": seeded.record.record_id, "track": 1, "pts": seeded.analysis.tracks[0].faces[5].pts}

    def shown(tab: str, act: Callable[[AppTest], object]) -> str:
        app = open_page("examine", tab=tab, **place)
        act(app)
        app.run()
        assert not app.exception
        return html_of(app)

    def channels(app: AppTest) -> None:
        app.segmented_control(key="cue_shown").set_value("BG").run()
        app.toggle(key="channels_as_maps").set_value(True)

    frame = shown("Frame", lambda app: app.button(key="uncertainty_tiny").click())
    assert "No heatmap" in frame
    assert "The spread was not measured" in frame
    assert "No maps" in shown("Specialists", channels)
    times = shown("Scores over time", lambda app: app.toggle(key="attention_heads_tiny-time").set_value(True))
    assert "No attention maps" in times
    assert "Not tested: This analysis was made with weights" in times


def test_attention_stands_at_the_frames_times_and_names_its_faces(examined: Seeded) -> None:
    readings = Readings.of(examined.analysis)
    (model,) = attention_lane.attending(readings, 1)
    bar = attention_lane.figure(readings, model, 1, current_pts=None).data[0]
    attention = model.tracks[0].attention
    assert attention is not None
    assert list(bar.x) == list(attention.pts_s)
    assert [list(item) for item in bar.customdata] == [[1, pts] for pts in attention.pts]
    assert sum(bar.y) == pytest.approx(100)


def test_bands_cover_the_interval_whichever_lines_are_drawn(examined: Seeded) -> None:
    readings = Readings.of(examined.analysis)
    interval = examined.analysis.models[1].tracks[0].intervals[0]
    every = score_chart.figure(readings, 1, {}, current_pts=None)
    bands = [trace for trace in every.data if trace.fill == "toself"]
    assert {(min(band.x), max(band.x)) for band in bands} == {(interval.start_s, interval.end_s)}
    frame_only = score_chart.figure(readings, 1, {}, current_pts=None, shown=["tiny"])
    assert [trace.name for trace in frame_only.data if trace.fill is None] == ["tiny"]
    assert len([trace for trace in frame_only.data if trace.fill == "toself"]) == len(bands)


def test_a_window_without_a_score_is_hatched_and_never_coloured(examined: Seeded) -> None:
    readings = Readings.of(examined.analysis)
    (model,) = sync_lane.listening(readings)
    bars = [trace for trace in sync_lane.figure(readings, model, current_pts=None).data if trace.type == "bar"]
    assert [len(bar.x) for bar in bars] == [2, 1]
    assert bars[1].marker.pattern.shape == "/"
    assert bars[1].marker.coloraxis is None
    assert sync_lane.lag_text(0.48) == "sound 0.48 s late"
    assert sync_lane.lag_text(-0.2) == "sound 0.20 s early"


def test_channel_lines_break_where_the_face_was_not_found(examined: Seeded) -> None:
    readings = Readings.of(examined.analysis)
    _, result = readings.cues()["BG"]
    names = channel_chart.names_of(result, "lighting_detector")[:2]
    figure = channel_chart.figure(readings, result, 2, names, current_pts=None)
    assert [list(trace.y).count(None) for trace in figure.data] == [1, 1]
    column = result.channels.index(names[1])
    assert [y for y in figure.data[1].y if y is not None] == [row[column] for row in result.readings[1].values]
    assert channel_chart.bounds("BG", "lighting_evidence") == (0, 1)
    assert channel_chart.bounds("BG", "bg_texture_contrast") is None
    assert set(channel_chart.modules_of(result)) == {"bg_texture", "lighting_detector", "shadow_checker", "color_temp"}


def test_the_ensembles_score_stands_for_a_face_where_there_is_one(examined: Seeded) -> None:
    readings = Readings.of(examined.analysis)
    frame = examined.analysis.models[-1].tracks[0].frames[3]
    assert readings.combined_score((1, frame.pts)) == frame.score
    assert readings.combined_score((1, frame.pts), "tiny-time") != frame.score


def test_models_of_two_analyses_have_names_unlike_each_other(examined: Seeded) -> None:
    said = results.gather(examined.exhibit.exhibit_id)
    assert len(set(results.names_of(said))) == len(said) == 6
    newest = [one for one in said if one.record.record_id == said[0].record.record_id]
    assert results.names_of(newest) == [one.result.name for one in newest]
    twins = [replace(one, result=replace(one.result, title="Frame model")) for one in newest[:2]]
    assert results.names_of(twins) == ["Frame model (tiny)", "Frame model (tiny-time)"]


def test_a_specialist_that_was_worse_than_chance_on_real_videos_says_so(
    cards: dict[str, ModelCard], at_tab: Callable[[str], AppTest]
) -> None:
    rows = [("BG", (0.22, 0.49)), ("CM", (0.3, 0.6))]
    measured = tuple(
        Measurement(("cues_on_whole_manipulations", cue, "videos"), 0.4, interval=interval, n_real=39, n_fake=22)
        for cue, interval in rows
    )
    card = replace(cards["cues"], results=Results(measured))
    card.write(weights_dir() / f"{card.model_id}.card.json")
    app = at_tab("Specialists")
    shown = html_of(app)
    parts = _in_order(shown[shown.index("fw-cues") :].split('class="fw-cue"')[1:])
    cells = dict(zip(CUE_MEANINGS, parts, strict=True))
    assert "worse than chance on real deepfake videos" in cells["BG"]
    assert "worse than chance" not in cells["CM"] + cells["LL"].split("</div></div>")[0]
    app.segmented_control(key="cue_shown").set_value("BG").run()
    assert "AUC 0.40 (0.22 to 0.49), worse than chance, n 39 + 22" in html_of(app)
