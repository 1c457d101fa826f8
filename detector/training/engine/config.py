"""A training run as one YAML file, checked whole before anything starts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar, get_args, get_origin, get_type_hints

import yaml
from pydantic import Field, TypeAdapter, ValidationError

from detector.errors import SettingsError
from detector.training.engine.schedule import Schedule

Config = TypeVar("Config")


Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0, le=100)]
Alpha = Annotated[float, Field(ge=0, le=10)]
Count = Annotated[int, Field(ge=1, le=10**6)]
Seed = Annotated[int, Field(ge=0, le=2**31)]


@dataclass(frozen=True)
class FitConfig:
    """The fit of a network, whatever it is.

    A run ends after `max_epochs`, after `budget_minutes`, or once `patience` epochs brought no lower validation loss,
    but not before `min_epochs` (the budget ends it even then). `focal_gamma` 0 and `focal_alpha` 0.5 make plain
    cross-entropy. Mixing, consistency and contrast are used by the kinds that name them.
    """

    max_epochs: Count = 60
    min_epochs: Annotated[int, Field(ge=0, le=10**6)] = 10
    patience: Count = 5
    budget_minutes: Annotated[float, Field(ge=0.001, le=10**6)] = 60.0
    batch_size: Annotated[int, Field(ge=2, le=4096)] = 64
    learning_rate: Annotated[float, Field(ge=1e-7, le=1)] = 1e-3
    schedule: Schedule = "cosine_restarts"
    restart_epochs: Count = 10
    warmup_steps: Annotated[int, Field(ge=0, le=10**6)] = 50
    weight_decay: Share = 0.01
    clip_norm: Annotated[float, Field(ge=0.01, le=100)] = 1.0
    ema_decay: Annotated[float, Field(ge=0, le=0.99999)] = 0.995
    focal_alpha: Share = 0.5
    focal_gamma: Alpha = 2.0
    label_smoothing: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    positive_weight: Annotated[float, Field(ge=0.01, le=100)] = 1.0
    mixup_alpha: Alpha = 0.0
    cutmix_alpha: Alpha = 0.0
    consistency_weight: Weight = 0.0
    contrastive_weight: Weight = 0.0
    bf16: bool = False
    seed: Seed = 7
    devices: Annotated[int, Field(ge=1, le=64)] = 1


USUAL_FIT: Final = FitConfig()


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
    """A frozen dataclass from a table: types and ranges by its annotations (pydantic's `Field`), nested dataclasses
    from nested tables and lists of them, lists to tuples where the annotation says so. The table's `kind`, which chose
    `cls`, is passed over.

    `problems` are those the caller found beyond that. Raises SettingsError listing every problem at once; `name` (the
    file's) starts the message.
    """
    table = {key: value for key, value in values.items() if key != "kind"}
    found = [*_problems_of(cls, table), *filter(None, problems)]
    if found:
        raise SettingsError(f"{name}: " + "; ".join(found))
    return _built(cls, table)


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


def _problems_of(cls: type, values: Mapping[str, Any]) -> list[str]:
    adapter: TypeAdapter[Any] = TypeAdapter(cls)
    try:
        # As JSON, where a list may become a tuple while everything else is strict: no number is read from text.
        adapter.validate_json(json.dumps(values, default=str), strict=True, extra="forbid")
    except ValidationError as refusal:
        schema = adapter.json_schema()
        found = dict.fromkeys(_problem(error["type"], error["loc"], schema, values) for error in refusal.errors())
        return sorted(found, key=lambda problem: not problem.startswith("unknown"))  # a misspelt name explains the rest
    return []


def _problem(kind: str, place: tuple[int | str, ...], schema: dict[str, Any], values: Any) -> str:
    """One problem in words: the setting by its path, the form that its part of the JSON schema asks for, its value."""
    here, names = schema, list[str]()
    for name in map(str, place):
        if name not in (here := _resolved(here, schema)).get("properties", {}):
            if kind == "unexpected_keyword_argument":
                return f"unknown setting {'.'.join([*names, name])!r}"
            break
        here, values = here["properties"][name], values.get(name, MISSING)
        names.append(name)
    path = ".".join(names)
    if values is MISSING:
        return f"missing setting {path!r}"
    return f"{path}: expected {_expected(_resolved(here, schema), values)}, found {values!r}"


def _resolved(part: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    return schema["$defs"][part["$ref"].rsplit("/", 1)[1]] if "$ref" in part else part


_WORDS: Final = {
    "integer": "a whole number", "number": "a number", "boolean": "true or false", "string": "text",
    "object": "a table", "null": "nothing",
}  # fmt: skip
_COUNTS: Final = {2: "two", 3: "three", 4: "four"}


def _expected(part: dict[str, Any], value: Any) -> str:
    if "enum" in part:
        return f"one of {', '.join(map(repr, part['enum']))}"
    if "anyOf" in part:
        return " or ".join(_expected(option, value) for option in part["anyOf"])
    if part.get("type") == "array":
        inner = part.get("items") or part["prefixItems"][0]
        one, count = _WORDS.get(inner.get("type"), "value").removeprefix("a "), part.get("minItems", 0)
        return f"{_COUNTS.get(count, count)} {one}s" if "prefixItems" in part else f"a list of {one}s"
    if "minimum" in part and isinstance(value, int | float) and not isinstance(value, bool):
        return f"{part['minimum']:.10g} to {part['maximum']:.10g}"
    return _WORDS.get(part.get("type", ""), "something else")


def _built(cls: type[Config], values: Mapping[str, Any]) -> Config:
    hints = get_type_hints(cls)
    chosen: dict[str, Any] = {}
    for item in fields(cls):  # type: ignore[arg-type]
        if item.name in values:
            value, hint = values[item.name], hints[item.name]
            if is_dataclass(hint) and isinstance(hint, type):
                value = _built(hint, value)
            elif isinstance(value, list) and is_dataclass(part := next(iter(get_args(hint)), None)):
                value = [_built(part, one) for one in value]  # type: ignore[arg-type]
            chosen[item.name] = tuple(value) if isinstance(value, list) and get_origin(hint) is tuple else value
    return cls(**chosen)
