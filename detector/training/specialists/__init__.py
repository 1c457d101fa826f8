"""Specialists: a head for each cue of the picture, on one trunk."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from detector.training.kinds import TrainingKind, register

if TYPE_CHECKING:
    from detector.registry import ModelCard
    from detector.training.specialists.recipe import SpecialistsConfig


class SpecialistsKind(TrainingKind):
    """One trunk, a label and a map for each cue."""

    name = "specialists"
    scores_pictures = True

    def load_config(self, path: Path) -> SpecialistsConfig:
        """Read and check a YAML file. Raises SettingsError listing every problem at once."""
        from detector.training.specialists.recipe import load_specialists_config

        return load_specialists_config(path)

    def train(self, config_path: Path, data_root: Path, run_dir: Path, device: str) -> None:
        """Train a model of this kind, going on with what the run folder holds."""
        from detector.training.specialists.recipe import train_specialists

        train_specialists(config_path, data_root, run_dir, device)

    def export(self, config_path: Path, data_root: Path, run_dir: Path, out: Path, history: str) -> ModelCard:
        """Weights, list of held-out groups and card of a run in `out`."""
        from detector.training.data.facebank import FaceBank
        from detector.training.specialists.report import export_specialists

        bank = FaceBank.open(run_dir / "bank")
        return export_specialists(self.load_config(config_path), run_dir, bank, out, history=history)


register(SpecialistsKind())
