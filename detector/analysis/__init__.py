"""Evidence and models in, an Analysis out.

`analyze` is imported when it is first asked for (PEP 562): a recorded analysis is read without what makes one.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from detector.analysis.identity import analysis_id, tool
from detector.analysis.landmarks import LandmarkTable, landmark_table, load_landmarks, save_landmarks
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

if TYPE_CHECKING:
    from detector.analysis.pipeline import analyze
else:

    def __getattr__(name: str) -> object:
        if name != "analyze":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return import_module("detector.analysis.pipeline").analyze


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
