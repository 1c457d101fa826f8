from __future__ import annotations

import math

import pytest

from detector.analysis.types import sigmoid
from pages.parts.shared.readings import Readings, nearest, step
from tests.pages.seed import Seeded


@pytest.mark.parametrize(
    ("pts", "by", "expected"),
    [(20, 1, 30), (20, -1, 10), (20, 10, 50), (20, -10, 10), (50, 1, 50), (25, 1, 30), (25, -1, 20), (99, -1, 50)],
)
def test_step_moves_by_moments_and_stops_at_the_ends(pts: int, by: int, expected: int) -> None:
    assert step((10, 20, 30, 40, 50), pts, by) == expected


def test_nearest_prefers_the_earlier_of_two_equally_close() -> None:
    assert nearest((10, 20), 15) == 0
    assert nearest((10, 20), 16) == 1


def test_a_face_that_no_model_scored_has_no_score(seeded: Seeded) -> None:
    readings = Readings.of(seeded.analysis)
    unscored = (2, seeded.analysis.tracks[1].faces[0].pts)
    assert unscored in readings.faces
    assert readings.combined_score(unscored) is None


def test_strongest_is_the_face_with_the_highest_score(seeded: Seeded) -> None:
    readings = Readings.of(seeded.analysis)
    best = max(
        (frame.logit, track.track_id, frame.pts) for track in seeded.analysis.models[0].tracks for frame in track.frames
    )
    assert readings.strongest() == best[1:]
    assert math.isclose(readings.combined_score(best[1:]) or 0, sigmoid(best[0]))
