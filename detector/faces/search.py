"""Windows of a frame to detect faces in, and the merging of overlapping detections.

The detector sees 192 x 192 pixels whatever it is given, and finds a face reliably from about 14 of those pixels on
(measured on faces pasted into 1080p frames). So a frame is looked at in windows of several sizes: the whole, then
squares as high as the frame, then small tiles. Neighbouring windows overlap by more than the largest face that the
next larger windows could miss, so every face lies whole in some window, and an answer cut by a window's edge can
be dropped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.faces.backend import FaceBackend, RawDetection
from detector.faces.types import Box

# A 40-px face covers 17 of the detector's 192 pixels in a tile of 448, and 21 in a fine one. Of 100 such faces put at
# random into 1080p frames the first found 99; the second, at nearly twice the cost, is kept for frames without a face.
_TILE_PX, _TILE_OVERLAP_PX = 448, 96
_FINE_TILE_PX, _FINE_TILE_OVERLAP_PX = 360, 80
# Larger frames than this get larger tiles instead of more of them, so no search costs more than at 1080p.
_TILED_LONGEST_PX = 1920
_EDGE_SHARE = 0.015
_BORDER_SHARE = 0.5
_SAME_FACE_IOU = 0.4
_SAME_FACE_INSIDE = 0.65
Turn = Literal[0, 90, 180, 270]


@dataclass(frozen=True, slots=True)
class Window:
    """Pixels [x0, x1) x [y0, y1) of a frame."""

    x0: int
    y0: int
    x1: int
    y1: int
    source: Literal["frame", "tile"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A detection in frame pixels with the window size class that gave it."""

    detection: RawDetection
    source: Literal["frame", "tile"]


def whole(width: int, height: int) -> tuple[Window, ...]:
    """The whole picture as the one window to search."""
    return (Window(0, 0, width, height, "frame"),)


