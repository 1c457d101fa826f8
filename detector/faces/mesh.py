"""The face mesh of one detection: where to look, the points in the frame, and how far they can be believed."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.faces.backend import LEFT_EYE, MOUTH, NOSE_TIP, RIGHT_EYE, FaceBackend, RawDetection
from detector.faces.types import Box

# The mesh network was trained on a square 1.5 x the face, turned until the eyes are level.
_ROI_SCALE = 1.5
_MAX_OVERSAMPLING = 4
_SURE_FIT = 0.8
# Mesh points that lie where the detector's keypoints lie.
_KEYPOINT_ROWS = {RIGHT_EYE: (33, 133), LEFT_EYE: (362, 263), NOSE_TIP: (1,), MOUTH: (13, 14)}


@dataclass(frozen=True, slots=True)
class Roi:
    """A square in the frame turned by `angle_rad` (clockwise on screen positive)."""

    centre_x_px: float
    centre_y_px: float
    side_px: float
    angle_rad: float


@dataclass(frozen=True, slots=True)
class MeshFit:
    """`points` (468, 3) float32 in frame pixels; `fit` in [0, 1], see `measure_fit`."""

    points: NDArray[np.float32]
    fit: float

    @property
    def hull_xyxy_px(self) -> Box:
        """The smallest box around the mesh points."""
        low, high = self.points[:, :2].min(axis=0), self.points[:, :2].max(axis=0)
        return (float(low[0]), float(low[1]), float(high[0]), float(high[1]))


def fit_mesh(backend: FaceBackend, image: NDArray[np.uint8], detection: RawDetection) -> MeshFit | None:
    """Run the mesh on one detection; None where the network sees no face. `image` (H, W, 3) uint8 RGB.

    A doubtful mesh is run once more on the square around itself, turned by its own eyes: on a face that settles, on
    a false alarm the mesh drifts away. The second answer counts.
    """
    roi = roi_of_detection(detection)
    first = _mesh_in(backend, image, roi, detection)
    if first is None or first.fit >= _SURE_FIT:
        return first
    eyes = [first.points[list(_KEYPOINT_ROWS[eye]), :2].mean(axis=0) for eye in (RIGHT_EYE, LEFT_EYE)]
    return _mesh_in(backend, image, roi_around(first.hull_xyxy_px, _angle_rad(*eyes)), detection)


def roi_of_detection(detection: RawDetection) -> Roi:
    """The square that the mesh network wants to see."""
    right, left = detection.keypoints_px[RIGHT_EYE], detection.keypoints_px[LEFT_EYE]
    return roi_around(detection.bbox_xyxy_px, _angle_rad(right, left))


def cut_roi(image: NDArray[np.uint8], roi: Roi, size_px: int) -> NDArray[np.uint8]:
    """The turned square as an upright (size_px, size_px, 3) uint8 image; edge pixels repeat outside the frame.

    Large faces are averaged down rather than point-sampled, so that noise and compression don't alias.
    """
    factor = min(_MAX_OVERSAMPLING, max(1, round(roi.side_px / size_px)))
    sampled_px = size_px * factor
    matrix = _cropplace_in_frame(roi, sampled_px)
    # Landmarks count from a pixel's corner, warpAffine from its centre.
    matrix[:, 2] += matrix[:, :2] @ np.array([0.5, 0.5]) - 0.5
    cut = cv2.warpAffine(
        image,
        matrix,
        (sampled_px, sampled_px),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    if factor > 1:
        cut = cv2.resize(cut, (size_px, size_px), interpolation=cv2.INTER_AREA)
    return np.asarray(cut, dtype=np.uint8)


def measure_fit(points: NDArray[np.float32], presence: float, detection: RawDetection) -> float:
    """Agreement of mesh and detector, in [0, 1].

    presence x exp(-(d / 0.12)^2), where `presence` is the mesh network's own belief in a face and `d` the mean
    distance between the detector's eyes, nose and mouth and the mesh's, as a share of the mesh's longer side. Two
    networks that look at the same face put these points on the same spots; over a hand, hair or a false alarm they
    don't. A mesh that has collapsed or is not finite fits 0.
    """
    extent = points[:, :2].max(axis=0) - points[:, :2].min(axis=0)
    longer = float(extent.max())
    if not np.isfinite(points).all() or float(extent.min()) < 0.2 * longer or longer < 1.0:
        return 0.0
    distances = [
        float(np.linalg.norm(points[list(rows), :2].mean(axis=0) - detection.keypoints_px[keypoint]))
        for keypoint, rows in _KEYPOINT_ROWS.items()
    ]
    return presence * math.exp(-((float(np.mean(distances)) / longer / 0.12) ** 2))


def _mesh_in(backend: FaceBackend, image: NDArray[np.uint8], roi: Roi, detection: RawDetection) -> MeshFit | None:
    raw = backend.mesh(cut_roi(image, roi, backend.mesh_input_px))
    if raw is None:
        return None
    points = place_in_frame(raw.points, roi, backend.mesh_input_px)
    return MeshFit(points=points, fit=measure_fit(points, raw.presence, detection))


def _angle_rad(right_eye: NDArray[np.float32], left_eye: NDArray[np.float32]) -> float:
    return math.atan2(float(left_eye[1] - right_eye[1]), float(left_eye[0] - right_eye[0]))


def roi_around(box: Box, angle_rad: float) -> Roi:
    """The square that the mesh network wants around a face's hull or box, turned by `angle_rad`."""
    x0, y0, x1, y1 = box
    return Roi((x0 + x1) / 2.0, (y0 + y1) / 2.0, max(1.0, _ROI_SCALE * max(x1 - x0, y1 - y0)), angle_rad)


def _cropplace_in_frame(roi: Roi, size_px: int) -> NDArray[np.float64]:
    """(2, 3) matrix from pixels of the upright square to pixels of the frame."""
    scale = roi.side_px / size_px
    cosine, sine = math.cos(roi.angle_rad) * scale, math.sin(roi.angle_rad) * scale
    turn = np.array([[cosine, -sine], [sine, cosine]])
    shift = np.array([roi.centre_x_px, roi.centre_y_px]) - turn @ np.array([size_px / 2.0, size_px / 2.0])
    return np.column_stack([turn, shift])


def place_in_frame(points: NDArray[np.float32], roi: Roi, size_px: int) -> NDArray[np.float32]:
    """Mesh points (468, 3) of the upright square of `size_px` -> pixels of the frame it was cut from."""
    matrix = _cropplace_in_frame(roi, size_px)
    placed = np.empty_like(points)
    placed[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    placed[:, 2] = points[:, 2] * (roi.side_px / size_px)
    return placed
