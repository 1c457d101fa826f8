"""The analyser with another library behind it, and what it makes of that library's mistakes."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field

import numpy as np
import pytest

from detector.faces import DetectedFace, FaceAnalyser
from detector.faces.backend import RawDetection, RawMesh
from detector.settings import AnalysisSettings
from tests.faces.conftest import Picture, frame_of

BLANK = np.full((400, 400, 3), 120, np.uint8)
BOX = (100.0, 100.0, 200.0, 200.0)
KEYPOINTS = np.array([[130, 130], [170, 130], [150, 150], [150, 175], [105, 135], [195, 135]], np.float32)


def face_points() -> np.ndarray:
    """A 468-point face in a 192-px crop whose eyes, nose and mouth lie where KEYPOINTS are in the frame."""
    points = np.random.default_rng(1).uniform(35.0, 157.0, (468, 3)).astype(np.float32)
    points[:, 2] = 0.0
    in_crop = (KEYPOINTS - 150.0) * (192.0 / 150.0) + 96.0
    for keypoint, rows in {0: (33, 133), 1: (362, 263), 2: (1,), 3: (13, 14)}.items():
        points[list(rows), :2] = in_crop[keypoint]
    points[[10, 152, 234, 454], :2] = [[96.0, 32.0], [96.0, 160.0], [40.0, 96.0], [152.0, 96.0]]
    return points


@dataclass
class FakeLibrary:
    score: float = 0.9
    presence: float | None = 1.0
    points: np.ndarray = field(default_factory=face_points)
    closed: int = 0
    detector_input_px: int = 192
    mesh_input_px: int = 192

    def detect(self, image: Picture) -> tuple[RawDetection, ...]:
        return (RawDetection(BOX, self.score, KEYPOINTS),) if image.shape[:2] == (384, 384) else ()

    def mesh(self, crop: Picture) -> RawMesh | None:
        assert crop.shape == (192, 192, 3)
        return None if self.presence is None else RawMesh(self.points, self.presence)

    def close(self) -> None:
        self.closed += 1


def analyse(library: FakeLibrary, **settings: float) -> tuple[DetectedFace, ...]:
    # 384 = twice the detector's input: the frame is searched at its own size.
    with FaceAnalyser(AnalysisSettings(**settings), backend=library) as analyser:  # type: ignore[arg-type]
        return analyser.analyse(frame_of(BLANK[:384, :384]))


def test_any_library_with_the_interface_will_do() -> None:
    library = FakeLibrary()
    (face,) = analyse(library)
    assert library.closed == 1
    assert face.landmarks is not None
    assert face.quality.mesh_fit == pytest.approx(1.0, abs=1e-3)
    assert face.landmarks[1, :2] == pytest.approx((150.0, 150.0), abs=0.5)
    assert face.bbox_xyxy_px[1] == pytest.approx(100.0, abs=1.0)


def test_a_mesh_that_disagrees_with_the_detector_is_refused_and_the_face_marked() -> None:
    wrong = face_points()
    wrong[:, 0] = 192.0 - wrong[:, 0]
    (face,) = analyse(FakeLibrary(points=wrong))
    assert face.landmarks is None
    assert "no_mesh" in face.quality.flags
    assert face.quality.mesh_fit is not None
    assert face.quality.mesh_fit < 0.3
    assert face.quality.yaw_deg is None
    assert face.quality.weight < 0.2
    width, height = face.bbox_xyxy_px[2] - face.bbox_xyxy_px[0], face.bbox_xyxy_px[3] - face.bbox_xyxy_px[1]
    # In the proportions of a mesh's hull, not the detector's square.
    assert height / width == pytest.approx(1.03 / 0.85, abs=0.01)


def test_a_sure_detection_without_any_mesh_is_kept_and_marked() -> None:
    (face,) = analyse(FakeLibrary(presence=None))
    assert face.landmarks is None
    assert face.quality.mesh_fit is None
    assert "no_mesh" in face.quality.flags


def test_an_unsure_detection_without_mesh_is_no_face() -> None:
    assert analyse(FakeLibrary(score=0.6, presence=None)) == ()
    assert analyse(FakeLibrary(score=0.55, presence=0.4)) == ()


def test_a_collapsed_mesh_is_refused() -> None:
    flat = face_points()
    flat[:, 0] = 96.0
    (face,) = analyse(FakeLibrary(points=flat))
    assert face.quality.mesh_fit == 0.0
    assert face.landmarks is None


def test_a_weak_detection_counts_when_nothing_else_is_there_and_the_mesh_fits() -> None:
    (face,) = analyse(FakeLibrary(score=0.35))
    assert face.landmarks is not None
    assert face.detection_score == 0.35
    assert analyse(FakeLibrary(score=0.35, presence=0.6)) == ()
    assert analyse(FakeLibrary(score=0.35), detection_threshold=0.9) == ()


def test_the_threshold_is_obeyed_for_faces_without_mesh() -> None:
    assert len(analyse(FakeLibrary(score=0.8, presence=None))) == 1
    assert analyse(FakeLibrary(score=0.8, presence=None), detection_threshold=0.85) == ()


def test_what_starts_mediapipe_is_not_kept_alive_by_it() -> None:
    program = """
import gc, weakref
from detector.faces.mediapipe_backend import MediaPipeBackend

class Picture: ...

def analyse():
    picture = Picture()
    MediaPipeBackend().close()
    return weakref.ref(picture)

kept = analyse()
gc.collect()
print(kept() is None)
"""
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert shown.stdout.strip() == "True"
