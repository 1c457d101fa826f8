"""Residual patches: a face at the video's own pixels, through noise residuals alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from detector.training.kinds import TrainingKind, register

if TYPE_CHECKING:
    from detector.registry import ModelCard
    from detector.training.residual.config import ResidualConfig


class ResidualKind(TrainingKind):
    """Patches of genuine clips and of real generators' deepfakes, never resized."""

    name = "residual"

    def load_config(self, path: Path) -> ResidualConfig:
        """Read and check a YAML file. Raises SettingsError listing every problem at once."""
        from detector.training.residual.config import load_residual_config

        return load_residual_config(path)

    def train(self, config_path: Path, data_root: Path, run_dir: Path, device: str) -> None:
        """Train a model of this kind, going on with what the run folder holds."""
        from detector.training.residual.recipe import train_residual

        train_residual(config_path, data_root, run_dir, device)

    def export(self, config_path: Path, data_root: Path, run_dir: Path, out: Path, history: str) -> ModelCard:
        """Weights, list of held-out groups and card of a run in `out`."""
        from detector.training.residual.export import export_residual

        return export_residual(config_path, data_root, run_dir, out, history)


register(ResidualKind())
