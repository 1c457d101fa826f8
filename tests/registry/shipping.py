"""Small, untrained models of any kind in a weights folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from detector.faces import CropSpec
from detector.measurement.results import Results
from detector.models import build_network
from detector.registry import ModelCard, Thresholds, save_weights


def ship(
    folder: Path,
    model_id: str,
    kind: str,
    architecture: dict[str, Any],
    inputs: dict[str, Any],
    crop: CropSpec | None = None,
) -> ModelCard:
    """A small, untrained model with its card."""
    torch.manual_seed(len(model_id))
    path = folder / f"{model_id}.safetensors"
    network = build_network(architecture)
    card = ModelCard(
        model_id=model_id,
        title=model_id,
        kind=kind,
        architecture=architecture,
        crop=crop or CropSpec(64, 0.1),
        weights_file=path.name,
        weights_sha256=save_weights(network, path, dtype=torch.float32),
        parameters=1,
        thresholds=Thresholds(0.5, -0.5, "none"),
        training={},
        results=Results(),
        limits=("untrained",),
        licence="test",
        inputs=inputs,
    )
    card.write(folder / f"{model_id}.card.json")
    return card
