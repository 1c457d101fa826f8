"""Two analyses compared: what counts as equal, and how differences are gathered."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from detector.analysis import analysis_to_json
from detector.replay import compare
from tests.report.conftest import make_analysis, make_every_kind, make_evidence


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(analysis_to_json(make_every_kind(make_evidence())))
    return found


@pytest.fixture
def replayed(recorded: dict[str, Any]) -> dict[str, Any]:
    return copy.deepcopy(recorded)


def frame_of(analysis: dict[str, Any], index: int) -> dict[str, Any]:
    frame: dict[str, Any] = analysis["models"][0]["tracks"][0]["frames"][index]
    return frame


def test_the_same_is_equal_whoever_ran_it_and_how_fast(recorded: dict[str, Any], replayed: dict[str, Any]) -> None:
    replayed |= {"timings": {"total": 99.0}, "analysis_id": "other", "environment": {"torch": "9"}}
    replayed["tool"] = {"name": "framewitness", "version": "9", "commit": None}
    found = compare(recorded, replayed)
    assert (found.outcome, found.groups) == ("equal", ())
    assert found.compared > 3_000


def test_thousands_of_differing_logits_are_one_line(recorded: dict[str, Any], replayed: dict[str, Any]) -> None:
    frames = [frame for track in replayed["models"][0]["tracks"] for frame in track["frames"]]
    for number, frame in enumerate(frames):
        frame["logit"] += 0.002 if number % 2 else 0.0005
    frames[7]["logit"] += 0.5
    (group,) = compare(recorded, replayed).groups
    assert group.path == "models[frame-b0].tracks[*].frames[*].logit"
    assert (group.beyond, group.within) == (len(frames) // 2, len(frames) - len(frames) // 2)
    assert group.largest == pytest.approx(0.502)
    assert group.allowed == 0.001
    assert group.worst.path == f"models[frame-b0].tracks[1].frames[pts {frames[7]['pts']}].logit"
    assert group.worst.replayed == pytest.approx(group.worst.recorded + 0.502)
    assert len(group.differences) == len(frames)


@pytest.mark.parametrize(
    ("key", "change", "tolerance", "outcome"),
    [
        ("logit", 0.0009, 0.001, "within_tolerance"),
        ("logit", -0.0011, 0.001, "different"),
        ("logit", 0.0011, 0.01, "within_tolerance"),
        ("logit", 1e-9, 0.0, "different"),
        ("score", 0.0002, 0.001, "within_tolerance"),
        ("score", 0.0003, 0.001, "different"),
        ("weight", 0.0009, 0.001, "within_tolerance"),
        ("weight", 0.0011, 0.001, "different"),
        ("frame_index", 1, 0.001, "different"),
    ],
)
def test_each_kind_of_number_has_its_tolerance(
    recorded: dict[str, Any], replayed: dict[str, Any], key: str, change: float, tolerance: float, outcome: str
) -> None:
    frame_of(replayed, 3)[key] += change
    assert compare(recorded, replayed, logit_tolerance=tolerance).outcome == outcome


def test_large_numbers_have_a_relative_tolerance(recorded: dict[str, Any], replayed: dict[str, Any]) -> None:
    box = replayed["tracks"][0]["frames"][0]["bbox_xyxy_px"]
    box[0] += 0.1
    assert compare(recorded, replayed).outcome == "within_tolerance"
    box[0] += 0.1
    (group,) = compare(recorded, replayed).groups
    assert (group.path, group.beyond) == ("tracks[*].frames[*].bbox_xyxy_px[*]", 1)


def test_a_missing_frame_is_one_difference(recorded: dict[str, Any], replayed: dict[str, Any]) -> None:
    gone = replayed["models"][0]["tracks"][0]["frames"].pop(0)
    found = compare(recorded, replayed)
    (group,) = found.groups
    assert found.outcome == "different"
    assert (group.beyond, group.largest) == (1, None)
    assert group.worst.path == f"models[frame-b0].tracks[1].frames[pts {gone['pts']}]"
    assert group.worst.absent_from == "replayed"


def test_the_order_of_tracks_and_models_does_not_matter(recorded: dict[str, Any], replayed: dict[str, Any]) -> None:
    replayed["tracks"].reverse()
    replayed["models"].reverse()
    assert compare(recorded, replayed).outcome == "equal"


def test_words_and_kinds_must_be_the_same(recorded: dict[str, Any], replayed: dict[str, Any]) -> None:
    replayed["conclusion"]["label"] = "inconclusive"
    replayed["conclusion"]["calibrated"] = 0
    frame_of(replayed, 0)["logit"] = None
    found = {group.path: group for group in compare(recorded, replayed).groups}
    assert set(found) == {"conclusion.label", "conclusion.calibrated", "models[frame-b0].tracks[*].frames[*].logit"}
    assert all(group.beyond == 1 for group in found.values())
    assert found["conclusion.label"].worst.recorded == "likely_manipulated"


def test_what_a_newer_schema_adds_is_told_and_not_compared(recorded: dict[str, Any], replayed: dict[str, Any]) -> None:
    replayed["evidence"]["later"] = {"a": 1}
    assert compare(recorded, replayed).outcome == "different"
    found = compare({**recorded, "schema_version": "1.0"}, replayed)
    assert found.outcome == "equal"
    assert found.one_sided == ("evidence.later (only in the replay)",)


def test_a_not_a_number_is_never_within_tolerance() -> None:
    assert compare({"logit": 1.0}, {"logit": float("nan")}).outcome == "different"


def test_frames_that_share_a_name_are_compared_by_position() -> None:
    one = json.loads(analysis_to_json(make_analysis(make_evidence(), faces_per_track=3)))
    one["tracks"][0]["frames"][1]["pts"] = one["tracks"][0]["frames"][0]["pts"]
    other = copy.deepcopy(one)
    other["tracks"][0]["frames"][2]["detection_score"] = 0.5
    (group,) = compare(one, other).groups
    assert group.worst.path == "tracks[1].frames[2].detection_score"
