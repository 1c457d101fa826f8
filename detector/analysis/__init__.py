"""Evidence and models in, an Analysis out."""

from detector.analysis.identity import analysis_id, tool
from detector.analysis.landmarks import LandmarkTable, landmark_table, load_landmarks, save_landmarks
from detector.analysis.pipeline import analyze
from detector.analysis.progress import Progress, StageProgress
from detector.analysis.record import analysis_from_dict, analysis_to_dict, analysis_to_json
from detector.analysis.types import (
    SCHEMA_VERSION,
    Analysis,
    Conclusion,
    FrameScore,
    Label,
    ModelResult,
    Moment,
    Reason,
    Tool,
    TrackScore,
    sigmoid,
)

__all__ = [
    "SCHEMA_VERSION",
    "Analysis",
    "Conclusion",
    "FrameScore",
    "Label",
    "LandmarkTable",
    "ModelResult",
    "Moment",
    "Progress",
    "Reason",
    "StageProgress",
    "Tool",
    "TrackScore",
    "analysis_from_dict",
    "analysis_id",
    "analysis_to_dict",
    "analysis_to_json",
    "analyze",
    "landmark_table",
    "load_landmarks",
    "save_landmarks",
    "sigmoid",
    "tool",
]
