"""Faces of which it is known where they were changed, from genuine clips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detector.errors import EvidenceError
from detector.synthesis.twin_faces import LOCAL_KINDS, twin_faces
from tests.pages.seed import write_clip


def test_each_kind_gives_faces_with_what_was_changed_inside_their_boxes(tmp_path: Path) -> None:
    first, second = (write_clip(tmp_path / name, seconds=0.8) for name in ("a.mp4", "b.mp4"))
    found = list(twin_faces([first, second], frames=1))
    assert {(one.source, one.fake.kind) for one in found} >= {("a", "swap"), ("b", "swap"), ("a", "mouth")}
    assert {one.fake.kind for one in found} <= set(LOCAL_KINDS)
    for one in found:
        left, top, right, bottom = (round(side) for side in one.face.bbox_xyxy_px)
        inside = one.fake.mask[max(0, top) : bottom, max(0, left) : right]
        assert one.fake.image.shape[:2] == one.fake.mask.shape
        assert inside.sum() > 0.7 * one.fake.mask.sum() > 0


def test_without_another_clip_no_face_is_swapped(tmp_path: Path) -> None:
    found = list(twin_faces([write_clip(tmp_path / "a.mp4", seconds=0.8)], frames=2))
    assert "swap" not in {one.fake.kind for one in found}
    assert max(np.unique([one.fake.kind for one in found], return_counts=True)[1]) == 2


def test_a_file_without_a_face_is_refused(tmp_path: Path) -> None:
    import cv2

    cv2.imwrite(str(tmp_path / "grey.png"), np.full((300, 300, 3), 127, np.uint8))
    with pytest.raises(EvidenceError, match="found none"):
        list(twin_faces([tmp_path / "grey.png"]))
