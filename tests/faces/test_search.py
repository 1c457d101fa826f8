from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from detector.faces.backend import RawDetection, RawMesh
from detector.faces.search import Window, around, detect_in_windows, look_turned, merge, squares, tiles
from detector.faces.types import Box
from tests.faces.conftest import Picture

SIZES = [(1920, 1080), (1080, 1920), (1280, 720), (3840, 2160), (720, 1364), (1408, 1408), (1920, 816)]


def holds(window: Window, box: Box, width: int, height: int) -> bool:
    """Whole in the window and clear of its edges, save where those are the frame's own."""
    margin = 0.015 * (window.x1 - window.x0)
    return (
        (window.x0 == 0 or window.x0 + margin <= box[0])
        and (window.y0 == 0 or window.y0 + margin <= box[1])
        and (window.x1 == width or box[2] <= window.x1 - margin)
        and (window.y1 == height or box[3] <= window.y1 - margin)
    )


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest.mark.parametrize("fine", [False, True])
def test_every_small_face_lies_whole_in_some_tile(width: int, height: int, fine: bool) -> None:
    grid = tiles(width, height, fine=fine)
    side = grid[0].x1 - grid[0].x0
    face = 0.16 * side
    for x in np.linspace(0, width - face, 83):
        for y in np.linspace(0, height - face, 61):
            assert any(holds(window, (x, y, x + face, y + face), width, height) for window in grid), (x, y)
    assert all(0 <= w.x0 < w.x1 <= width and 0 <= w.y0 < w.y1 <= height for w in grid)


@pytest.mark.parametrize(("width", "height"), [*SIZES, (1, 4000), (300, 1), (7680, 4320)])
def test_the_number_of_looks_is_bounded(width: int, height: int) -> None:
    assert len(tiles(width, height)) <= 36
    assert len(tiles(width, height, fine=True)) <= 49
    assert len(squares(width, height)) <= 6


def test_small_frames_are_not_tiled() -> None:
    assert tiles(512, 512) == ()
    assert squares(512, 512) == ()
    assert len(squares(640, 360)) >= 2


class OneFace:
    """A detector that sees the brightest pixel as a 20-px face."""

    detector_input_px = 192
    mesh_input_px = 192

    def detect(self, image: Picture) -> tuple[RawDetection, ...]:
        y, x = np.unravel_index(int(image[:, :, 0].argmax()), image.shape[:2])
        if image[y, x, 0] < 50:
            return ()
        points = np.tile(np.array([[x + 0.5, y + 0.5]], np.float32), (6, 1))
        return (RawDetection((x - 9.5, y - 9.5, x + 10.5, y + 10.5), 0.9, points),)

    def mesh(self, crop: Picture) -> RawMesh | None:
        return None

    def close(self) -> None: ...


def dotted(x: int, y: int) -> Picture:
    image = np.zeros((300, 400, 3), np.uint8)
    image[y, x] = 255
    return image


def test_answers_come_back_in_frame_pixels_and_cut_ones_are_dropped() -> None:
    image = dotted(150, 120)
    found = detect_in_windows(OneFace(), image, [Window(100, 100, 200, 200, "tile")], 0.5)
    assert found[0].detection.bbox_xyxy_px == pytest.approx((140.5, 110.5, 160.5, 130.5))
    assert found[0].source == "tile"
    assert detect_in_windows(OneFace(), image, [Window(145, 100, 245, 200, "tile")], 0.5) == []
    # At the frame's own edge there is no better window: kept.
    assert len(detect_in_windows(OneFace(), dotted(395, 120), [Window(300, 100, 400, 200, "tile")], 0.5)) == 1


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_turned_answers_come_back_in_place(turn: int) -> None:
    found = merge(look_turned(OneFace(), dotted(310, 40), turn, 0.5))  # type: ignore[arg-type]
    x0, y0, x1, y1 = found[0].detection.bbox_xyxy_px
    assert ((x0 + x1) / 2, (y0 + y1) / 2) == pytest.approx((310.5, 40.5), abs=1.1)
    assert found[0].detection.keypoints_px[0] == pytest.approx((310.5, 40.5), abs=1.1)


def test_a_large_picture_is_turned_without_a_copy_of_its_size() -> None:
    image = np.zeros((4_000, 5_000, 3), np.uint8)
    tracemalloc.start()
    try:
        assert look_turned(NoFace(), image, 90, 0.5) == []  # type: ignore[arg-type]
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < image.nbytes / 10


class NoFace:
    detector_input_px = 192

    def detect(self, _: Picture) -> tuple[RawDetection, ...]:
        return ()


def test_merge_keeps_the_strongest_of_each_face_and_the_widest_source() -> None:
    from detector.faces.search import Candidate

    points = np.zeros((6, 2), np.float32)
    weak = Candidate(RawDetection((0.0, 0.0, 100.0, 100.0), 0.6, points), "frame")
    strong = Candidate(RawDetection((5.0, 5.0, 105.0, 105.0), 0.9, points), "tile")
    inside = Candidate(RawDetection((20.0, 20.0, 60.0, 60.0), 0.7, points), "tile")
    apart = Candidate(RawDetection((300.0, 0.0, 400.0, 100.0), 0.8, points), "tile")
    kept = merge([weak, strong, inside, apart])
    assert [(item.detection.score, item.source) for item in kept] == [(0.9, "frame"), (0.8, "tile")]


def test_a_followed_face_gets_a_window_in_the_frame() -> None:
    window = around((1900.0, 20.0, 1940.0, 60.0), 1920, 1080)
    assert (window.x1, window.y0) == (1920, 0)
    assert window.x1 - window.x0 == window.y1 - window.y0 == 160
