"""Examine, with results of every kind of model."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from detector.analysis.cue_meaning import CUE_MEANINGS
from detector.explain import Explainer, FrameTest
from detector.measurement.results import Measurement, Results
from detector.registry import ModelCard, weights_dir
from pages.parts.examine import attention_lane, channel_chart, exhibit_comparison, score_chart, sync_lane
from pages.parts.shared import services
from pages.parts.shared.readings import Readings
from tests.pages import family, seed
from tests.pages.conftest import html_of
from tests.pages.seed import Seeded

OpenPage = Callable[..., AppTest]


@pytest.fixture
def examined(opened: services.Services, clip: object, cards: dict[str, ModelCard]) -> Seeded:
    return family.fill(opened.store, clip, cards)  # type: ignore[arg-type]


@pytest.fixture
def app(open_page: OpenPage, examined: Seeded) -> AppTest:
    app = open_page("examine", record=examined.record.record_id, track=1, pts=examined.analysis.tracks[0].faces[5].pts)
    assert not app.exception
    return app


def test_every_part_is_there_for_a_full_record(app: AppTest) -> None:
    shown = html_of(app)
    for part in (
        "Attention of tiny-time",
        "Sound against mouth · tiny-av",
        "Members of tiny-together",
        "Specialists",
        "Bands:",
    ):
        assert part in shown
    assert len(app.get("plotly_chart")) == 5  # timeline, scores, attention, sync, comparison
    app.segmented_control(key="cue_shown").set_value("BG").run()
    assert "Numbers over time" in html_of(app)
    assert len(app.get("plotly_chart")) == 6


def test_members_and_cues_have_a_score_or_a_reason(app: AppTest) -> None:
    shown = html_of(app)
    table = shown[shown.index("fw-members") :].split("</table>")[0]
    assert table.rindex("left out: The faces are smaller") > table.rindex("%</td>")
    assert "5 of 6 had a score" in shown

    cells = shown[shown.index("fw-cues") :].split('class="fw-cue"')[1:]
    assert len(cells) == 6
    by_name = {cell[cell.index("<b>") + 3 :][:2]: cell for cell in cells}
    assert "not applicable: The faces are smaller" in by_name["RR"]
    for cue in ("BG", "CM", "LL", "TM", "AV"):
        assert 'role="img"' in by_name[cue]
    for innocent in CUE_MEANINGS["TM"].innocent:  # the cue with the highest score is opened first
        assert innocent in shown


def test_maps_attention_and_steadiness_are_made_on_request(app: AppTest) -> None:
    before = html_of(app)
    for absent in ("fw-tiles", "layer 1 · head 1", "Each line is one scoring", "Blend map of"):
        assert absent not in before
    app.segmented_control(key="cue_shown").set_value("BG").run()
    app.toggle(key="channels_as_maps").set_value(True)
    app.toggle(key="attention_heads_tiny-time").set_value(True)
    app.segmented_control(key="heatmap_kind").set_value("Blend map")
    app.button(key="uncertainty_tiny").click().run()
    assert not app.exception
    shown = html_of(app)
    attention, channels = (part.split("</div>")[0] for part in sorted(shown.split("fw-tiles")[1:], key=len)[:2])
    if "layer 1" in channels:
        attention, channels = channels, attention
    assert "--fw-columns:2" in attention  # a row a layer
    assert [f"layer {layer} · head {head}" in attention for layer in (1, 2) for head in (1, 2)] == [True] * 4
    assert channels.count("<figure") == 12  # the face and the eleven channels of the first module
    assert "data:image/png;base64" in channels
    assert "attention rollout" in shown
    assert shown[shown.index("fw-spread") :].split("</div>")[0].count("<b ") == 14
    assert "Blend map of tiny" in shown
    assert "Grad-CAM of tiny" not in shown


@pytest.mark.parametrize(
    ("marked", "told"),
    [
        (0.9, "the logit changes by +0.90, more than without any of 19 random fifths (by 0.20 on average)."),
        (0.1, "explains no more than chance. Without the fifth that it attended to most of the 10 frames"),
    ],
)
def test_whether_the_attention_beats_chance_stands_below_its_lane(
    open_page: OpenPage, examined: Seeded, monkeypatch: pytest.MonkeyPatch, marked: float, told: str
) -> None:
    test = FrameTest(marked, (-0.2,) * 19, tuple(i / 5 for i in range(10)))
    monkeypatch.setattr(Explainer, "attention_test", lambda *_: test)
    app = open_page("examine", record=examined.record.record_id, track=1, pts=examined.analysis.tracks[0].faces[5].pts)
    assert not app.exception
    shown = html_of(app)
    assert told in shown
    assert shown.index("Attention of tiny-time") < shown.index(told) < shown.index("Sound against mouth")


def test_weights_that_are_gone_leave_reasons_and_not_a_broken_page(
    open_page: OpenPage, opened: services.Services, clip: object, cards: dict[str, ModelCard]
) -> None:
    other = {name: replace(card, weights_sha256="ab" * 32) for name, card in cards.items()}
    seeded = family.fill(opened.store, clip, other)  # type: ignore[arg-type]
    app = open_page("examine", record=seeded.record.record_id, track=1, pts=seeded.analysis.tracks[0].faces[5].pts)
    app.segmented_control(key="cue_shown").set_value("BG").run()
    app.toggle(key="channels_as_maps").set_value(True)
    app.toggle(key="attention_heads_tiny-time").set_value(True)
    app.button(key="uncertainty_tiny").click().run()
    assert not app.exception
    shown = html_of(app)
    for words in (
        "Not tested: This analysis was made with weights",
        "No maps",
        "No attention maps",
        "The spread was not measured",
        "No heatmap",
    ):
        assert words in shown


def test_an_old_record_shows_as_before(open_page: OpenPage, seeded: Seeded) -> None:
    app = open_page("examine", record=seeded.record.record_id)
    assert not app.exception
    shown = html_of(app)
    for absent in ("Specialists", "Attention of", "Sound against mouth", "Members of"):
        assert absent not in shown
    assert len(app.get("plotly_chart")) == 2


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


def test_models_of_two_analyses_meet_on_one_exhibit(app: AppTest, examined: Seeded) -> None:
    shown = html_of(app)
    table = shown[shown.index("by its thresholds") :].split("</table>")[0]
    assert table.count('scope="row"') == 6
    said = exhibit_comparison.gather(examined.exhibit.exhibit_id)
    figure = exhibit_comparison.figure(Readings.of(examined.analysis), said)
    # The audio-visual model scores segments of sound and no single frames.
    drawn = sorted(trace.name.split(" · ")[0] for trace in figure.data)
    assert drawn == ["tiny", "tiny", "tiny-cues", "tiny-time", "tiny-together"]
    assert len(set(exhibit_comparison.names_of(said))) == len(said) == 6
    newest = [one for one in said if one.record.record_id == said[0].record.record_id]
    assert exhibit_comparison.names_of(newest) == [one.result.model_id for one in newest]
    # The legend has room above the lines, a row for every two names.
    assert figure.layout.margin.t >= 22 * math.ceil(len(drawn) / 2)


def test_the_highest_face_of_each_frame_is_compared(examined: Seeded) -> None:
    result = examined.analysis.models[0]
    points = exhibit_comparison.highest_scores(result)
    by_pts: dict[int, float] = {}
    for track in result.tracks:
        for frame in track.frames:
            by_pts[frame.pts] = max(frame.score, by_pts.get(frame.pts, 0.0))
    assert [score for _, score in points] == [by_pts[pts] for pts in sorted(by_pts)]


def test_one_examination_alone_has_nothing_to_compare(open_page: OpenPage, seeded: seed.Seeded) -> None:
    assert "One model has examined this exhibit" in html_of(open_page("examine", record=seeded.record.record_id))


def test_a_specialist_that_was_worse_than_chance_on_real_videos_says_so(
    cards: dict[str, ModelCard], examined: Seeded, open_page: OpenPage
) -> None:
    rows = [("BG", (0.22, 0.49)), ("CM", (0.3, 0.6))]
    measured = tuple(
        Measurement(("cues_on_whole_manipulations", cue, "videos"), 0.4, interval=interval, n_real=39, n_fake=22)
        for cue, interval in rows
    )
    card = replace(cards["cues"], results=Results(measured))
    card.write(weights_dir() / f"{card.model_id}.card.json")
    app = open_page("examine", record=examined.record.record_id, track=1)
    shown = html_of(app)
    cells = {
        cell[cell.index("<b>") + 3 :][:2]: cell for cell in shown[shown.index("fw-cues") :].split('class="fw-cue"')[1:]
    }
    assert "worse than chance on real deepfake videos" in cells["BG"]
    assert "worse than chance" not in cells["CM"] + cells["LL"].split("</div></div>")[0]
    app.segmented_control(key="cue_shown").set_value("BG").run()
    assert "AUC 0.40 (0.22 to 0.49), worse than chance, n 39 + 22" in html_of(app)
