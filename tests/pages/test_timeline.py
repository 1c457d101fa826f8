from __future__ import annotations

from dataclasses import replace

from pages.parts.examine import score_chart, timeline
from pages.parts.models.model_choice import decisions
from pages.parts.shared.readings import Readings
from tests.pages.seed import Seeded


def _points(figure: object) -> list[list[int]]:
    return [list(item) for trace in figure.data if trace.customdata is not None for item in trace.customdata]  # type: ignore[attr-defined]


def test_every_face_is_a_point_that_carries_its_ids(seeded: Seeded) -> None:
    readings = Readings.of(seeded.analysis)
    figure = timeline.figure(readings, model_id=None, current=None)
    assert sorted(map(tuple, _points(figure))) == sorted(readings.faces)


def test_gaps_are_hatched_and_unscored_faces_are_rings(seeded: Seeded) -> None:
    readings = Readings.of(seeded.analysis)
    figure = timeline.figure(readings, model_id=None, current=None)
    hatched = [trace for trace in figure.data if trace.type == "bar" and trace.marker.pattern.shape == "/"]
    assert len(hatched) == 1
    start_s, end_s = seeded.analysis.tracks[1].gaps_s[0]
    assert (hatched[0].base[0], hatched[0].base[0] + hatched[0].x[0]) == (start_s, end_s)
    rings = [trace for trace in figure.data if trace.type == "scatter" and trace.marker.symbol == "circle-open"]
    assert [list(item) for item in rings[0].customdata] == [[2, seeded.analysis.tracks[1].faces[0].pts]]


def test_heat_is_cividis_on_a_fixed_scale(seeded: Seeded) -> None:
    axis = timeline.figure(Readings.of(seeded.analysis), model_id=None, current=None).layout.coloraxis
    assert (axis.cmin, axis.cmax) == (0, 1)
    assert axis.colorscale[0][1] == "#00224e"


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
