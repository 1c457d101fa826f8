"""The figure shows every score, every gap and the thresholds, and is the same each time."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

from detector.analysis.types import Analysis
from detector.report.timeline import share_lanes, timeline_svg
from tests.report.conftest import make_analysis, make_card, make_evidence, make_scores, make_track, make_unscored


def words(svg: bytes) -> str:
    return " ".join("".join(node.itertext()) for node in ET.fromstring(svg).iter() if node.tag.endswith("}text"))


def with_flickers(analysis: Analysis, count: int) -> Analysis:
    """The same analysis with `count` tracks of one face each that score very high."""
    flickers = [make_track(100 + number, [0.5 * number]) for number in range(count)]
    model = analysis.models[0]
    scores = tuple(make_scores(track, 6.0) for track in flickers)
    return replace(
        analysis,
        tracks=(*analysis.tracks, *flickers),
        models=(replace(model, tracks=(*model.tracks, *scores)), *analysis.models[1:]),
    )


def test_the_same_analysis_gives_the_same_bytes() -> None:
    analysis = make_analysis(make_evidence())
    assert timeline_svg(analysis) == timeline_svg(analysis)
    assert b"<dc:date>" not in timeline_svg(analysis)


def test_it_names_tracks_models_thresholds_and_marks() -> None:
    analysis = make_analysis(make_evidence(), models=2)
    decisions = {"frame-b0": make_card().thresholds, "frame-b1": make_card().thresholds}
    text = words(timeline_svg(analysis, decisions=decisions, marks=((1, 1.2, 7),)))
    for word in ("Track 1", "Track 2", "frame-b0", "frame-b1", "from 0.71 likely manipulated", "to 0.31 none found",
                 "face not found", "shot change", "seconds from the start", "7"):  # fmt: skip
        assert word in text, word


def test_no_thresholds_are_claimed_without_a_card() -> None:
    assert "likely manipulated" not in words(timeline_svg(make_analysis(make_evidence())))


def test_the_line_is_broken_at_a_gap() -> None:
    svg = timeline_svg(make_analysis(make_evidence(), tracks=1)).decode()
    lines = re.findall(r'<path d="M ([^"]*)"[^>]*style="fill: none; stroke: #0072b2; stroke-width: 0.8', svg)
    assert sum(line.count("L") > 3 for line in lines) == 2


def test_every_score_has_its_dot() -> None:
    analysis = make_analysis(make_evidence(), faces_per_track=40, tracks=1)
    svg = timeline_svg(analysis).decode()
    scored = len(analysis.models[0].tracks[0].frames)
    dots = re.findall(r"<use [^>]*fill: #0072b2", svg)
    assert len(dots) == scored + 1  # and one in the legend


def test_short_tracks_share_a_lane_and_stay_visible() -> None:
    analysis = with_flickers(make_analysis(make_evidence()), 9)
    own, others = share_lanes(analysis, 7)
    assert [track.track_id for track in own] == [1, 2]
    assert len(others) == 9
    assert "9 others" in words(timeline_svg(analysis))


def test_a_model_id_is_data() -> None:
    analysis = make_analysis(make_evidence())
    hostile = replace(analysis.models[0], model_id='$\\frac{1}{0}$ <script>&"')
    text = words(timeline_svg(replace(analysis, models=(hostile,))))
    assert '$\\frac{1}{0}$ <script>&"' in text


def test_nothing_found_says_so() -> None:
    assert "No face was found" in words(timeline_svg(make_unscored(make_evidence())))
