"""Find every face of a frame, fit a mesh to each and say how usable it is."""

from __future__ import annotations

from types import TracebackType

import cv2
import numpy as np
from numpy.typing import NDArray

from detector.evidence.types import Frame
from detector.faces.backend import FaceBackend
from detector.faces.mediapipe_backend import MediaPipeBackend
from detector.faces.mesh import fit_mesh
from detector.faces.types import DetectedFace, FaceQuality
from detector.settings import AnalysisSettings

_MESH_FITS = 0.3


class FaceAnalyser:
    """Faces of frames. A context manager; one instance belongs to one thread and one file."""

    def __init__(self, settings: AnalysisSettings, *, backend: FaceBackend | None = None) -> None:
        self._settings = settings
        self._backend: FaceBackend = backend if backend is not None else MediaPipeBackend()

    def __enter__(self) -> FaceAnalyser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._backend.close()

    def analyse(self, frame: Frame) -> tuple[DetectedFace, ...]:
        """Faces of one frame, strongest first; empty where there is none."""
        faces = []
        for detection in self._backend.detect(frame.image):
            if detection.score < self._settings.detection_threshold:
                continue
            mesh = fit_mesh(self._backend, frame.image, detection)
            fits = mesh is not None and mesh.fit >= _MESH_FITS
            box = mesh.hull_xyxy_px if mesh is not None and fits else detection.bbox_xyxy_px
            quality = FaceQuality(
                size_px=min(box[2] - box[0], box[3] - box[1]),
                sharpness=_sharpness(frame.image, box),
                exposure=0.5,
                yaw_deg=None,
                pitch_deg=None,
                roll_deg=None,
                mesh_fit=mesh.fit if mesh is not None else None,
                weight=1.0,
            )
            faces.append(
                DetectedFace(
                    bbox_xyxy_px=box,
                    detection_score=detection.score,
                    landmarks=mesh.points if mesh is not None and fits else None,
                    quality=quality,
                    source="frame",
                )
            )
        return tuple(faces[: self._settings.max_faces])


def _sharpness(image: NDArray[np.uint8], box: tuple[float, float, float, float]) -> float:
    x0, y0, x1, y1 = (max(0, int(value)) for value in box)
    grey = cv2.cvtColor(cv2.resize(image[y0 : y1 + 1, x0 : x1 + 1], (128, 128)), cv2.COLOR_RGB2GRAY)
    return float(cv2.Laplacian(grey, cv2.CV_64F).var())
