"""Texture over time: whether a face keeps one still's fine detail."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from detector.training.kinds import TrainingKind, register

if TYPE_CHECKING:
    from detector.registry import ModelCard
    from detector.training.texture.recipe import TextureConfig


class TextureKind(TrainingKind):
    """Pairs of moments of one face."""

    name = "texture"

    def load_config(self, path: Path) -> TextureConfig:
        """Read and check a YAML file. Raises SettingsError listing every problem at once."""
        from detector.training.texture.recipe import load_texture_config

        return load_texture_config(path)

    def train(self, config_path: Path, data_root: Path, run_dir: Path, device: str) -> None:
        """Train a model of this kind, going on with what the run folder holds."""
        from detector.training.texture.recipe import train_texture

        train_texture(config_path, data_root, run_dir, device)

    def export(self, config_path: Path, data_root: Path, run_dir: Path, out: Path, history: str) -> ModelCard:
        """Weights, list of held-out groups and card of a run in `out`."""
        from detector.training.texture.export import export_texture

        return export_texture(config_path, data_root, run_dir, out, history)


register(TextureKind())
