from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import cv2
import numpy as np
import psutil
import pytest

from detector.faces import DetectedFace, FaceAnalyser
from detector.faces.search import iou
from detector.settings import AnalysisSettings
from tests.faces.conftest import ASTRONAUT_BOX, Picture, centre, frame_of

Paste = Callable[..., Picture]


def only(faces: tuple[DetectedFace, ...]) -> DetectedFace:
    assert len(faces) == 1, [face.bbox_xyxy_px for face in faces]
    return faces[0]


def test_a_clear_face_is_found_once_with_its_mesh(astronaut: Picture, analyser: FaceAnalyser) -> None:
    face = only(analyser.analyse(frame_of(astronaut)))
    assert iou(face.bbox_xyxy_px, ASTRONAUT_BOX) > 0.9
    assert face.detection_score > 0.7
    assert face.source == "frame"
    assert face.landmarks is not None
    assert face.landmarks.shape == (468, 3)
    assert face.landmarks.dtype == np.float32
    hull = (*face.landmarks[:, :2].min(axis=0), *face.landmarks[:, :2].max(axis=0))
    assert face.bbox_xyxy_px == pytest.approx(hull)
    assert face.quality.flags == ()
    assert face.quality.weight > 0.9
    assert face.quality.mesh_fit is not None
    assert face.quality.mesh_fit > 0.8


# Corners and middles of tiles, seams between them, and places near the frame's edges.
PLACES = [(960, 540), (300, 200), (1700, 880), (400, 540), (740, 352), (1130, 700), (60, 1000), (1860, 60), (960, 760)]


@pytest.mark.parametrize("place", PLACES)
def test_a_40_px_face_in_1080p_is_found_in_a_single_frame(paste: Paste, place: tuple[int, int]) -> None:
    with FaceAnalyser(AnalysisSettings()) as analyser:
        face = only(analyser.analyse(frame_of(paste(40, *place))))
    x, y = centre(face.bbox_xyxy_px)
    assert abs(x - place[0]) < 6
    assert abs(y - place[1]) < 6
    assert face.source == "tile"
    assert 34 < face.bbox_xyxy_px[2] - face.bbox_xyxy_px[0] < 46
    assert "small" in face.quality.flags
    assert face.quality.weight < 0.6


def test_tiles_are_what_finds_it(paste: Paste) -> None:
    with FaceAnalyser(AnalysisSettings(tile_faces=False)) as analyser:
        assert analyser.analyse(frame_of(paste(40, 960, 540))) == ()


def test_a_portrait_frame_is_tiled_as_well(paste: Paste, table: Picture) -> None:
    upright = np.ascontiguousarray(np.rot90(table))
    with FaceAnalyser(AnalysisSettings()) as analyser:
        face = only(analyser.analyse(frame_of(paste(40, 540, 1500, upright))))
    assert abs(centre(face.bbox_xyxy_px)[1] - 1500) < 6


def test_a_small_face_is_followed_between_full_searches_and_found_when_it_jumps(paste: Paste) -> None:
    with FaceAnalyser(AnalysisSettings()) as analyser:
        for step in range(5):
            picture = paste(40, 600 + 8 * step, 500)
            face = only(analyser.analyse(frame_of(picture, index=step, pts_s=0.1 * step)))
            assert abs(centre(face.bbox_xyxy_px)[0] - (600 + 8 * step)) < 6
        face = only(analyser.analyse(frame_of(paste(40, 1500, 300), index=5, pts_s=0.5)))
        assert abs(centre(face.bbox_xyxy_px)[0] - 1500) < 6


def test_a_new_small_face_beside_a_large_one_appears_within_two_seconds(paste: Paste) -> None:
    alone, together = paste(220, 400, 500), paste(40, 1500, 300, paste(220, 400, 500))
    with FaceAnalyser(AnalysisSettings()) as analyser:
        assert len(analyser.analyse(frame_of(alone, pts_s=0.0))) == 1
        counts = [len(analyser.analyse(frame_of(together, pts_s=0.2 * step))) for step in range(1, 12)]
    assert counts[9:] == [2, 2]


def test_two_people_and_the_limit_on_faces(paste: Paste) -> None:
    both = paste(120, 1400, 600, paste(200, 500, 500))
    with FaceAnalyser(AnalysisSettings()) as analyser:
        faces = analyser.analyse(frame_of(both))
    assert [round(centre(face.bbox_xyxy_px)[0], -2) for face in faces] == [500, 1400]
    with FaceAnalyser(AnalysisSettings(max_faces=1)) as analyser:
        assert round(centre(only(analyser.analyse(frame_of(both))).bbox_xyxy_px)[0], -2) == 500


