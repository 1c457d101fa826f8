"""Where the head is and what the face does on it."""

from __future__ import annotations

import numpy as np
import pytest

from detector.faces.motion import landmarks as rows
from detector.faces.motion.geometry import FaceMotion, face_motion, resample
from detector.faces.motion.sequence import FaceSequence, around
from tests.faces.motion.moving_face import filmed, living_shape, still_face, times, wander

_SECONDS = 3.0


def _motion(sequence: FaceSequence) -> FaceMotion:
    frames = around(sequence, 0.3)
    assert frames is not None
    return face_motion(frames, 0.3)


def test_turning_and_nodding_are_found_in_degrees() -> None:
    pts_s = times(_SECONDS, 25)
    yaw, pitch = 5 * wander(pts_s, 2, 1.0), 3 * wander(pts_s, 3, 1.0)
    shape = np.repeat(still_face()[None], len(pts_s), axis=0)
    motion = _motion(filmed(shape, pts_s, yaw_deg=yaw, pitch_deg=pitch))
    grid = 0.3 + np.arange(30) / 12.5
    for column, truth in ((0, yaw), (1, pitch)):
        wanted = np.interp(grid, pts_s, truth)
        found = motion.pose_deg[:, column]
        assert found - found.mean() == pytest.approx(wanted - wanted.mean(), abs=0.5)


def test_a_head_that_only_turns_leaves_the_face_still() -> None:
    pts_s = times(_SECONDS, 25)
    shape = np.repeat(still_face()[None], len(pts_s), axis=0)
    turned = _motion(filmed(shape, pts_s, yaw_deg=6 * wander(pts_s, 2, 1.0)))
    talking = _motion(filmed(living_shape(pts_s), pts_s, yaw_deg=6 * wander(pts_s, 2, 1.0)))
    assert turned.shape.std(0).max() < 0.1 * talking.shape.std(0).max()


def test_a_mouth_that_opens_does_not_turn_the_head() -> None:
    pts_s = times(_SECONDS, 25)
    motion = _motion(filmed(living_shape(pts_s), pts_s))
    assert np.abs(motion.pose_deg - motion.pose_deg.mean(0)).max() < 0.2
    assert motion.shape[:, rows.CHIN_TIP, 1].std() > 0.01


def test_shifts_are_in_eye_distances() -> None:
    pts_s = times(_SECONDS, 25)
    shift = np.column_stack([0.2 * np.sin(2 * np.pi * 0.5 * pts_s), np.zeros(len(pts_s))])
    shape = np.repeat(still_face()[None], len(pts_s), axis=0)
    motion = _motion(filmed(shape, pts_s, shift=shift, eyes_px=80))
    assert np.ptp(motion.shift[:, 0]) == pytest.approx(0.4, rel=0.05)
    assert np.ptp(motion.shift[:, 1]) < 0.01


def test_resampling_keeps_a_line_where_a_frame_is_missing() -> None:
    pts_s = np.delete(times(2.0, 12.5), [10, 11])
    grid = np.linspace(0.3, 1.6, 20)
    found = resample(3 * pts_s[:, None] + 1, pts_s, grid, 0.05)
    assert found[:, 0] == pytest.approx(3 * grid + 1, abs=1e-3)
