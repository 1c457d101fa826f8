"""Faces: find, mesh, measure, crop and follow them through time."""

from detector.faces.analyser import FaceAnalyser
from detector.faces.crop import crop_box, crop_face
from detector.faces.tracker import Tracker
from detector.faces.types import Box, CropSpec, DetectedFace, FaceQuality, FaceTrack, TrackedFace

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
