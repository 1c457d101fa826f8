"""Which recipe trains which kind of model: a YAML config's `kind` -> a function.

A recipe is `train(config_path, data_root, run_dir, device) -> None`: it reads and checks its config, prepares its data
in `run_dir`, and calls `detector.training.engine.fit.fit`. It resumes whatever `run_dir` holds.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Final

from detector.errors import SettingsError
from detector.training.engine.config import read_yaml

Recipe = Callable[[Path, Path, Path, str], None]

# Named, not imported: each draws in its own networks and data code.
RECIPES: Final[dict[str, tuple[str, str]]] = {
    "frame": ("detector.training.frame.recipe", "train_frame"),
    "sequence": ("detector.training.sequence.recipe", "train_sequence"),
    "specialists": ("detector.training.specialists.recipe", "train_specialists"),
    "texture": ("detector.training.texture.recipe", "train_texture"),
    "audiovisual": ("detector.training.audiovisual.recipe", "train_audiovisual"),
    "ensemble": ("detector.training.ensemble.recipe", "train_ensemble"),
}


def kind_of(config_path: Path) -> str:
    """The `kind` a config asks for, "frame" where it names none. Raises SettingsError for one that is not known."""
    kind = read_yaml(config_path).get("kind", "frame")
    if kind not in RECIPES:
        raise SettingsError(f"{config_path.name}: kind: expected one of {', '.join(RECIPES)}, found {kind!r}")
    return str(kind)


def recipe_for(config_path: Path) -> Recipe:
    module, name = RECIPES[kind_of(config_path)]
    recipe: Recipe = getattr(import_module(module), name)
    return recipe
