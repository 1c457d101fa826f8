"""Quality of a face for a model: numbers, plain flags and one weight."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.faces.mesh import MeshFit
from detector.faces.pose import HeadPose, head_pose
from detector.faces.types import Box, FaceQuality
from detector.settings import AnalysisSettings

LOWEST_WEIGHT = 0.05
_MEASURED_PX = 112
_SHARP = 60.0
_BLURRED = 15.0
# Low on purpose: dark skin in fair light reads 0.2, and must not be called a fault of the picture.
_DARK, _BRIGHT = 0.12, 0.85
_TURNED_DEG, _PROFILE_DEG, _GONE_DEG = 25.0, 45.0, 75.0
_GOOD_FIT, _POOR_FIT = 0.8, 0.55
_OUTSIDE_SHARE = 0.15
_NO_MESH_FACTOR = 0.2


def measure_quality(
    image: NDArray[np.uint8], box: Box, mesh: MeshFit | None, raw_fit: float | None, settings: AnalysisSettings
) -> FaceQuality:
    """Quality of the face in `box` of `image` (H, W, 3) uint8 RGB; `mesh` where one fits, `raw_fit` its fit even
    where it was refused.

    weight = max(0.05, size x sharpness x exposure x pose x fit), each factor in (0, 1]:

    - size: shorter side / (2 x `min_face_px`), at least 0.1; "small" below `min_face_px`.
    - sharpness: variance of the Laplacian of the face at 112 x 112 / 60, at least 0.2; "blurred" below 15. The
      fixed size makes an enlarged small face read as blurred, which for a model it is.
    - exposure: 1 for a mean luma within 0.12 to 0.85, falling linearly to 0.2 at black and white; "dark", "bright".
    - pose: 1 up to 25 degrees of yaw or pitch, falling linearly to 0.2 at 75; "profile" from 45 degrees of yaw.
    - fit: mesh fit / 0.8; without a mesh 0.2 and "no_mesh". "occluded" where the fit is below 0.55 or more than 15 %
      of the face lies outside the frame, whose visible share then also multiplies the weight.
    """
    size_px = min(box[2] - box[0], box[3] - box[1])
    visible = visible_share(box, image.shape[1], image.shape[0])
    face = _grey_face(image, box)
    sharpness = float(cv2.Laplacian(face, cv2.CV_64F).var())
    exposure = float(face.mean()) / 255.0
    pose = head_pose(mesh.points) if mesh is not None else None

    checks = {
        "small": size_px < settings.min_face_px,
        "blurred": sharpness < _BLURRED,
        "dark": exposure < _DARK,
        "bright": exposure > _BRIGHT,
        "profile": pose is not None and abs(pose.yaw_deg) >= _PROFILE_DEG,
        "occluded": (mesh is not None and mesh.fit < _POOR_FIT) or visible < 1.0 - _OUTSIDE_SHARE,
        "no_mesh": mesh is None,
    }
    weight = (
        float(np.clip(size_px / (2.0 * settings.min_face_px), 0.1, 1.0))
        * float(np.clip(sharpness / _SHARP, 0.2, 1.0))
        * float(np.interp(exposure, [0.0, _DARK, _BRIGHT, 1.0], [0.2, 1.0, 1.0, 0.2]))
        * _pose_factor(pose)
        * (min(1.0, mesh.fit / _GOOD_FIT) if mesh is not None else _NO_MESH_FACTOR)
        * visible
    )
    return FaceQuality(
        size_px=float(size_px),
        sharpness=sharpness,
        exposure=exposure,
        yaw_deg=pose.yaw_deg if pose else None,
        pitch_deg=pose.pitch_deg if pose else None,
        roll_deg=pose.roll_deg if pose else None,
        mesh_fit=raw_fit,
        weight=max(LOWEST_WEIGHT, weight),
        flags=tuple(name for name, present in checks.items() if present),
    )


def visible_share(box: Box, width: int, height: int) -> float:
    """Share of the box that lies inside the frame, 0..1."""
    inside_x = max(0.0, min(box[2], width) - max(box[0], 0.0))
    inside_y = max(0.0, min(box[3], height) - max(box[1], 0.0))
    return inside_x * inside_y / max(1e-9, (box[2] - box[0]) * (box[3] - box[1]))


def _pose_factor(pose: HeadPose | None) -> float:
    if pose is None:
        return 1.0
    angle_deg = max(abs(pose.yaw_deg), abs(pose.pitch_deg))
    return float(np.interp(angle_deg, [_TURNED_DEG, _GONE_DEG], [1.0, 0.2]))


def _grey_face(image: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """The visible part of the box as (112, 112) uint8 luma."""
    height, width = image.shape[:2]
    x0, y0 = int(np.clip(box[0], 0, width - 1)), int(np.clip(box[1], 0, height - 1))
    x1, y1 = int(np.clip(np.ceil(box[2]), x0 + 1, width)), int(np.clip(np.ceil(box[3]), y0 + 1, height))
    region = image[y0:y1, x0:x1]
    method = cv2.INTER_AREA if min(region.shape[:2]) > _MEASURED_PX else cv2.INTER_LINEAR
    resized = cv2.resize(region, (_MEASURED_PX, _MEASURED_PX), interpolation=method)
    return np.asarray(cv2.cvtColor(resized, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
