"""A model's card: what it is, how it wants its input, what it was trained on, what it scored, where it fails."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_type_hints

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict  # pydantic reads that of Python 3.11 not

from detector.errors import ModelError
from detector.faces import CropSpec
from detector.measurement.results import Results
from detector.measurement.thresholds import Thresholds

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_JSON_NAMES: Final = {"thresholds": "decision"}
_MAX_BYTES: Final = 8 * 2**20
_SHOWN_CHARACTERS: Final = 60

_NEEDED_INPUTS: Final = {"sequence": "frames", "audiovisual": "reach_frames"}

ModelId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Count = Annotated[int, Field(ge=1, le=10**6)]
_Positive = Annotated[float, Field(gt=0, le=10**6)]


class _Member(TypedDict):
    model_id: ModelId
    cue: str | None
    weights_sha256: Sha256


@with_config(ConfigDict(extra="allow"))
class _Inputs(TypedDict, total=False):
    """Those of a card's `inputs` on which loading or an analysis depends, by what `ModelCard.inputs` says of them."""

    trunk: ModelId
    trunk_weights_sha256: Sha256
    frames: _Count
    cue: Literal["BG", "CM", "AV", "RR", "LL", "TM"] | None
    interval_margin_logit: Annotated[float, Field(ge=0, le=1000)]
    members: list[_Member]
    method: str
    families: list[str]
    frames_per_second: _Positive
    window_s: _Positive
    reach_frames: _Count
    sample_rate_hz: _Count
    features: list[str]
    lags_s: tuple[_Positive, _Positive]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Read from `<model_id>.card.json` beside the weights. `architecture` goes to `detector.models.build_network`;
    `training` is a table of facts; `results` holds only measured figures, each with the data it was measured on."""

    model_id: ModelId
    title: str
    kind: str
    architecture: dict[str, Any]
    crop: CropSpec
    weights_file: str
    weights_sha256: Sha256
    parameters: Annotated[int, Field(ge=0, le=10**12)]
    thresholds: Thresholds  # "decision" in the file
    training: dict[str, Any]
    results: Results
    limits: tuple[str, ...]
    licence: str
    # What the model reads besides its own crop, by kind. sequence: {"trunk": model id of the frame model whose features
    # it reads, "trunk_weights_sha256": of exactly these weights, "frames": T, "cue": "TM" | None,
    # and perhaps "interval_margin_logit" by which a frame stands out from its face}; its `crop` is its trunk's.
    # audiovisual: {"frames_per_second", "window_s", "sample_rate_hz", …}. ensemble: {"members": [{"model_id",
    # "cue", "weights_sha256"}], "method"}; its `crop` is its first member's, and it cuts none. Others: {}.
    inputs: dict[str, Any] = field(default_factory=dict)
    # What people call it, short enough for a table or a sentence: the id where the file gives none.
    name: Annotated[str, Field(max_length=60)] = ""

    def __post_init__(self) -> None:
        """Have a name in any case."""
        if not self.name:
            object.__setattr__(self, "name", self.model_id)

    @classmethod
    def read(cls, path: Path) -> ModelCard:
        """Parse a card, of today or of version 0.1. Raises ModelError naming every problem at once: a field that is
        missing or unknown, of another type, not finite, out of its range, thresholds in the wrong order."""
        try:
            values = json.loads(_text(path))
        except (OSError, ValueError, RecursionError) as error:
            raise ModelError(f"The model card {path.name} cannot be read: {error}. Restore the file.") from error
        if not isinstance(values, dict):
            raise ModelError(f"The model card {path.name} must hold one JSON object, found {type(values).__name__}.")
        known = {_JSON_NAMES.get(item.name, item.name): item for item in fields(cls)}
        needed = {name for name, item in known.items() if MISSING is item.default is item.default_factory}
        wrong = sorted((needed - values.keys()) | (values.keys() - known.keys()))
        problems = [f"missing or unknown fields: {', '.join(wrong)}"] if wrong else []
        read: dict[str, Any] = {}
        for name in sorted(known.keys() & values.keys()):
            try:
                read[known[name].name] = _READERS.get(name, partial(_checked, name))(values[name])
            except (TypeError, ValueError, KeyError, AttributeError, RecursionError) as error:
                problems.append(f"{name}: {error}")
        wanted = _NEEDED_INPUTS.get(str(values.get("kind")), "")
        if wanted and wanted not in read.get("inputs", {wanted}):
            problems.append(f"inputs: expected {wanted}, on which an analysis by a model of this kind depends")
        if problems:
            raise ModelError(f"The model card {path.name} has {'; '.join(problems)}. Restore the file, or correct it.")
        return cls(**read)

    def as_json(self) -> dict[str, Any]:
        """The card as its file has it."""
        plain = {_JSON_NAMES.get(item.name, item.name): getattr(self, item.name) for item in fields(self)}
        return {
            **plain,
            "crop": asdict(self.crop),
            "decision": self.thresholds.as_json(),
            "results": self.results.as_json(),
        }

    def write(self, path: Path) -> None:
        """One measured figure a line. Raises ValueError for a number that JSON does not know."""
        card = self.as_json()
        parts = ",\n".join(
            f'    "{name}": [\n' + ",\n".join(f"      {_dumped(item)}" for item in items) + "\n    ]"
            for name, items in card.pop("results").items()
        )
        rest = _dumped(card, indent=2).removesuffix("\n}")
        path.write_text(rest + ',\n  "results": {\n' + parts + "\n  }\n}\n", encoding="utf-8")


def _dumped(values: dict[str, Any], indent: int | None = None) -> str:
    return json.dumps(values, indent=indent, ensure_ascii=False, allow_nan=False)


def _text(path: Path) -> str:
    if not path.is_file():
        raise OSError("it is no file" if path.exists() else "there is no such file")
    if (size := path.stat().st_size) > _MAX_BYTES:
        raise OSError(f"a card has up to {_MAX_BYTES:,} bytes, this has {size:,}")
    return path.read_text(encoding="utf-8")


def _without_nan(value: object) -> object:
    """NaN, which is not JSON and which cards of version 0.1 hold among their results, as None."""
    if isinstance(value, dict):
        return {name: _without_nan(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _checked(name: str, value: object) -> object:
    """A field's value as `ModelCard` annotates it. Raises ValueError with the reasons."""
    if name == "training":
        value = _without_nan(value)
    # As JSON, where a list may become a tuple while everything else is strict: no number is read from text.
    text = json.dumps(value)
    try:
        if name == "inputs":  # a kind that is added later has inputs of its own
            _INPUTS.validate_json(text, strict=True)
        checked = _adapter(name).validate_json(text, strict=True, extra="forbid")
    except ValidationError as refusal:
        raise ValueError(", ".join(dict.fromkeys(map(_problem, refusal.errors())))) from refusal
    json.dumps(value, allow_nan=False)
    return checked


def _problem(error: ErrorDetails) -> str:
    place = ".".join(map(str, error["loc"]))
    said = error["msg"][:1].lower() + error["msg"][1:]
    found = "" if isinstance(error["input"], dict | list) else f", found {_shortened(error['input'])}"
    return f"{place}: {said}{found}" if place else f"{said}{found}"


def _shortened(value: object) -> str:
    shown = repr(value)
    return shown if len(shown) <= _SHOWN_CHARACTERS else f"{shown[:_SHOWN_CHARACTERS]}…"


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    item = next(item for item in fields(ModelCard) if _JSON_NAMES.get(item.name, item.name) == name)
    hint = get_type_hints(ModelCard, include_extras=True)[item.name]
    return TypeAdapter(hint)


def _read_results(values: object) -> Results:
    if not isinstance(values, dict):
        raise TypeError(f"expected a table, found {type(values).__name__}")
    return Results.read({str(name): _without_nan(part) for name, part in values.items()})


_INPUTS: Final[TypeAdapter[_Inputs]] = TypeAdapter(_Inputs)
_READERS: Final[Mapping[str, Callable[[object], Any]]] = {"results": _read_results}
