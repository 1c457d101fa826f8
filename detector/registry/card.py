"""A model's card: what it is, how it wants its input, what it was trained on, what it scored, where it fails."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from detector.errors import ModelError
from detector.faces import CropSpec
from detector.measurement.results import Results
from detector.measurement.thresholds import Thresholds

_JSON_NAMES: Final = {"thresholds": "decision"}


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Read from `<model_id>.card.json` beside the weights. `architecture` goes to `detector.models.build_network`;
    `training` is a table of facts; `results` holds only measured figures, each with the data it was measured on."""

    model_id: str
    title: str
    kind: str
    architecture: dict[str, Any]
    crop: CropSpec
    weights_file: str
    weights_sha256: str
    parameters: int
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

    @classmethod
    def read(cls, path: Path) -> ModelCard:
        """Parse a card, of today or of version 0.1. Raises ModelError naming every problem at once."""
        try:
            # Cards of version 0.1 may hold NaN, which is not JSON.
            values = json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda _: None)
        except (OSError, ValueError) as error:
            raise ModelError(f"The model card {path.name} cannot be read: {error}") from error
        if not isinstance(values, dict):
            raise ModelError(f"The model card {path.name} must hold one JSON object, found {type(values).__name__}.")
        known = {_JSON_NAMES.get(item.name, item.name): item for item in fields(cls)}
        needed = {name for name, item in known.items() if item.default_factory is MISSING}
        wrong = sorted((needed - values.keys()) | (values.keys() - known.keys()))
        problems = [f"missing or unknown fields: {', '.join(wrong)}"] if wrong else []
        read: dict[str, Any] = {}
        for name in sorted(known.keys() & values.keys()):
            try:
                read[known[name].name] = _READERS[name](values[name])
            except (TypeError, ValueError, KeyError) as error:
                problems.append(f"{name}: {error}")
        if problems:
            raise ModelError(f"The model card {path.name} has {'; '.join(problems)}.")
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


def _of(kind: type) -> Callable[[Any], Any]:
    def read(value: object) -> object:
        if not isinstance(value, kind) or isinstance(value, bool):
            raise TypeError(f"expected {kind.__name__}, found {type(value).__name__}")
        return value

    return read


def _read_crop(values: object) -> CropSpec:
    table: dict[str, Any] = dict(_of(dict)(values))
    table |= {name: tuple(table[name]) for name in ("mean", "std") if name in table}
    return CropSpec(**table)


def _read_thresholds(values: object) -> Thresholds:
    read = Thresholds(**_of(dict)(values))
    within = [logit for logit in (read.run_logit, read.peak_logit) if logit is not None]
    if not all(
        isinstance(logit, int | float) and math.isfinite(logit)
        for logit in (read.likely_manipulated_logit, read.no_manipulation_logit, *within)
    ):
        raise ValueError("expected finite logits")
    return read


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(("model_id", "title", "kind", "weights_file", "weights_sha256", "licence"), _of(str)),
    **dict.fromkeys(("architecture", "training", "inputs"), _of(dict)),
    "parameters": _of(int),
    "crop": _read_crop,
    "decision": _read_thresholds,
    "results": lambda values: Results.read(_of(dict)(values)),
    "limits": lambda values: tuple(_of(list)(values)),
}
