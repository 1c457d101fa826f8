"""Sequence models: the features of a frame model over time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from detector.training.kinds import TrainingKind, register

if TYPE_CHECKING:
    from detector.registry import ModelCard
    from detector.training.sequence.recipe import SequenceConfig


class SequenceKind(TrainingKind):
    """Windows of a frame model's features."""

    name = "sequence"

    def load_config(self, path: Path) -> SequenceConfig:
        """Read and check a YAML file. Raises SettingsError listing every problem at once."""
        from detector.training.sequence.recipe import load_sequence_config

        return load_sequence_config(path)

    def train(self, config_path: Path, data_root: Path, run_dir: Path, device: str) -> None:
        """Train a model of this kind, going on with what the run folder holds."""
        from detector.training.sequence.recipe import train_sequence

        train_sequence(config_path, data_root, run_dir, device)

    def export(self, config_path: Path, data_root: Path, run_dir: Path, out: Path, history: str) -> ModelCard:
        """Weights, list of held-out groups and card of a run in `out`."""
        from detector.training.sequence.export import export_sequence_run

        return export_sequence_run(config_path, data_root, run_dir, out, history)


register(SequenceKind())
