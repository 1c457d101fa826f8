"""A model's card: what it is, how it wants its input, what it was trained on, what it scored, where it fails."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from detector.errors import ModelError
from detector.faces import CropSpec
from detector.measurement.thresholds import Thresholds

_JSON_NAMES: Final = {"thresholds": "decision"}


@dataclass(frozen=True, slots=True)
class ModelCard:
    """Read from `<model_id>.card.json` beside the weights. `architecture` goes to `detector.models.build_network`;
    `training` and `results` are tables of facts; `results` holds only measured numbers with how they were measured."""

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
    results: dict[str, Any]
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
        """Parse a card. Raises ModelError naming what is missing or unknown."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ModelError(f"The model card {path.name} cannot be read: {error}") from error
        if not isinstance(values, dict):
            raise ModelError(f"The model card {path.name} must hold one JSON object, found {type(values).__name__}.")
        known = {_JSON_NAMES.get(item.name, item.name) for item in fields(cls)}
        if wrong := sorted((known ^ set(values)) - {"inputs"}):
            raise ModelError(f"The model card {path.name} has missing or unknown fields: {', '.join(wrong)}.")
        crop = {**values["crop"], "mean": tuple(values["crop"]["mean"]), "std": tuple(values["crop"]["std"])}
        try:
            thresholds = Thresholds(**values.pop("decision"))
            return cls(
                **{
                    **values,
                    "crop": CropSpec(**crop),
                    "thresholds": thresholds,
                    "limits": tuple(values["limits"]),
                }
            )
        except TypeError as error:
            raise ModelError(f"The model card {path.name} is malformed: {error}") from error

    def as_json(self) -> dict[str, Any]:
        """The card as its file has it."""
        return {_JSON_NAMES.get(name, name): value for name, value in asdict(self).items()}

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(self.as_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
