"""A genuine face clip for tests: a moving camera, a mouth that opens and closes, and a mesh that moves along."""

import cv2
import numpy as np

from detector.synthesis.clips import FaceClip
from detector.synthesis.reenact import Pose, apply_flow, flow_of, moved_points
from detector.synthesis.types import FaceImage
from tests.synthesis.faces import face_image


def face_clip(frames: int = 16, *, fps: float = 8.0, tint: float = 1.0) -> FaceClip:
    """160-px frames; `tint` scales the red channel, so that two people can be told apart."""
    still = face_image()
    image = np.clip(still.image * (tint, 1.0, 1.0), 0, 255).astype(np.uint8)
    images, landmarks = [], []
    for number in range(frames):
        pose = Pose(mouth=0.05 * (1 + np.sin(number * 1.3)), yaw=0.04 * float(np.sin(number * 0.5)))
        flow = flow_of(FaceImage(image, still.landmarks), pose)
        moved, points = apply_flow(image, flow), moved_points(still.landmarks, flow)
        shift = np.array([[1, 0, 4 * np.sin(number * 0.4)], [0, 1, 3 * np.cos(number * 0.3)]])
        moved = cv2.warpAffine(moved, shift, (256, 256), borderMode=cv2.BORDER_REFLECT_101)
        images.append(cv2.resize(moved, (160, 160), interpolation=cv2.INTER_AREA))
        landmarks.append((points + shift[:, 2]) * (160 / 256))
    return FaceClip(np.stack(images), np.stack(landmarks).astype(np.float32), np.arange(frames) / fps)
