"""Motion of the face: a linear discriminant of measured features of genuine clips and of real generators' deepfakes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from detector.training.kinds import TrainingKind, register

if TYPE_CHECKING:
    from detector.registry import ModelCard
    from detector.training.kinematics.config import KinematicsConfig


class KinematicsKind(TrainingKind):
    """Windows of motion, fitted in one go and measured by folds in every run."""

    name, folds_itself = "kinematics", True

    def load_config(self, path: Path) -> KinematicsConfig:
        """Read and check a YAML file. Raises SettingsError listing every problem at once."""
        from detector.training.kinematics.config import load_kinematics_config

        return load_kinematics_config(path)

    def train(self, config_path: Path, data_root: Path, run_dir: Path, device: str) -> None:
        """Train a model of this kind, going on with what the run folder holds."""
        from detector.training.kinematics.recipe import train_kinematics

        train_kinematics(config_path, data_root, run_dir, device)

    def export(self, config_path: Path, data_root: Path, run_dir: Path, out: Path, history: str) -> ModelCard:
        """Weights, list of held-out groups and card of a run in `out`."""
        from detector.training.kinematics.export import export_kinematics

        return export_kinematics(config_path, data_root, run_dir, out, history)


register(KinematicsKind())
