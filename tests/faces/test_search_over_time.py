"""Where the search looks from frame to frame: each face gets the box that a search of everything would give it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from detector.faces import DetectedFace, FaceAnalyser
from detector.faces.backend import RawDetection, RawMesh
from detector.faces.search import iou
from detector.settings import AnalysisSettings
from tests.faces.conftest import Picture, frame_of

LEAST_SHARE = 14 / 192  # of a window's longer side, as the real detector
STEP_S = 0.2
Boxes = NDArray[np.float64]
Square = tuple[int, int, int]  # left, top, side


class SquaresAsFaces:
    """A detector to which each colour's filled square is a face, if it is large enough in what is looked at.

    Its mesh is as large as the face, with eyes, nose and mouth in the middle, where this detector puts them too.
    """

    detector_input_px = mesh_input_px = 192

    def __init__(self) -> None:
        self.looks = 0

    def detect(self, image: Picture) -> tuple[RawDetection, ...]:
        self.looks += 1
        return tuple(self._faces(image))

    def mesh(self, crop: Picture) -> RawMesh | None:
        side = crop.shape[0]
        points = np.full((468, 3), side / 2, np.float32)
        points[400, :2], points[401, :2] = side / 6, 5 * side / 6
        return RawMesh(points, 1.0)

    def close(self) -> None: ...

    def _faces(self, image: Picture) -> Iterator[RawDetection]:
        for channel in range(3):
            x, y, width, height = cv2.boundingRect((image[:, :, channel] > 127).astype(np.uint8))
            if min(width, height) >= LEAST_SHARE * max(image.shape):
                points = np.tile(np.array([[x + width / 2, y + height / 2]], np.float32), (6, 1))
                yield RawDetection((x, y, x + width, y + height), 0.9, points)


def picture(*squares: Square) -> Picture:
    """A 1280 x 720 frame with a square a colour: what is 94 px or more shows in the whole, 53 px in a square of the
    frame, 34 px in a tile."""
    image = np.zeros((720, 1280, 3), np.uint8)
    for channel, (left, top, side) in enumerate(squares):
        image[top : top + side, left : left + side, channel] = 255
    return image


def searched(frames: Sequence[Picture], *, shots: Sequence[int] = ()) -> list[tuple[tuple[DetectedFace, ...], int]]:
    """The faces of each frame, five a second, and how often the detector looked."""
    backend, found = SquaresAsFaces(), []
    with FaceAnalyser(AnalysisSettings(), backend=backend) as analyser:
        for index, image in enumerate(frames):
            before = backend.looks
            shot = shots[index] if shots else 0
            frame = frame_of(image, index=index, pts_s=STEP_S * index, shot_index=shot)
            found.append((analyser.analyse(frame), backend.looks - before))
    return found


def boxes_of(faces: Sequence[DetectedFace]) -> Boxes:
    return np.array(sorted(face.bbox_xyxy_px for face in faces))


def first_with_two(newcomer_px: int) -> float:
    """Seconds until a face that enters in the second frame is found beside one that is there."""
    speaker = (600, 200, 300)
    frames = [picture(speaker), *[picture(speaker, (60, 60, newcomer_px))] * 14]
    return next(STEP_S * index for index, (faces, _) in enumerate(searched(frames)) if len(faces) == 2) - STEP_S


def test_between_full_searches_a_face_costs_one_look() -> None:
    looks = [looks for _, looks in searched([picture((450, 200, 300))] * 12)]
    assert looks[0] == looks[10] == 11  # whole, two squares, eight tiles
    assert set(looks[1:10]) == {1}


@pytest.mark.parametrize(("side_px", "within_s"), [(100, 0.0), (60, 2.0), (40, 2.0)])
def test_a_newcomer_is_found_at_once_in_the_whole_frame_and_else_within_two_seconds(
    side_px: int, within_s: float
) -> None:
    assert first_with_two(side_px) <= within_s + 1e-6


def test_a_cut_is_searched_in_full() -> None:
    before, after = picture((450, 200, 300)), picture((450, 200, 300), (1100, 60, 40))
    faces = searched([before, before, after, after], shots=[0, 0, 1, 1])
    assert [len(found) for found, _ in faces] == [1, 1, 2, 2]


def test_a_face_that_is_lost_is_searched_for_everywhere_and_found_where_it_returns() -> None:
    there, gone, elsewhere = picture((100, 100, 60)), picture(), picture((1000, 500, 60))
    faces = searched([there, there, gone, gone, elsewhere, elsewhere])
    assert [len(found) for found, _ in faces] == [1, 1, 0, 0, 1, 1]
    assert faces[2][1] > 11  # where it was, in all windows, and in what is looked at without any face
    assert iou(faces[4][0][0].bbox_xyxy_px, faces[5][0][0].bbox_xyxy_px) == 1.0


def test_two_faces_that_cross_have_the_boxes_of_full_searches() -> None:
    frames = [picture((300 + 25 * step, 150, 110), (700 - 25 * step, 320, 70)) for step in range(14)]
    followed = searched(frames)
    for image, (faces, _) in zip(frames, followed, strict=True):
        ((alone, _),) = searched([image])
        assert len(faces) == 2
        np.testing.assert_allclose(boxes_of(faces), boxes_of(alone), atol=2.0)
    assert sum(looks for _, looks in followed) < 0.6 * 11 * len(frames)
