"""How a face moves: what its mesh landmarks tell of the head, its parts and their play together."""

from detector.faces.motion.features import FEATURES, MotionMeasurement, MotionWindow, measure_motion
from detector.faces.motion.sequence import FaceSequence, align_face

__all__ = ["FEATURES", "FaceSequence", "MotionMeasurement", "MotionWindow", "align_face", "measure_motion"]