@pytest.mark.parametrize(("quarter_turns", "roll_deg"), [(1, -90.0), (2, 180.0), (3, 90.0)])
def test_lying_and_inverted_faces_are_found_in_place(astronaut: Picture, quarter_turns: int, roll_deg: float) -> None:
    turned = np.rot90(astronaut, k=quarter_turns)
    with FaceAnalyser(AnalysisSettings()) as analyser:
        first = only(analyser.analyse(frame_of(turned)))
        soon = only(analyser.analyse(frame_of(turned, index=1, pts_s=0.1)))
    x0, y0, x1, y1 = ASTRONAUT_BOX
    expected = {
        1: (y0, 512 - x1, y1, 512 - x0),
        2: (512 - x1, 512 - y1, 512 - x0, 512 - y0),
        3: (512 - y1, x0, 512 - y0, x1),
    }
    assert iou(first.bbox_xyxy_px, expected[quarter_turns]) > 0.85
    assert first.quality.roll_deg is not None
    away = (first.quality.roll_deg - roll_deg + 180.0) % 360.0 - 180.0
    assert abs(away) < 12.0
    assert iou(soon.bbox_xyxy_px, first.bbox_xyxy_px) > 0.95


def test_a_face_that_fills_the_frame_is_found(astronaut: Picture, analyser: FaceAnalyser) -> None:
    close_up = np.asarray(cv2.resize(astronaut[75:172, 180:270], (400, 431)), dtype=np.uint8)
    face = only(analyser.analyse(frame_of(close_up)))
    assert face.bbox_xyxy_px[2] - face.bbox_xyxy_px[0] > 320


def test_no_face_is_an_empty_answer(table: Picture, analyser: FaceAnalyser) -> None:
    assert analyser.analyse(frame_of(table)) == ()
    assert analyser.analyse(frame_of(np.zeros((270, 480, 3), np.uint8), pts_s=0.2)) == ()
    noise = np.random.default_rng(5).integers(0, 256, (480, 640, 3)).astype(np.uint8)
    assert analyser.analyse(frame_of(noise, pts_s=0.4)) == ()


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (3, 5), (17, 33)])
def test_tiny_frames_are_no_error(analyser: FaceAnalyser, size: tuple[int, int]) -> None:
    assert analyser.analyse(frame_of(np.full((*size, 3), 90, np.uint8))) == ()


def test_the_centre_is_used_only_where_settings_ask_and_is_marked(table: Picture, astronaut: Picture) -> None:
    with FaceAnalyser(AnalysisSettings(centre_crop_fallback=True)) as analyser:
        face = only(analyser.analyse(frame_of(table)))
        real = only(analyser.analyse(frame_of(astronaut, index=1, pts_s=0.2)))
    assert face.source == "centre_crop"
    assert "fallback" in face.quality.flags
    assert face.landmarks is None
    assert face.quality.weight == pytest.approx(0.05)
    assert centre(face.bbox_xyxy_px) == (960.0, 540.0)
    assert real.source == "frame"


def test_equal_frames_give_equal_answers_whatever_another_analyser_saw(astronaut: Picture, paste: Paste) -> None:
    pictures = [paste(40, 700 + 10 * step, 400) for step in range(3)]

    def run() -> list[tuple[DetectedFace, ...]]:
        with FaceAnalyser(AnalysisSettings()) as analyser:
            return [analyser.analyse(frame_of(image, index=i, pts_s=0.2 * i)) for i, image in enumerate(pictures)]

    first = run()
    with FaceAnalyser(AnalysisSettings()) as other:
        other.analyse(frame_of(astronaut))
    for before, after in zip(first, run(), strict=True):
        assert [(f.bbox_xyxy_px, f.detection_score, f.quality) for f in before] == [
            (f.bbox_xyxy_px, f.detection_score, f.quality) for f in after
        ]
        for one, two in zip(before, after, strict=True):
            assert one.landmarks is not None
            assert two.landmarks is not None
            np.testing.assert_array_equal(one.landmarks, two.landmarks)


def test_memory_is_flat_over_frames_and_over_analysers(astronaut: Picture) -> None:
    process = psutil.Process()

    def resident_mib() -> float:
        return process.memory_info().rss / 2**20

    with FaceAnalyser(AnalysisSettings()) as analyser:
        for index in range(40):
            analyser.analyse(frame_of(astronaut, index=index, pts_s=index / 5))
        warm = resident_mib()
        for index in range(40, 180):
            analyser.analyse(frame_of(astronaut, index=index, pts_s=index / 5))
        assert resident_mib() - warm < 12.0
    for _ in range(3):
        with FaceAnalyser(AnalysisSettings()) as again:
            again.analyse(frame_of(astronaut))
    after_some = resident_mib()
    for _ in range(6):
        with FaceAnalyser(AnalysisSettings()) as again:
            again.analyse(frame_of(astronaut))
    # An analyser that were not freed would keep its two networks, about 10 MiB each time.
    assert resident_mib() - after_some < 20.0


def test_the_library_starts_without_chatter() -> None:
    script = (
        "import skimage.data\n"
        "from detector.evidence.types import Frame\n"
        "from detector.faces import FaceAnalyser\n"
        "from detector.settings import AnalysisSettings\n"
        "with FaceAnalyser(AnalysisSettings()) as analyser:\n"
        "    print(len(analyser.analyse(Frame(0, 0, 0.0, 0, skimage.data.astronaut()))))\n"
    )
    environment = {name: value for name, value in os.environ.items() if name != "GLOG_minloglevel"}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, timeout=120, check=True
    )
    assert done.stdout.strip() == "1"
    assert done.stderr == ""
