"""A training run as one YAML file, checked whole before anything starts."""

from __future__ import annotations

import hashlib
import json
import types
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from detector.errors import SettingsError
from detector.training.engine.schedule import Schedule

Config = TypeVar("Config")


class Between(NamedTuple):
    """The range of a number, both ends allowed: `Annotated[int, Between(1, 9)]`."""

    lowest: float
    highest: float


Share = Annotated[float, Between(0, 1)]
Weight = Annotated[float, Between(0, 100)]
Alpha = Annotated[float, Between(0, 10)]
Count = Annotated[int, Between(1, 10**6)]
Seed = Annotated[int, Between(0, 2**31)]


@dataclass(frozen=True)
class FitConfig:
    """The fit of a network, whatever it is.

    A run ends after `max_epochs`, after `budget_minutes`, or once `patience` epochs brought no lower validation loss,
    but not before `min_epochs` (the budget ends it even then). `focal_gamma` 0 and `focal_alpha` 0.5 make plain
    cross-entropy. Mixing, consistency and contrast are used by the kinds that name them.
    """

    max_epochs: Count = 60
    min_epochs: Annotated[int, Between(0, 10**6)] = 10
    patience: Count = 5
    budget_minutes: Annotated[float, Between(0.001, 10**6)] = 60.0
    batch_size: Annotated[int, Between(2, 4096)] = 64
    learning_rate: Annotated[float, Between(1e-7, 1)] = 1e-3
    schedule: Schedule = "cosine_restarts"
    restart_epochs: Count = 10
    warmup_steps: Annotated[int, Between(0, 10**6)] = 50
    weight_decay: Share = 0.01
    clip_norm: Annotated[float, Between(0.01, 100)] = 1.0
    ema_decay: Annotated[float, Between(0, 0.99999)] = 0.995
    focal_alpha: Share = 0.5
    focal_gamma: Alpha = 2.0
    label_smoothing: Annotated[float, Between(0, 0.5)] = 0.0
    positive_weight: Annotated[float, Between(0.01, 100)] = 1.0
    mixup_alpha: Alpha = 0.0
    cutmix_alpha: Alpha = 0.0
    consistency_weight: Weight = 0.0
    contrastive_weight: Weight = 0.0
    bf16: bool = False
    seed: Seed = 7
    devices: Annotated[int, Between(1, 64)] = 1


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
    cls: type[Config], values: Mapping[str, Any], name: str, *, problems: Iterable[str | None] = ()
) -> Config:
    """A frozen dataclass from a table: types and ranges (`Between`) by its annotations, nested dataclasses from nested
    tables, lists to tuples where the annotation says so. The table's `kind`, which chose `cls`, is passed over.

    `problems` are those the caller found beyond that. Raises SettingsError listing every problem at once; `name` (the
    file's) starts the message.
    """
    found = [*_problems_of(cls, values, ""), *filter(None, problems)]
    if found:
        raise SettingsError(f"{name}: " + "; ".join(found))
    return _built(cls, values)


def config_sha256(config: Any) -> str:
    """Hash of the settings that differ from their defaults, so that one added later leaves old hashes as they are.

    A plain default that is itself a table always counts, as in the hashes that cards hold. A config whose form has
    changed since its hashes were taken says them itself, by an attribute `sha256`.
    """
    if known := getattr(config, "sha256", None):
        return str(known)
    usual = {item.name: item.default for item in fields(config)}
    for item in fields(config):
        if item.default_factory is not MISSING:
            made = item.default_factory()
            usual[item.name] = asdict(made) if is_dataclass(made) and not isinstance(made, type) else made
    return table_sha256({key: value for key, value in asdict(config).items() if value != usual[key]})


def table_sha256(table: Mapping[str, Any]) -> str:
    """Hash of a table of settings, whatever their order."""
    return hashlib.sha256(json.dumps(table, sort_keys=True).encode()).hexdigest()


def _problems_of(cls: type, values: Any, prefix: str) -> list[str]:
    if not isinstance(values, Mapping):
        return [f"{prefix.rstrip('.')}: expected a table, found {values!r}"]
    known = {item.name: item for item in fields(cls)}
    hints = get_type_hints(cls, include_extras=True)
    extra = set(values) - set(known) - ({"kind"} if not prefix else set())
    problems = [f"unknown setting {prefix + str(key)!r}" for key in sorted(extra, key=str)]
    for key, item in known.items():
        if key in values:
            problems += _value_problems(prefix + key, values[key], hints[key])
        elif item.default is MISSING and item.default_factory is MISSING:
            problems.append(f"missing setting {prefix + key!r}")
    return problems


def _value_problems(key: str, value: Any, hint: Any) -> list[str]:
    if get_origin(hint) is Annotated:
        hint, limits = get_args(hint)
        if isinstance(value, int | float) and not isinstance(value, bool) and not limits[0] <= value <= limits[1]:
            return [f"{key}: expected {limits[0]} to {limits[1]}, found {value}"]
    if is_dataclass(hint) and isinstance(hint, type):
        return _problems_of(hint, value, f"{key}.")
    if wrong := _type_problem(value, hint):
        return [f"{key}: expected {wrong}, found {value!r}"]
    return []


_WORDS: Final[dict[Any, tuple[type | types.UnionType, str]]] = {
    bool: (bool, "true or false"), int: (int, "a whole number"), float: (int | float, "a number"),
    str: (str, "text"), dict: (Mapping, "a table"), list: (list | tuple, "a list"),
}  # fmt: skip
_COUNTS: Final = {2: "two", 3: "three", 4: "four"}


def _type_problem(value: Any, hint: Any) -> str:
    """The words for what was expected where `value` is something else, "" where it fits."""
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
