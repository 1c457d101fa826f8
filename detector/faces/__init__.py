"""Faces: find, mesh, measure, crop and follow them through time.

What works on pictures is imported when it is first asked for (PEP 562): a record of faces is read without OpenCV.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from detector.faces.types import Box, CropSpec, DetectedFace, FaceQuality, FaceTrack, TrackedFace

if TYPE_CHECKING:
    from detector.faces.analyser import FaceAnalyser
    from detector.faces.crop import crop_box, crop_face
    from detector.faces.tracker import Tracker
else:
    _HOME = {"FaceAnalyser": "analyser", "Tracker": "tracker", "crop_box": "crop", "crop_face": "crop"}

    def __getattr__(name: str) -> object:
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


__all__ = [
    "Box",
    "CropSpec",
    "DetectedFace",
    "FaceAnalyser",
    "FaceQuality",
    "FaceTrack",
    "TrackedFace",
    "Tracker",
    "crop_box",
    "crop_face",
]
