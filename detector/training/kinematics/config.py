"""The settings of a run on the motion of the face."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from detector.analysis.types import Family
from detector.faces.motion import FEATURES
from detector.training.data.left_out import FoldConfig
from detector.training.engine.config import Share, check_fields, read_yaml


@dataclass(frozen=True)
class KinematicsConfig:
    """Genuine clips and deepfakes of `families` are fitted; clips of the other families are measured all the same.

    `ridge` is the penalty in units of the features' variance, `farthest` where standardised features are held.
    Clips weigh by `balance` (inverse regularisation of the overlap weights) and `source_power` (1: every clip alike,
    0: every source alike). Of each clip the first `longest_s` seconds are searched for faces, `search_fps` times a
    second.
    """

    model_id: str
    title: str
    folds: tuple[FoldConfig, ...]
    families: tuple[Family, ...] = ("animation", "whole")
    ridge: Annotated[float, Field(ge=1e-6, le=1e6)] = 0.3
    farthest: Annotated[float, Field(ge=0.5, le=100)] = 3.0
    balance: Annotated[float, Field(ge=1e-6, le=1e6)] = 0.1
    source_power: Share = 0.5
    longest_s: Annotated[float, Field(ge=2.4, le=1000)] = 10.0
    search_fps: Annotated[float, Field(ge=0.5, le=30)] = 2.0
    limits: tuple[str, ...] = ()
    licence: str = ""

    @property
    def architecture(self) -> dict[str, Any]:
        """The network, as cards describe it."""
        return {"kind": "kinematics", "features": len(FEATURES), "farthest": self.farthest}


def load_kinematics_config(path: Path) -> KinematicsConfig:
    """Read and check a YAML file. Raises SettingsError listing every problem at once."""
    values = read_yaml(path)
    problems = []
    if not values.get("folds"):
        problems.append("folds: expected what to leave out, once a fold: without it nothing could be measured")
    if "families" in values and not values["families"]:
        problems.append("families: expected one or more to fit")
    return check_fields(KinematicsConfig, values, path.name, problems=problems)
