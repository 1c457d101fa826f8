"""Frame models: one crop, one score, and a map of where it was blended."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from detector.training.kinds import TrainingKind, register

if TYPE_CHECKING:
    from detector.registry import ModelCard
    from detector.training.frame.config import FrameConfig


class FrameKind(TrainingKind):
    """Single crops, with a blend map."""

    name = "frame"
    scores_pictures = True

    def load_config(self, path: Path) -> FrameConfig:
        """Read and check a YAML file. Raises SettingsError listing every problem at once."""
        from detector.training.frame.config import load_config

        return load_config(path)

    def train(self, config_path: Path, data_root: Path, run_dir: Path, device: str) -> None:
        """Train a model of this kind, going on with what the run folder holds."""
        from detector.training.frame.recipe import train_frame

        train_frame(config_path, data_root, run_dir, device)

    def export(self, config_path: Path, data_root: Path, run_dir: Path, out: Path, history: str) -> ModelCard:
        """Weights, list of held-out groups and card of a run in `out`."""
        from detector.training.frame.export import export_frame

        return export_frame(config_path, data_root, run_dir, out, history)


register(FrameKind())
