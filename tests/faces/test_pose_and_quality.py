from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from detector.faces import DetectedFace, FaceAnalyser
from detector.settings import AnalysisSettings
from tests.faces.conftest import Picture, frame_of


def look(image: Picture, **settings: float) -> DetectedFace:
    with FaceAnalyser(AnalysisSettings(**settings)) as analyser:  # type: ignore[arg-type]
        faces = analyser.analyse(frame_of(image))
    assert len(faces) == 1
    return faces[0]


def pose(image: Picture) -> tuple[float, float, float]:
    quality = look(image).quality
    assert quality.yaw_deg is not None
    assert quality.pitch_deg is not None
    assert quality.roll_deg is not None
    return quality.yaw_deg, quality.pitch_deg, quality.roll_deg


def lean(image: Picture, clockwise_deg: float) -> Picture:
    turn = cv2.getRotationMatrix2D((225.0, 200.0), -clockwise_deg, 1.0)
    return np.asarray(cv2.warpAffine(image, turn, (512, 512), borderMode=cv2.BORDER_REPLICATE), dtype=np.uint8)


@pytest.mark.parametrize("clockwise_deg", [-60.0, -20.0, 20.0, 35.0])
def test_roll_is_clockwise_on_screen_and_leaves_yaw_and_pitch_alone(astronaut: Picture, clockwise_deg: float) -> None:
    yaw, pitch, roll = pose(astronaut)
    leaning_yaw, leaning_pitch, leaning_roll = pose(lean(astronaut, clockwise_deg))
    assert leaning_roll - roll == pytest.approx(clockwise_deg, abs=3.0)
    assert leaning_yaw == pytest.approx(yaw, abs=5.0)
    assert leaning_pitch == pytest.approx(pitch, abs=5.0)


def test_mirroring_turns_roll_round_and_keeps_pitch(astronaut: Picture) -> None:
    leaning = lean(astronaut, 20.0)
    _, pitch, roll = pose(leaning)
    _, mirrored_pitch, mirrored_roll = pose(np.ascontiguousarray(leaning[:, ::-1]))
    assert mirrored_roll == pytest.approx(-roll, abs=3.0)
    assert mirrored_pitch == pytest.approx(pitch, abs=4.0)


def test_pose_of_a_turned_mesh(astronaut: Picture) -> None:
    """Turn the mesh itself in space: signs and sizes of all three angles must follow."""
    from detector.faces.pose import head_pose

    points = look(astronaut).landmarks
    assert points is not None
    middle = points.mean(axis=0)
    straight = head_pose(points)

    def turned(axis: int, angle_deg: float) -> Picture:
        angle = np.radians(angle_deg)
        first, second = [(1, 2), (2, 0), (0, 1)][axis]
        matrix = np.eye(3)
        matrix[first, first] = matrix[second, second] = np.cos(angle)
        matrix[first, second], matrix[second, first] = -np.sin(angle), np.sin(angle)
        return ((points - middle) @ matrix.T + middle).astype(np.float32)

    # About the downward axis by +30 the nose, at negative z, moves to negative x: the left of the picture.
    assert head_pose(turned(1, 30.0)).yaw_deg - straight.yaw_deg == pytest.approx(-30.0, abs=3.0)
    # About the rightward axis by +20 the nose, at negative z, moves to positive y: down.
    assert head_pose(turned(0, 20.0)).pitch_deg - straight.pitch_deg == pytest.approx(-20.0, abs=2.0)
    assert head_pose(turned(2, 40.0)).roll_deg - straight.roll_deg == pytest.approx(40.0, abs=0.5)


def test_blur_is_flagged_and_weighs_less(astronaut: Picture) -> None:
    sharp, blurred = look(astronaut).quality, look(np.asarray(cv2.GaussianBlur(astronaut, (0, 0), 5.0))).quality
    assert "blurred" in blurred.flags
    assert "blurred" not in sharp.flags
    assert blurred.sharpness < sharp.sharpness / 10
    assert blurred.weight < 0.5 * sharp.weight


def test_darkness_and_glare_are_flagged(astronaut: Picture) -> None:
    dark = look((astronaut * 0.12).astype(np.uint8)).quality
    bright = look((255 - (255 - astronaut) * 0.25).astype(np.uint8)).quality
    assert "dark" in dark.flags
    assert dark.exposure < 0.12
    assert dark.weight < look(astronaut).quality.weight
    assert "bright" in bright.flags
    assert bright.exposure > 0.85


def test_small_follows_the_setting(paste: Callable[..., Picture]) -> None:
    picture = paste(60, 960, 540)
    assert "small" not in look(picture, min_face_px=48).quality.flags
    strict = look(picture, min_face_px=100).quality
    assert "small" in strict.flags
    assert strict.weight < look(picture, min_face_px=24).quality.weight


def test_a_face_cut_by_the_frame_is_occluded_and_weighs_less(astronaut: Picture) -> None:
    cut = look(np.ascontiguousarray(astronaut[:, 205:])).quality
    assert "occluded" in cut.flags
    assert cut.weight < 0.8 * look(astronaut).quality.weight


def test_weight_is_never_below_its_floor(paste: Callable[..., Picture]) -> None:
    poor = look(np.asarray(cv2.GaussianBlur(paste(60, 960, 540), (0, 0), 2.0)), min_face_px=200).quality
    assert 0.05 <= poor.weight < 0.15
