"""Pictures with a real face (NASA's astronaut, shipped with scikit-image) and stand-ins for the face library."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from detector.evidence.types import Frame
from detector.faces import FaceAnalyser
from detector.settings import AnalysisSettings

Picture = NDArray[np.uint8]
# Hull of the astronaut's face mesh, to within a few pixels.
ASTRONAUT_BOX = (178.0, 70.0, 272.0, 177.0)


def frame_of(image: Picture, *, index: int = 0, pts_s: float = 0.0, shot_index: int = 0) -> Frame:
    return Frame(index, round(pts_s * 1000), pts_s, shot_index, np.ascontiguousarray(image))


@pytest.fixture(scope="session")
def astronaut() -> Picture:
    return np.asarray(skimage.data.astronaut(), dtype=np.uint8)


@pytest.fixture(scope="session")
def table() -> Picture:
    """A faceless 1080p photograph: a cup on a table."""
    return np.asarray(cv2.resize(skimage.data.coffee(), (1920, 1080)), dtype=np.uint8)


@pytest.fixture
def analyser() -> Iterator[FaceAnalyser]:
    with FaceAnalyser(AnalysisSettings()) as built:
        yield built


@pytest.fixture(scope="session")
def paste(astronaut: Picture, table: Picture) -> Callable[..., Picture]:
    """Put the astronaut on the table so that her face is `face_px` wide and centred on (x, y)."""

    def place(face_px: float, x: int, y: int, background: Picture | None = None) -> Picture:
        scale = face_px / (ASTRONAUT_BOX[2] - ASTRONAUT_BOX[0])
        # Head and shoulders only, so that she also fits near the frame's edges.
        head = astronaut[20:260, 100:350]
        small = cv2.resize(head, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        left, top = round(x - (225 - 100) * scale), round(y - (123.5 - 20) * scale)
        picture = (table if background is None else background).copy()
        picture[top : top + small.shape[0], left : left + small.shape[1]] = small
        return picture

    return place


def centre(box: tuple[float, float, float, float]) -> tuple[float, float]:
    return ((box[0] + box[2]) / 2.0, (box[1] + box[3]) / 2.0)
