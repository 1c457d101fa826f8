"""Audio-visual models: the voice against the movement of the mouth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from detector.training.kinds import TrainingKind, register

if TYPE_CHECKING:
    from detector.registry import ModelCard
    from detector.training.audiovisual.recipe import AudioVisualConfig


class AudioVisualKind(TrainingKind):
    """Windows of speech with the mouth that speaks."""

    name = "audiovisual"
    folds_itself = True

    def load_config(self, path: Path) -> AudioVisualConfig:
        """Read and check a YAML file. Raises SettingsError listing every problem at once."""
        from detector.training.audiovisual.recipe import load_audiovisual_config

        return load_audiovisual_config(path)

    def train(self, config_path: Path, data_root: Path, run_dir: Path, device: str) -> None:
        """Train a model of this kind, going on with what the run folder holds."""
        from detector.training.audiovisual.recipe import train_audiovisual

        train_audiovisual(config_path, data_root, run_dir, device)

    def export(self, config_path: Path, data_root: Path, run_dir: Path, out: Path, history: str) -> ModelCard:
        """Weights, list of held-out groups and card of a run in `out`."""
        from detector.training.audiovisual.report import export_audiovisual

        return export_audiovisual(self.load_config(config_path), data_root, run_dir, out, history)


register(AudioVisualKind())
