"""Clips from a still: the genuine one only moves with the camera, the talking head speaks under the same camera."""

import numpy as np

from detector.synthesis.animate import pose_path, still_clip, talking_head
from detector.synthesis.reconstruction import build_reconstruction_network
from tests.synthesis.faces import face_image

SMALL = {"seconds": 0.8, "fps": 10, "size_px": 160}


def test_equal_seeds_give_equal_pixels_and_the_mesh_moves_with_the_camera() -> None:
    first, again, other = (still_clip(face_image(), seed=seed, **SMALL) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.images, again.images)
    assert not np.array_equal(first.images, other.images)
    assert len(first.times_s) == 8
    shape = first.landmarks - first.landmarks.mean(1, keepdims=True)
    assert np.ptp(first.landmarks.mean(1), axis=0).max() > 0.1
    assert np.abs(shape / np.ptp(shape, axis=1, keepdims=True) - shape[0] / np.ptp(shape[0], axis=0)).max() < 0.08


def test_a_talking_head_speaks_where_the_genuine_clip_keeps_still() -> None:
    face = face_image()
    real, fake = still_clip(face, seed=1, **SMALL), talking_head(face, seed=1, **SMALL)
    assert fake.masks.min() == 255
    assert fake.intervals_s == ((0.0, real.duration_s),)
    difference = np.abs(fake.clip.images.astype(int) - real.images).mean((0, 3))
    low, high = real.landmarks.min((0, 1)).astype(int), real.landmarks.max((0, 1)).astype(int)
    inside = difference[low[1] : high[1], low[0] : high[0]].mean()
    assert inside > 2
    assert inside > 3 * difference[:, : max(1, low[0] - 25)].mean()


def test_a_network_redraws_the_talking_head() -> None:
    network = build_reconstruction_network("detail", {"up_sampling": "nearest", "width": 8}).eval()
    short = {**SMALL, "seconds": 0.2}
    plain, redrawn = (talking_head(face_image(), networks=networks, **short) for networks in ([], [network]))
    assert np.abs(plain.clip.images.astype(int) - redrawn.clip.images).mean() > 0.5


def test_poses_blink_and_speak_and_shrink_with_strength() -> None:
    times = np.arange(200) / 25
    lively = pose_path(times, np.random.default_rng(0), 1.0)
    calm = pose_path(times, np.random.default_rng(0), 0.5)
    assert max(pose.blink for pose in lively) > 0.6
    assert np.std([pose.mouth for pose in lively]) > 0.01
    np.testing.assert_allclose([pose.yaw for pose in calm], [0.5 * pose.yaw for pose in lively])