def squares(width: int, height: int) -> tuple[Window, ...]:
    """Overlapping squares on the shorter side, of a longer strip at most six; none where the frame is nearly square."""
    shorter, longer = min(width, height), max(width, height)
    if longer < 1.25 * shorter:
        return ()
    side = max(shorter, longer // 5)
    return _grid(width, height, side, side // 5)


def tiles(width: int, height: int, *, fine: bool = False) -> tuple[Window, ...]:
    """Small overlapping tiles; none where the squares are hardly larger than a tile."""
    scale = max(1.0, max(width, height) / _TILED_LONGEST_PX)
    side_px, overlap_px = (_FINE_TILE_PX, _FINE_TILE_OVERLAP_PX) if fine else (_TILE_PX, _TILE_OVERLAP_PX)
    side = round(side_px * scale)
    if min(width, height) < 1.25 * side:
        return ()
    return _grid(width, height, side, round(overlap_px * scale))


def around(box: Box, width: int, height: int) -> Window:
    """A window in which the face of `box`, seen a moment ago, is large enough to be found again."""
    x0, y0, x1, y1 = box
    side = min(round(4.0 * max(x1 - x0, y1 - y0)), max(width, height))
    left = int(np.clip(round((x0 + x1 - side) / 2), 0, max(0, width - side)))
    top = int(np.clip(round((y0 + y1 - side) / 2), 0, max(0, height - side)))
    return Window(left, top, min(width, left + side), min(height, top + side), "tile")


def overview(image: NDArray[np.uint8], backend: FaceBackend) -> tuple[NDArray[np.uint8], float]:
    """The frame averaged down until its shorter side is twice the detector's input, and the scale of that.

    The detector's own resize would skip pixels of a large frame and alias; one averaging serves all large windows.
    """
    return _shrink(image, 2 * backend.detector_input_px / min(image.shape[:2]))


def detect_in_windows(
    backend: FaceBackend,
    image: NDArray[np.uint8],
    windows: Iterable[Window],
    min_score: float,
    *,
    scale: float = 1.0,
) -> list[Candidate]:
    """Candidates of all `windows` of `image`, unmerged; those cut by a window's inner edge are left out.

    Where `image` is an overview, `scale` is its scale; the candidates are in pixels of the full frame.
    """
    height, width = image.shape[:2]
    found = []
    for window in windows:
        region = image[window.y0 : window.y1, window.x0 : window.x1]
        region, shrunk = _shrink(region, 2.5 * backend.detector_input_px / max(region.shape[:2]))
        for detection in backend.detect(region):
            moved = _move(detection, shrunk, window)
            if moved.score >= min_score and not _is_cut(moved.bbox_xyxy_px, window, width, height):
                found.append(Candidate(_grow(moved, scale), window.source))
    return found


def detect_overall(
    backend: FaceBackend,
    image: NDArray[np.uint8],
    min_score: float,
    *,
    with_squares: bool,
    known: Sequence[Box] = (),
    sure: float = 1.0,
) -> list[Candidate]:
    """Candidates of the whole frame and, where asked, of its overlapping squares.

    Where faces are `known` from a moment ago, only those squares are searched that hold one of them, and the others
    only if one of them is not found again with a score of `sure`. A face is seen in the same windows either way, so
    that it gets the same box.
    """
    small, scale = overview(image, backend)
    height, width = small.shape[:2]
    grid = squares(width, height) if with_squares else ()
    places = [(x0 * scale, y0 * scale, x1 * scale, y1 * scale) for x0, y0, x1, y1 in known]
    near = [window for window in grid if not known or any(_holds(window, box, width, height) for box in places)]
    found = detect_in_windows(backend, small, (*whole(width, height), *near), min_score, scale=scale)
    if missed(known, found, sure):
        rest = [window for window in grid if window not in near]
        found += detect_in_windows(backend, small, rest, min_score, scale=scale)
    return found


def missed(known: Iterable[Box], candidates: Iterable[Candidate], sure: float) -> list[Box]:
    """Those of the `known` boxes in whose place no candidate has a score of at least `sure`."""
    boxes = [one.detection.bbox_xyxy_px for one in candidates if one.detection.score >= sure]
    return [box for box in known if not any(same_face(box, other) for other in boxes)]


def _detect_in_overview(
    backend: FaceBackend, small: NDArray[np.uint8], scale: float, min_score: float, *, with_squares: bool
) -> list[Candidate]:
    height, width = small.shape[:2]
    windows = whole(width, height) + (squares(width, height) if with_squares else ())
    return detect_in_windows(backend, small, windows, min_score, scale=scale)


def detect_widened(backend: FaceBackend, image: NDArray[np.uint8], min_score: float) -> list[Candidate]:
    """Candidates of the frame with a border of repeated edge pixels, for faces that nearly fill it or touch its edge:
    the detector knows faces with something around them."""
    small, scale = overview(image, backend)
    height, width = small.shape[:2]
    border = round(_BORDER_SHARE * max(height, width))
    wide = cv2.copyMakeBorder(small, border, border, border, border, cv2.BORDER_REPLICATE)
    window = Window(0, 0, width + 2 * border, height + 2 * border, "frame")
    found = detect_in_windows(backend, np.asarray(wide, dtype=np.uint8), (window,), min_score)
    shift = Window(-border, -border, 0, 0, "frame")
    return [replace(item, detection=_grow(_move(item.detection, 1.0, shift), scale)) for item in found]


def look_turned(backend: FaceBackend, image: NDArray[np.uint8], turn: Turn, min_score: float) -> list[Candidate]:
    """Candidates of the frame turned clockwise by `turn` degrees, for lying or inverted heads; in frame pixels."""
    height, width = image.shape[:2]
    small, scale = overview(image, backend)  # turned whole, a large picture would need its size again
    turned = np.ascontiguousarray(np.rot90(small, k=-(turn // 90)))
    back = _turn_back(turn, width, height)
    found = []
    for candidate in _detect_in_overview(backend, turned, scale, min_score, with_squares=True):
        x0, y0, x1, y1 = candidate.detection.bbox_xyxy_px
        corners = back(np.array([[x0, y0], [x1, y1]], np.float32))
        (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
        detection = replace(
            candidate.detection,
            bbox_xyxy_px=(float(left), float(top), float(right), float(bottom)),
            keypoints_px=back(candidate.detection.keypoints_px),
        )
        found.append(replace(candidate, detection=detection))
    return found


def merge(candidates: Sequence[Candidate]) -> list[Candidate]:
    """One candidate a face, strongest first; "frame" where any window of that kind saw it. Boxes are of one face
    where they overlap much or one lies in the other."""
    kept: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda item: (-item.detection.score, item.detection.bbox_xyxy_px)):
        box = candidate.detection.bbox_xyxy_px
        match = next((i for i, other in enumerate(kept) if same_face(box, other.detection.bbox_xyxy_px)), None)
        if match is None:
            kept.append(candidate)
        elif candidate.source == "frame":
            kept[match] = replace(kept[match], source="frame")
    return kept


def same_face(first: Box, second: Box, *, min_iou: float = _SAME_FACE_IOU) -> bool:
    """True where two boxes overlap by more than `min_iou`, or one lies mostly in the other."""
    overlap = _intersection(first, second)
    areas = _area(first), _area(second)
    union = sum(areas) - overlap
    return overlap > min_iou * union or overlap > _SAME_FACE_INSIDE * min(areas)


def iou(first: Box, second: Box) -> float:
    """Intersection over union in [0, 1]."""
    overlap = _intersection(first, second)
    union = _area(first) + _area(second) - overlap
    return overlap / union if union > 0 else 0.0


def _grid(width: int, height: int, side: int, overlap: int) -> tuple[Window, ...]:
    return tuple(
        Window(left, top, min(width, left + side), min(height, top + side), "tile")
        for top in _starts(height, side, overlap)
        for left in _starts(width, side, overlap)
    )


def _starts(length: int, side: int, overlap: int) -> list[int]:
    """Evenly spread starts whose windows overlap by at least `overlap`."""
    if length <= side:
        return [0]
    count = math.ceil((length - side) / max(1, side - overlap)) + 1
    return [round(index * (length - side) / (count - 1)) for index in range(count)]


def _shrink(image: NDArray[np.uint8], scale: float) -> tuple[NDArray[np.uint8], float]:
    if scale >= 1.0:
        return image, 1.0
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8), scale


def _grow(detection: RawDetection, scale: float) -> RawDetection:
    if scale == 1.0:
        return detection
    x0, y0, x1, y1 = (value / scale for value in detection.bbox_xyxy_px)
    return replace(detection, bbox_xyxy_px=(x0, y0, x1, y1), keypoints_px=detection.keypoints_px / np.float32(scale))


def _move(detection: RawDetection, scale: float, window: Window) -> RawDetection:
    grown = _grow(detection, scale)
    x0, y0, x1, y1 = grown.bbox_xyxy_px
    return replace(
        grown,
        bbox_xyxy_px=(x0 + window.x0, y0 + window.y0, x1 + window.x0, y1 + window.y0),
        keypoints_px=grown.keypoints_px + np.array([window.x0, window.y0], np.float32),
    )


def _holds(window: Window, box: Box, width: int, height: int) -> bool:
    x0, y0, x1, y1 = box
    inside = x0 < window.x1 and x1 > window.x0 and y0 < window.y1 and y1 > window.y0
    return inside and not _is_cut(box, window, width, height)


def _is_cut(box: Box, window: Window, width: int, height: int) -> bool:
    margin = _EDGE_SHARE * max(window.x1 - window.x0, window.y1 - window.y0)
    return (
        (window.x0 > 0 and box[0] < window.x0 + margin)
        or (window.y0 > 0 and box[1] < window.y0 + margin)
        or (window.x1 < width and box[2] > window.x1 - margin)
        or (window.y1 < height and box[3] > window.y1 - margin)
    )


def _turn_back(turn: Turn, width: int, height: int) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Map points (N, 2) of the frame turned clockwise by `turn` degrees to the frame, which is width x height."""
    matrices = {
        0: ([[1, 0], [0, 1]], [0, 0]),
        90: ([[0, 1], [-1, 0]], [0, height]),
        180: ([[-1, 0], [0, -1]], [width, height]),
        270: ([[0, -1], [1, 0]], [width, 0]),
    }
    matrix, shift = (np.array(part, np.float32) for part in matrices[turn])
    return lambda points: points @ matrix.T + shift


def _area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def _intersection(first: Box, second: Box) -> float:
    return max(0.0, min(first[2], second[2]) - max(first[0], second[0])) * max(
        0.0, min(first[3], second[3]) - max(first[1], second[1])
    )
