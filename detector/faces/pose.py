"""Head pose from the face mesh."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Pairs from the person's right to the left: outer eye corners, inner eye corners, sides of the face.
_RIGHT_TO_LEFT = ((33, 263), (133, 362), (234, 454))
# Top of the forehead to the chin; upright within a degree in MediaPipe's canonical face.
_TOP, _CHIN = 10, 152


@dataclass(frozen=True, slots=True)
class HeadPose:
    """Degrees. Yaw > 0: the nose points to the right of the picture (the person's left). Pitch > 0: it points up.
    Roll > 0: the head leans clockwise on screen; 180 is upside down. A face that looks straight into the camera
    is near (0, 0, 0); mirroring the picture changes the signs of yaw and roll."""

    yaw_deg: float
    pitch_deg: float
    roll_deg: float


def head_pose(points: NDArray[np.float32]) -> HeadPose:
    """Pose of a (468, 3) mesh whose z is in the unit of x and y, negative towards the camera.

    The mesh is already three-dimensional, so its own axes are read: across the face through eyes and cheeks, down
    the face from forehead to chin, and their cross product. Expressions hardly move those points. Rotation order is
    roll about the viewing axis after yaw after pitch.
    """
    cloud = points.astype(np.float64)
    across = _unit(sum((_unit(cloud[left] - cloud[right]) for right, left in _RIGHT_TO_LEFT), np.zeros(3)))
    down = cloud[_CHIN] - cloud[_TOP]
    down = _unit(down - across * float(down @ across))
    into = np.cross(across, down)
    roll = math.atan2(across[1], across[0])
    # Turn the picture back until the eyes are level, so that yaw and pitch are about the head's own axes.
    cosine, sine = math.cos(-roll), math.sin(-roll)
    nose_x, nose_y, nose_z = -into
    nose_x, nose_y = cosine * nose_x - sine * nose_y, sine * nose_x + cosine * nose_y
    return HeadPose(
        yaw_deg=math.degrees(math.atan2(nose_x, -nose_z)),
        pitch_deg=math.degrees(math.asin(float(np.clip(-nose_y, -1.0, 1.0)))),
        roll_deg=math.degrees(roll),
    )


def _unit(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)
