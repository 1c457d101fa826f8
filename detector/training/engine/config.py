"""A training run as one YAML file, checked whole before anything starts."""

from __future__ import annotations

import hashlib
import json
import types
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from detector.errors import SettingsError
from detector.training.engine.pretrained import start_problem
from detector.training.engine.schedule import Schedule

Limits = Mapping[str, Any]
"""A setting's name -> (lowest, highest) of a number, a list of the values allowed, or the limits of a nested table."""
Config = TypeVar("Config")


def read_yaml(path: Path) -> dict[str, Any]:
    """The table in a YAML file. Raises SettingsError where there is none to read."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(f"Cannot read the training config {path.name}: {error}") from error
    if not isinstance(values, dict):
        raise SettingsError(f"{path.name}: expected a mapping of settings, found {type(values).__name__}.")
    return values


def check_fields(
    cls: type[Config], values: Mapping[str, Any], name: str, limits: Limits, *, problems: Iterable[str] = ()
) -> Config:
    """A frozen dataclass from a table: types by its annotations, values by `limits`, nested dataclasses from nested
    tables, lists to tuples where the annotation says so. The table's `kind`, which chose `cls`, is passed over.

    `problems` are what the caller found beyond that. Raises SettingsError listing every problem at once; `name` (the
    file's) starts the message.
    """
    found = [*_problems_of(cls, values, limits, ""), *problems]
    if found:
        raise SettingsError(f"{name}: " + "; ".join(found))
    return _built(cls, values)


def config_sha256(config: Any) -> str:
    """Hash of what differs from the defaults, so that a setting added later leaves old hashes as they are."""
    usual = {item.name: item.default for item in fields(config)}
    chosen = {key: value for key, value in asdict(config).items() if value != usual[key]}
    return hashlib.sha256(json.dumps(chosen, sort_keys=True).encode()).hexdigest()


def _problems_of(cls: type, values: Any, limits: Limits, prefix: str) -> list[str]:
    if not isinstance(values, Mapping):
        return [f"{prefix.rstrip('.')}: expected a table, found {values!r}"]
    known = {item.name: item for item in fields(cls)}
    hints = get_type_hints(cls)
    extra = set(values) - set(known) - ({"kind"} if not prefix else set())
    problems = [f"unknown setting {prefix + str(key)!r}" for key in sorted(extra, key=str)]
    for key, item in known.items():
        if key in values:
            problems += _value_problems(prefix + key, values[key], hints[key], limits.get(key))
        elif item.default is MISSING and item.default_factory is MISSING:
            problems.append(f"missing setting {prefix + key!r}")
    return problems


def _value_problems(key: str, value: Any, hint: Any, limit: Any) -> list[str]:
    if is_dataclass(hint) and isinstance(hint, type):
        return _problems_of(hint, value, limit or {}, f"{key}.")
    if wrong := _type_problem(value, hint):
        return [f"{key}: expected {wrong}, found {value!r}"]
    if isinstance(limit, tuple) and isinstance(value, int | float) and not limit[0] <= value <= limit[1]:
        return [f"{key}: expected {limit[0]} to {limit[1]}, found {value}"]
    if isinstance(limit, list) and value not in limit:
        return [f"{key}: expected one of {', '.join(map(repr, limit))}, found {value!r}"]
    return []


_WORDS: Final[dict[Any, tuple[type | types.UnionType, str]]] = {
    bool: (bool, "true or false"), int: (int, "a whole number"), float: (int | float, "a number"),
    str: (str, "text"), dict: (Mapping, "a table"), list: (list | tuple, "a list"),
}  # fmt: skip
_COUNTS: Final = {2: "two", 3: "three", 4: "four"}


def _type_problem(value: Any, hint: Any) -> str:
    """What was expected where `value` is something else, "" where it fits."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return "" if value in inner else f"one of {', '.join(map(repr, inner))}"
    if origin in (Union, types.UnionType):
        wrong = [_type_problem(value, option) for option in inner if option is not type(None)]
        return "" if (value is None and type(None) in inner) or "" in wrong else " or ".join(wrong)
    if origin is tuple:
        item, length = inner[0], None if inner[-1] is Ellipsis else len(inner)
        one = _WORDS[item][1].removeprefix("a ") if item in _WORDS else "value"
        words = f"{_COUNTS.get(length or 0, length)} {one}s" if length else f"a list of {one}"
        fits = isinstance(value, list | tuple) and (length is None or len(value) == length)
        return "" if fits and not any(_type_problem(each, item) for each in value) else words
    kind, words = _WORDS.get(origin or hint, (object, ""))
    if isinstance(value, bool) and kind is not bool and kind is not object:
        return words
    return "" if isinstance(value, kind) else words


def _built(cls: type[Config], values: Mapping[str, Any]) -> Config:
    hints = get_type_hints(cls)
    chosen: dict[str, Any] = {}
    for item in fields(cls):  # type: ignore[arg-type]
        if item.name in values:
            value, hint = values[item.name], hints[item.name]
            if is_dataclass(hint) and isinstance(hint, type):
                value = _built(hint, value)
            chosen[item.name] = tuple(value) if isinstance(value, list) and get_origin(hint) is tuple else value
    return cls(**chosen)


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """What frame model to train, on what, for how long.

    `model_id` names the result; `architecture` is the card's table; `input_px`, `margin`, `mean`, `std` fix the crop,
    `least_inside` what share of it must lie in the picture for a face to be scored.
    A run ends after `steps` optimiser steps or `budget_minutes`, whichever comes first; the cosine schedule follows the
    further of the two. `init` names openly licensed weights the trunk starts from
    (`detector.training.engine.pretrained`), ""
    for none. `labelled_share` of each batch are crops with a label but no mask, the rest pseudo-fake pairs,
    `clip_share` of them frames of genuine videos and their twins; `hard_share` of it are replaced by samples of high
    loss seen before. The first `coarse_shards` of the pool hold coarse fakes; `writers` processes fill it. What else a
    fit takes is described in `detector.training.engine.fit.FitConfig`.
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
    min_epochs: int = 10
    patience: int = 20
    schedule: Schedule = "cosine"
    restart_epochs: int = 10
    positive_weight: float = 1.0
    mixup_alpha: float = 0.0
    cutmix_alpha: float = 0.0
    consistency_weight: float = 0.0
    contrastive_weight: float = 0.0
    hard_share: float = 0.0
    devices: int = 1
    clip_share: float = 0.0
    least_inside: float = 0.0
    writers: int = 1

    @property
    def sha256(self) -> str:
        return config_sha256(self)


_LIMITS: Final[Limits] = {
    "input_px": (32, 1024), "margin": (0, 1), "steps": (1, 10**7), "budget_minutes": (0.01, 10**5),
    "batch_size": (2, 4096),
    "labelled_share": (0, 1), "resynthesis_share": (0, 1), "clip_share": (0, 1), "least_inside": (0, 1),
    "resynthesiser_minutes": (0.01, 10**4),
    "steps_per_epoch": (1, 10**6), "learning_rate": (1e-7, 1), "warmup_steps": (0, 10**6),
    "weight_decay": (0, 1), "clip_norm": (0.01, 100), "ema_decay": (0, 0.99999), "focal_alpha": (0, 1),
    "focal_gamma": (0, 10),
    "label_smoothing": (0, 0.5), "map_weight": (0, 100), "seed": (0, 2**31), "shard_pairs": (1, 10**5),
    "shard_labelled": (0, 10**5), "coarse_shards": (0, 10**5), "keep_shards": (1, 10**5),
    "min_epochs": (0, 10**6), "patience": (1, 10**6), "restart_epochs": (1, 10**6), "positive_weight": (0.01, 100),
    "mixup_alpha": (0, 10), "cutmix_alpha": (0, 10), "consistency_weight": (0, 100), "contrastive_weight": (0, 100),
    "hard_share": (0, 0.5), "devices": (1, 64), "writers": (1, 256),
}  # fmt: skip


def load_config(path: Path) -> TrainConfig:
    """Read and check a frame model's YAML file. Raises SettingsError listing every problem at once."""
    return check_config(read_yaml(path), path.name)


def check_config(values: dict[str, Any], name: str = "config") -> TrainConfig:
    problems = []
    if isinstance(side := values.get("input_px", 144), int) and side % 16:
        problems.append(f"input_px: expected a multiple of 16, found {side}")
    if (problem := start_problem(values.get("init", ""))) is not None:
        problems.append(problem)
    table = values.get("architecture")
    if isinstance(table, dict) and "kind" not in table:
        problems.append(f"architecture: expected a table with a kind, found {table!r}")
    return check_fields(TrainConfig, values, name, _LIMITS, problems=problems)
