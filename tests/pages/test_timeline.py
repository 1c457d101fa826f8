from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

from pages.parts.examine import score_chart, timeline
from pages.parts.models.model_choice import decisions
from pages.parts.shared.readings import Readings
from tests.pages.seed import Seeded

CONFIG = Path(__file__).resolve().parents[2] / ".streamlit" / "config.toml"


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


def test_models_without_scores_of_frames_colour_no_points(seeded: Seeded) -> None:
    (model,) = seeded.analysis.models
    whole = replace(model, model_id="whole", tracks=tuple(replace(track, frames=()) for track in model.tracks))
    readings = Readings.of(replace(seeded.analysis, models=(model, whole)))
    assert readings.with_frame_scores() == [model]


def test_points_have_a_rim_that_both_themes_show(seeded: Seeded) -> None:
    rim, *_ = (
        trace.marker.line
        for trace in timeline.figure(Readings.of(seeded.analysis), model_id=None, current=None).data
        if trace.type == "scatter"
    )
    themes = tomllib.loads(CONFIG.read_text(encoding="utf-8"))["theme"]
    for theme in ("light", "dark"):
        assert _contrast(rim.color, themes[theme]["backgroundColor"]) >= 3  # WCAG 2.2, 1.4.11
    assert rim.width >= 2


def _contrast(*colours: str) -> float:
    """The contrast ratio of WCAG 2.2 between two colours, #RRGGBB."""

    def luminance(colour: str) -> float:
        shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted(luminance(colour) for colour in colours)
    return (light + 0.05) / (dark + 0.05)


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
