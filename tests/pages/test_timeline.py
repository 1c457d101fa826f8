from __future__ import annotations

from dataclasses import replace

from pages.parts.examine import score_chart, timeline
from pages.parts.models.model_choice import decisions
from pages.parts.shared.readings import Readings
from tests.pages.seed import Seeded


def test_models_without_scores_of_frames_have_no_curve(seeded: Seeded) -> None:
    (model,) = seeded.analysis.models
    whole = replace(model, model_id="whole", tracks=tuple(replace(track, frames=()) for track in model.tracks))
    readings = Readings.of(replace(seeded.analysis, models=(model, whole)))
    assert readings.with_frame_scores() == [model]


def test_a_click_names_its_face_and_a_click_beside_names_none() -> None:
    assert timeline.picked({"selection": {"points": [{"customdata": [2, 512]}]}}) == (2, 512)
    assert timeline.picked({"selection": {"points": [{"x": 1.0}]}}) is None
    assert timeline.picked({"selection": {"points": []}}) is None
    assert timeline.picked(None) is None


def test_the_score_line_breaks_at_a_gap_and_shows_the_thresholds(seeded: Seeded) -> None:
    readings = Readings.of(seeded.analysis)
    figure = score_chart.figure(readings, 2, decisions(seeded.analysis), current_pts=None)
    line = figure.data[0]
    scored = seeded.analysis.models[0].tracks[1].frames
    assert list(line.y).count(None) == 1
    assert [value for value in line.y if value is not None] == [frame.score for frame in scored]
    assert len(figure.layout.shapes) == 2


def test_thresholds_of_other_weights_are_not_drawn(seeded: Seeded) -> None:
    other = replace(seeded.analysis.models[0], weights_sha256="0" * 64)
    assert decisions(replace(seeded.analysis, models=(other,))) == {}
