"""Ensembles: the logits of other models fused into one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from detector.training.kinds import TrainingKind, register

if TYPE_CHECKING:
    from detector.registry import ModelCard
    from detector.training.ensemble.recipe import EnsembleConfig


class EnsembleKind(TrainingKind):
    """Members' logits on validation files."""

    name = "ensemble"
    folds_itself = True
    scores_pictures = True

    def load_config(self, path: Path) -> EnsembleConfig:
        """Read and check a YAML file. Raises SettingsError listing every problem at once."""
        from detector.training.ensemble.recipe import load_ensemble_config

        return load_ensemble_config(path)

    def train(self, config_path: Path, data_root: Path, run_dir: Path, device: str) -> None:
        """Train a model of this kind, going on with what the run folder holds."""
        from detector.training.ensemble.recipe import train_ensemble

        train_ensemble(config_path, data_root, run_dir, device)

    def export(self, config_path: Path, data_root: Path, run_dir: Path, out: Path, history: str) -> ModelCard:
        """Weights, list of held-out groups and card of a run in `out`."""
        from detector.training.ensemble.export import export_ensemble

        return export_ensemble(config_path, data_root, run_dir, out, history)


register(EnsembleKind())
