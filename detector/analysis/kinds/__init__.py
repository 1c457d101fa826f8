"""The kinds of model there are. To add one: a module or folder that calls `register`, and a line here."""

from detector.analysis.kinds import (  # noqa: F401
    audiovisual,
    ensemble,
    frame,
    kinematics,
    residual,
    sequence,
    specialists,
    texture,
)
from detector.analysis.kinds.frame import heatmap_models
from detector.analysis.kinds.kind import KINDS, Kind, Stage, TrackContext, kind_named, kind_of, register

__all__ = [
    "KINDS",
    "Kind",
    "Stage",
    "TrackContext",
    "heatmap_models",
    "kind_named",
    "kind_of",
    "register",
]
