"""A training run as one YAML file, checked whole before anything starts."""

from __future__ import annotations

import hashlib
import json
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from detector.errors import SettingsError
from detector.training.pretrained import SOURCES


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """What to train, on what, for how long.

    `model_id` names the result; `architecture` is the card's table; `input_px`, `margin`, `mean`, `std` fix the crop.
    A run ends after `steps` optimiser steps or `budget_minutes`, whichever comes first; the cosine schedule follows the
    further of the two. `init` names openly licensed weights the trunk starts from (`detector.training.pretrained`), ""
    for none. `labelled_share` of each batch are crops with a label but no mask, the rest pseudo-fake pairs.
    """

    model_id: str
    title: str
    architecture: dict[str, Any]
    init: str = ""
    input_px: int = 144
    margin: float = 0.12
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.25, 0.25, 0.25)
    steps: int = 6000
    budget_minutes: float = 90.0
    batch_size: int = 64
    labelled_share: float = 0.375
    resynthesis_share: float = 0.3
    resynthesiser_minutes: float = 3.0
    steps_per_epoch: int = 150
    learning_rate: float = 1e-3
    warmup_steps: int = 200
    weight_decay: float = 0.02
    clip_norm: float = 1.0
    ema_decay: float = 0.998
    focal_alpha: float = 0.5
    focal_gamma: float = 0.0
    label_smoothing: float = 0.05
    map_weight: float = 3.0
    seed: int = 7
    bf16: bool = True
    shard_pairs: int = 640
    shard_labelled: int = 768
    coarse_shards: int = 8
    keep_shards: int = 24
    limits: tuple[str, ...] = field(default_factory=tuple)
    licence: str = ""

    @property
    def sha256(self) -> str:
        """Hash of what differs from the defaults, so that a setting added later leaves old hashes as they are."""
        usual = {item.name: item.default for item in fields(self)}
        chosen = {key: value for key, value in asdict(self).items() if value != usual[key]}
        return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()


def load_config(path: Path) -> TrainConfig:
    """Read and check a YAML file. Raises SettingsError listing every problem at once."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(f"Cannot read the training config {path.name}: {error}") from error
    if not isinstance(values, dict):
        raise SettingsError(f"{path.name}: expected a mapping of settings, found {type(values).__name__}.")
    return check_config(values, path.name)


def check_config(values: dict[str, Any], name: str = "config") -> TrainConfig:
    known = {item.name: item for item in fields(TrainConfig)}
    problems = [f"unknown setting {key!r}" for key in sorted(set(values) - set(known))]
    for key, item in known.items():
        if key not in values:
            if item.default is MISSING and item.default_factory is MISSING:
                problems.append(f"missing setting {key!r}")
            continue
        problems += _problems_of(key, values[key])
    if problems:
        raise SettingsError(f"{name}: " + "; ".join(problems))
    listed = ("mean", "std", "limits")
    checked: dict[str, Any] = {key: tuple(value) if key in listed else value for key, value in values.items()}
    return TrainConfig(**checked)


_NUMBERS: dict[str, tuple[float, float]] = {
    "input_px": (32, 1024), "margin": (0, 1), "steps": (1, 10**7), "budget_minutes": (0.01, 10**5),
    "batch_size": (2, 4096),
    "labelled_share": (0, 1), "resynthesis_share": (0, 1), "resynthesiser_minutes": (0.01, 10**4),
    "steps_per_epoch": (1, 10**6), "learning_rate": (1e-7, 1), "warmup_steps": (0, 10**6),
    "weight_decay": (0, 1), "clip_norm": (0.01, 100), "ema_decay": (0, 0.99999), "focal_alpha": (0, 1),
    "focal_gamma": (0, 10),
    "label_smoothing": (0, 0.5), "map_weight": (0, 100), "seed": (0, 2**31), "shard_pairs": (1, 10**5),
    "shard_labelled": (0, 10**5), "coarse_shards": (0, 10**5), "keep_shards": (1, 10**5),
}  # fmt: skip


def _problems_of(key: str, value: Any) -> list[str]:
    if key in _NUMBERS:
        low, high = _NUMBERS[key]
        if isinstance(value, bool) or not isinstance(value, int | float):
            return [f"{key}: expected a number, found {value!r}"]
        if not low <= value <= high:
            return [f"{key}: expected {low} to {high}, found {value}"]
        if key == "input_px" and value % 16:
            return [f"input_px: expected a multiple of 16, found {value}"]
    elif key in ("mean", "std") and not (
        isinstance(value, list | tuple) and len(value) == 3 and all(isinstance(x, int | float) for x in value)
    ):
        return [f"{key}: expected three numbers, found {value!r}"]
    elif key == "architecture" and not (isinstance(value, dict) and "kind" in value):
        return [f"architecture: expected a table with a kind, found {value!r}"]
    elif key == "init" and value not in ("", *SOURCES):
        return [f"init: expected one of {', '.join(SOURCES)} or nothing, found {value!r}"]
    elif key in ("model_id", "title", "licence") and not isinstance(value, str):
        return [f"{key}: expected text, found {value!r}"]
    elif key == "bf16" and not isinstance(value, bool):
        return [f"bf16: expected true or false, found {value!r}"]
    return []
