"""What the features of a face's motion answer to."""

from __future__ import annotations

import numpy as np
import pytest

from detector.faces.motion import FEATURES, FaceSequence, measure_motion
from detector.faces.motion import landmarks as rows
from tests.faces.motion.moving_face import filmed, living, living_shape, still_face, times, wander


def _features(sequence: FaceSequence) -> dict[str, float]:
    (window,) = measure_motion(sequence).windows
    return dict(zip(FEATURES, window.features.tolist(), strict=True))


def test_every_feature_has_a_name_of_its_own_and_a_finite_value() -> None:
    (window,) = measure_motion(living()).windows
    assert len(set(FEATURES)) == len(FEATURES) == len(window.features)
    assert np.isfinite(window.features).all()


@pytest.mark.parametrize("turning", [0.0, 5.0])
def test_a_photograph_is_not_measured_even_where_it_is_moved_about(turning: float) -> None:
    pts_s = times(3.0, 25)
    still = np.repeat(still_face()[None], len(pts_s), axis=0)
    sequence = filmed(still, pts_s, yaw_deg=turning * wander(pts_s, 2))
    assert (measure_motion(sequence).windows, measure_motion(sequence).missing) == ((), "still")


def test_a_face_of_which_one_lid_moves_gives_finite_values() -> None:
    pts_s = times(3.0, 25)
    shape = np.repeat(still_face()[None], len(pts_s), axis=0)
    shape[:, list(rows.UPPER_LIDS[0]), 1] += 0.02 * wander(pts_s, 4)[:, None]
    (window,) = measure_motion(filmed(shape, pts_s, faces=np.zeros((75, 64, 64), np.uint8))).windows
    assert np.isfinite(window.features).all()


def test_a_long_clip_gives_as_many_windows_as_fit_between_cuts() -> None:
    whole = living(8.0)
    points = whole.landmarks.copy()
    points[75:, :, 0] += 300
    parted = FaceSequence(points, whole.pts_s, whole.faces)
    assert len(measure_motion(whole).windows) == 3
    windows = measure_motion(parted).windows
    assert len(windows) == 3
    assert windows[0].end_s <= 3.0 + 0.05
    assert windows[1].start_s >= 3.0


@pytest.mark.parametrize(("code", "seconds", "fps"), [("too_short", 2.0, 25.0), ("low_frame_rate", 4.0, 7.0)])
def test_what_cannot_be_measured_has_a_reason(code: str, seconds: float, fps: float) -> None:
    measurement = measure_motion(living(seconds, fps))
    assert (measurement.windows, measurement.missing) == ((), code)


def test_a_face_too_small_is_not_measured() -> None:
    assert measure_motion(living(eyes_px=18.0)).missing == "small_face"
    assert measure_motion(living(eyes_px=22.0)).windows


def test_without_a_face_there_is_a_reason() -> None:
    seen = living()
    measurement = measure_motion(FaceSequence(np.full_like(seen.landmarks, np.nan), seen.pts_s, seen.faces))
    assert measurement.missing == "no_face"


def test_neither_the_size_of_the_face_nor_its_place_matters() -> None:
    near = measure_motion(living(eyes_px=200.0)).windows[0].features
    far = measure_motion(living(eyes_px=50.0, centre_px=(900.0, 500.0))).windows[0].features
    assert far == pytest.approx(near, abs=0.05)


def test_the_same_motion_at_another_frame_rate_gives_about_the_same() -> None:
    slow, fast = (measure_motion(living(fps=fps)).windows[0].features for fps in (16.0, 48.0))
    apart = np.abs(slow - fast)
    assert np.median(apart) < 0.02
    assert apart.max() < 0.5


def test_cheeks_that_follow_the_mouth_show_in_their_coupling() -> None:
    pts_s = times(3.0, 25)
    alone = living_shape(pts_s)
    pulled = alone.copy()
    pulled[:, list(rows.CHEEKS[0]), 1] += 0.01 * wander(pts_s, 1)[:, None]
    name = "opening_with_cheek_right"
    assert _features(filmed(pulled, pts_s))[name] > 0.9
    assert abs(_features(filmed(alone, pts_s))[name]) < 0.5


def test_eyes_that_hold_their_aim_turn_against_the_head() -> None:
    pts_s = times(3.0, 25)
    yaw = 5 * wander(pts_s, 2)
    fixed = np.repeat(still_face()[None], len(pts_s), axis=0)
    fixed[:, list(rows.CHEEKS[0]), 1] += 0.02 * wander(pts_s, 4)[:, None]
    aiming = fixed.copy()
    aiming[:, [rows.RIGHT_IRIS, rows.LEFT_IRIS], 0] -= 0.004 * yaw[:, None]
    assert _features(filmed(aiming, pts_s, yaw_deg=yaw))["gaze_gain_yaw"] < -0.05
    assert abs(_features(filmed(fixed, pts_s, yaw_deg=yaw))["gaze_gain_yaw"]) < 0.03


def test_a_head_that_trembles_is_rough() -> None:
    pts_s = times(3.0, 25)
    calm = 5 * wander(pts_s, 2, 0.8)
    trembling = calm + 2 * np.sin(2 * np.pi * 4 * pts_s)
    shape = living_shape(pts_s)
    smooth, rough = (_features(filmed(shape, pts_s, yaw_deg=yaw)) for yaw in (calm, trembling))
    for name in ("head_acceleration_to_speed", "head_jerk_to_acceleration"):
        assert rough[name] > smooth[name] + 0.3


def test_a_head_that_shifts_as_it_turns_is_explained_by_its_turning() -> None:
    pts_s = times(3.0, 25)
    yaw, other = 5 * wander(pts_s, 2), 0.1 * wander(pts_s, 7)
    shape = living_shape(pts_s)
    on_a_neck = filmed(shape, pts_s, yaw_deg=yaw, shift=np.column_stack([0.02 * yaw, other]))
    adrift = filmed(shape, pts_s, yaw_deg=yaw, shift=np.column_stack([other, other]))
    assert _features(on_a_neck)["head_right_by_turning"] > 0.9
    assert _features(adrift)["head_right_by_turning"] < 0.6


def test_light_that_flickers_shows_and_light_that_drifts_does_not() -> None:
    pts_s = times(3.0, 25)
    picture = np.random.default_rng(0).integers(60, 160, (64, 64)).astype(float)
    drifting = picture[None] + 20 * np.sin(2 * np.pi * 0.2 * pts_s)[:, None, None]
    flickering = picture[None] + 20 * np.sin(2 * np.pi * 4 * pts_s)[:, None, None]
    calm, loud = (
        _features(filmed(living_shape(pts_s), pts_s, faces=faces.astype(np.uint8)))["flicker"]
        for faces in (drifting, flickering)
    )
    assert loud > calm + 1.5


def test_skin_whose_detail_is_drawn_anew_is_unlike_itself() -> None:
    pts_s = times(3.0, 25)
    draw = np.random.default_rng(0)
    kept = np.repeat(draw.integers(60, 200, (1, 64, 64)), len(pts_s), axis=0).astype(np.uint8)
    anew = draw.integers(60, 200, (len(pts_s), 64, 64)).astype(np.uint8)
    steady, boiling = (
        _features(filmed(living_shape(pts_s), pts_s, faces=faces))["forehead_detail_change"] for faces in (kept, anew)
    )
    assert boiling > steady + 2
