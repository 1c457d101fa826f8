"""Measurements of a face from frame to frame: changes of the face, not motion of the picture."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from detector.faces.temporal import (
    FLOW_STEPS,
    PAIR_PLANES,
    REGIONS,
    TEMPORAL_DIFFERENCES,
    differences_to_previous,
    frame_pair,
    lay_over,
    temporal_differences,
    thumbnail,
)

MARGIN = 0.2
Picture = NDArray[np.uint8]


def _crop(astronaut: Picture, shift: tuple[int, int] = (0, 0)) -> Picture:
    """A crop of the astronaut's face and what is around it, moved by whole pixels."""
    return np.ascontiguousarray(astronaut[20 + shift[1] : 244 + shift[1], 112 + shift[0] : 336 + shift[0]])


def _face(crop: Picture) -> NDArray[np.float32]:
    """1 inside an ellipse within the face, 0 outside, (S, S, 1)."""
    side = crop.shape[0]
    mask = np.zeros(crop.shape[:2], np.float32)
    cv2.ellipse(mask, (side // 2, side // 2), (round(0.27 * side), round(0.33 * side)), 0, 0, 360, 1.0, -1)
    return mask[..., None]


def _change(before: Picture, now: Picture) -> dict[str, float]:
    values = temporal_differences([thumbnail(now)], MARGIN, before=thumbnail(before))[0]
    return dict(zip(TEMPORAL_DIFFERENCES, values.tolist(), strict=True))


def _mean(change: dict[str, float], measure: str) -> dict[str, float]:
    return {
        region: float(np.mean([value for name, value in change.items() if name.startswith(f"{region}_{measure}")]))
        for region in REGIONS
    }


def test_a_pair_holds_both_frames_and_the_motion_between_them(astronaut: Picture) -> None:
    now, before = (thumbnail(_crop(astronaut, (shift, 0))) for shift in (0, 7))  # 7 of 224 pixels: 2 of 64
    pair = frame_pair(before, now)
    assert (pair.shape, pair.dtype) == ((64, 64, PAIR_PLANES), np.uint8)
    np.testing.assert_array_equal(pair[..., :3], now)
    np.testing.assert_array_equal(pair[..., 6:9], before)
    middle = pair[12:52, 12:52].astype(int)
    laid, moved = (np.abs(middle[..., :3] - middle[..., plane : plane + 3]).mean() for plane in (3, 6))
    assert laid < 0.4 * moved
    across, down = ((np.median(middle[..., plane]) - 128) / FLOW_STEPS for plane in (9, 10))
    np.testing.assert_allclose((across, down), (-2, 0), atol=0.4)
    assert not frame_pair(None, now).any()


def test_what_is_known_to_lie_over_a_frame_is_not_looked_for_again(
    astronaut: Picture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, before = (thumbnail(_crop(astronaut, (shift, 0))) for shift in (0, 7))
    pair, change = frame_pair(before, now), differences_to_previous([before], [now], MARGIN)
    laid = lay_over(before, now)
    monkeypatch.setattr(cv2.DISOpticalFlow, "create", None)
    np.testing.assert_array_equal(frame_pair(before, now, laid=laid), pair)
    np.testing.assert_array_equal(differences_to_previous([before], [now], MARGIN, laid=[laid]), change)


def test_each_frame_is_held_against_the_one_before(astronaut: Picture) -> None:
    crops = [thumbnail(_crop(astronaut, (step, 0))) for step in range(4)]
    table = temporal_differences(crops, MARGIN)
    assert table.shape == (4, len(TEMPORAL_DIFFERENCES)) == (4, 42)
    assert np.isnan(table[0]).all()
    assert np.isfinite(table[1:]).all()
    np.testing.assert_array_equal(temporal_differences(crops[2:], MARGIN, before=crops[1]), table[2:])
    assert temporal_differences([], MARGIN).shape == (0, 42)
    since = differences_to_previous([None, crops[0], crops[0]], crops[:3], MARGIN)
    np.testing.assert_array_equal(since[:2], table[:2])
    assert np.abs(since[2] - table[2]).max() > 0.1


def test_nothing_changed_is_nothing(astronaut: Picture) -> None:
    still = _change(_crop(astronaut), _crop(astronaut))
    assert all(abs(value) < 0.05 for value in _mean(still, "gain").values())
    assert all(abs(value) < 0.05 for name, value in still.items() if name.startswith("slide") or "detail" in name)


def test_light_on_the_face_alone_is_a_gain_of_the_face(astronaut: Picture) -> None:
    crop = _crop(astronaut)
    lit = np.clip(crop * (1 + 0.15 * _face(crop)), 0, 255).astype(np.uint8)
    gain = _mean(_change(crop, lit), "gain")
    assert min(gain["forehead"], gain["eyes"], gain["cheeks"]) > 10 * np.log(1.08)
    assert abs(gain["around"]) < 0.25 * gain["cheeks"]
    everywhere = _mean(_change(crop, np.clip(crop * 1.15, 0, 255).astype(np.uint8)), "gain")
    assert everywhere["around"] > 0.6 * everywhere["cheeks"]


def test_a_face_that_slides_against_its_surroundings_is_told_from_one_that_moves_with_them(astronaut: Picture) -> None:
    crop = _crop(astronaut)
    mask = cv2.GaussianBlur(_face(crop), (0, 0), 4)[..., None]
    slid = (mask * _crop(astronaut, (-7, 0)) + (1 - mask) * crop).astype(np.uint8)
    alone, together = _change(crop, slid), _change(crop, _crop(astronaut, (-7, 0)))
    assert abs(alone["slide_shift_x"]) > 3 * abs(together["slide_shift_x"])
    assert together["motion_around"] > alone["motion_around"]


def test_a_face_repainted_softly_loses_detail_there(astronaut: Picture) -> None:
    crop = _crop(astronaut)
    mask = _face(crop)
    soft = (mask * cv2.GaussianBlur(crop, (0, 0), 6) + (1 - mask) * crop).astype(np.uint8)
    detail = _mean(_change(crop, soft), "detail")
    assert max(detail["eyes"], detail["mouth"]) < -1
    assert abs(detail["around"]) < 0.5
