"""A still moved by a flow: poses move what they name, and nothing for the pose of the still itself."""

import cv2
import numpy as np

from detector.synthesis.reenact import (
    INNER_LIPS,
    Pose,
    apply_flow,
    draw_pose,
    flow_of,
    moved_points,
    redraw_mouth,
    reenact,
)
from detector.synthesis.regions import REGIONS, region_mask
from tests.synthesis.faces import face_image


def test_no_pose_is_no_change() -> None:
    face = face_image()
    flow = flow_of(face, Pose())
    assert np.abs(flow).max() == 0
    np.testing.assert_array_equal(apply_flow(face.image, flow), face.image)


def test_a_turn_moves_the_middle_of_the_face_against_its_rim() -> None:
    face = face_image()
    flow = flow_of(face, Pose(yaw=0.1))
    centre = face.landmarks.mean(0).astype(int)
    rim = face.landmarks[:, 0].min().astype(int)
    assert flow[centre[1], centre[0], 0] < -2  # the picture comes from the left: the nose moves right
    assert flow[centre[1], rim, 0] > flow[centre[1], centre[0], 0] + 2
    assert np.abs(flow[..., 1]).max() < 1e-3


def test_opening_the_mouth_moves_the_lower_lip_down_and_leaves_the_brow() -> None:
    face = face_image()
    lips = face.landmarks[list(REGIONS["mouth"])]
    below = np.float32([[lips[:, 0].mean(), lips[:, 1].max() - 2]])
    brow = np.float32([[lips[:, 0].mean(), face.landmarks[:, 1].min()]])
    flow = flow_of(face, Pose(mouth=0.1))
    assert moved_points(below, flow)[0, 1] > below[0, 1] + 2
    assert np.abs(moved_points(brow, flow) - brow).max() < 0.5


def test_equal_seeds_give_equal_pixels_and_every_pose_is_visible() -> None:
    face = face_image()
    for seed in range(5):
        first, again = (reenact(face, np.random.default_rng(seed)) for _ in range(2))
        np.testing.assert_array_equal(first.image, again.image)
        assert np.abs(first.image.astype(int) - face.image).mean() > 1


def test_the_mouth_is_painted_only_about_the_lips() -> None:
    face = face_image()
    landmarks = face.landmarks.copy()
    angles = np.linspace(0, 2 * np.pi, len(INNER_LIPS), endpoint=False)
    landmarks[list(INNER_LIPS)] = np.stack([124 + 12 * np.cos(angles), 132 + 3 * np.sin(angles)], 1)
    painted = redraw_mouth(face.image, landmarks, 0.06, np.random.default_rng(0))
    changed = np.abs(painted.astype(int) - face.image).max(2) > 2
    mouth = cv2.dilate(region_mask(face.landmarks, changed.shape, "mouth"), np.ones((25, 25)))
    assert changed.any()
    assert not changed[mouth == 0].any()


def test_scaled_poses_shrink() -> None:
    pose = draw_pose(np.random.default_rng(3))
    assert pose.scaled(0.0) == Pose(0, 0, 0, 0, 0, 0, 0)
    assert pose.scaled(-1).yaw == -pose.yaw
