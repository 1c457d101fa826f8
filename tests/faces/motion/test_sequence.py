"""Windows of one length and one frame rate."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from detector.faces.motion import FaceSequence, align_face
from detector.faces.motion.landmarks import LANDMARKS, LEFT_EYE_CORNER, RIGHT_EYE_CORNER
from detector.faces.motion.sequence import WINDOW_S, around, stretches, window_starts
from tests.faces.motion.moving_face import living


@pytest.mark.parametrize("change", ["jump", "zoom", "gap", "lost"])
def test_a_cut_parts_the_stretch(change: str) -> None:
    whole = living(4.0)
    points, times = whole.landmarks.copy(), whole.pts_s.copy()
    if change == "jump":
        points[50:, :, 0] += 200
    elif change == "zoom":
        centre = points[50:].mean((0, 1))
        points[50:] = (points[50:] - centre) * 1.6 + centre
    elif change == "gap":
        times[50:] += 0.5
    else:
        points[50:60] = np.nan
    parts = stretches(FaceSequence(points, times, whole.faces))
    assert len(stretches(whole)) == 1
    assert [len(part.pts_s) for part in parts] == [50, 40 if change == "lost" else 50]


def test_one_lost_frame_does_not_part_the_stretch() -> None:
    points = living(4.0).landmarks.copy()
    points[50] = np.nan
    whole = living(4.0)
    (part,) = stretches(FaceSequence(points, whole.pts_s, whole.faces))
    assert len(part.pts_s) == 99


def test_windows_lie_side_by_side_about_the_middle() -> None:
    (stretch,) = stretches(living(6.0))
    first, second = window_starts(stretch)
    assert second - first == pytest.approx(WINDOW_S)
    before, after = first - stretch.pts_s[0], stretch.pts_s[-1] - (second + WINDOW_S)
    assert before == pytest.approx(after, abs=0.06)


def test_a_window_brings_a_quarter_second_at_either_end() -> None:
    (stretch,) = stretches(living(6.0))
    frames = around(stretch, 1.0)
    assert frames is not None
    assert frames.pts_s[0] == pytest.approx(0.76)
    assert frames.pts_s[-1] == pytest.approx(3.64)


def test_shapes_that_do_not_belong_together_are_refused() -> None:
    good = living(1.0)
    with pytest.raises(ValueError, match="shape"):
        FaceSequence(good.landmarks[:, :468], good.pts_s, good.faces)
    with pytest.raises(ValueError, match="ascend"):
        FaceSequence(good.landmarks, good.pts_s[::-1], good.faces)


def test_the_eyes_of_an_aligned_face_are_level_and_twenty_six_pixels_apart() -> None:
    image = np.zeros((300, 300, 3), np.uint8)
    points = np.zeros((LANDMARKS, 3), np.float32)
    points[RIGHT_EYE_CORNER, :2], points[LEFT_EYE_CORNER, :2] = (100, 120), (180, 180)
    for row in (RIGHT_EYE_CORNER, LEFT_EYE_CORNER):
        cv2.circle(image, (int(points[row, 0]), int(points[row, 1])), 6, (255, 255, 255), -1)
    face = align_face(image, points)
    assert face[22, 19] > 150
    assert face[22, 45] > 150
    assert (face > 100).sum() < 60
