"""Class activation maps held to a known truth: the right place wins, and chance is told from it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from detector.errors import EvidenceError
from detector.explain.cam import METHODS, RANDOM
from detector.explain.cam_comparison import MIDDLE, CamComparison, CamRow, KnownFace, compare_cams
from detector.registry import FrameModel
from tests.analysis.fakes import make_face
from tests.explain.test_explainer import bright_square, make_model

FACE = make_face(left=6.0)


def changed(rows: slice, columns: slice) -> NDArray[np.float32]:
    mask = np.zeros((48, 64), np.float32)
    mask[rows, columns] = 1
    return mask


SQUARE = changed(slice(8, 14), slice(8, 14))
ELSEWHERE = changed(slice(15, 19), slice(17, 21))


def compared(*masks: NDArray[np.float32]) -> CamComparison:
    model = make_model()
    assert isinstance(model, FrameModel)
    known = [KnownFace(bright_square(4 + at), FACE, mask, f"clip {at}") for at, mask in enumerate(masks)]
    return compare_cams(model, known)


def row_of(found: CamComparison, method: str) -> CamRow:
    return next(row for row in found.rows if row.method == method)


def test_a_map_of_what_was_changed_is_told_from_chance() -> None:
    found = compared(SQUARE, SQUARE, SQUARE)
    assert [row.method for row in found.rows] == [*METHODS, RANDOM, MIDDLE]
    assert (found.faces, found.groups) == (3, 3)
    grad_cam = row_of(found, "Grad-CAM")
    assert grad_cam.pointing.mean == 1.0
    assert grad_cam.iou.mean > 0.5 > found.chance_iou
    assert grad_cam.road.mean > 0.05
    assert grad_cam.faithful.mean == 1.0
    assert grad_cam.iou.gain == 0.0
    assert row_of(found, RANDOM).road.gain < 0


def test_a_map_can_be_faithful_to_the_model_and_miss_what_was_changed() -> None:
    grad_cam = row_of(compared(ELSEWHERE, ELSEWHERE), "Grad-CAM")
    assert grad_cam.pointing.mean == 0.0
    assert grad_cam.iou.mean < 0.2
    assert grad_cam.faithful.mean == 1.0


def test_a_spot_in_the_middle_hits_what_lies_there_and_nothing_else() -> None:
    left, top, right, bottom = FACE.bbox_xyxy_px
    middle = slice(round((top + bottom) / 2) - 3, round((top + bottom) / 2) + 3)
    inside = changed(middle, slice(round((left + right) / 2) - 3, round((left + right) / 2) + 3))
    assert row_of(compared(inside), MIDDLE).pointing.mean == 1.0
    assert row_of(compared(SQUARE), MIDDLE).iou.mean < row_of(compared(SQUARE), "Grad-CAM").iou.mean


def test_faces_that_cannot_be_missed_or_hit_are_left_out() -> None:
    whole, nothing = np.ones((48, 64), np.float32), np.zeros((48, 64), np.float32)
    assert compared(SQUARE, whole, nothing).faces == 1
    with pytest.raises(EvidenceError, match="Give more clips"):
        compared(whole, nothing)


def test_equal_faces_give_equal_figures() -> None:
    assert compared(SQUARE, ELSEWHERE) == compared(SQUARE, ELSEWHERE)
