"""How a face moves: what its mesh landmarks tell of the head, its parts and their play together."""

from detector.faces.motion.features import FEATURES, MISSING, Missing, MotionMeasurement, MotionWindow, measure_motion
from detector.faces.motion.sequence import WINDOW_S, FaceSequence, align_face
from detector.faces.motion.watch import watch_motion

__all__ = [
    "FEATURES",
    "MISSING",
    "WINDOW_S",
    "FaceSequence",
    "Missing",
    "MotionMeasurement",
    "MotionWindow",
    "align_face",
    "measure_motion",
    "watch_motion",
]
