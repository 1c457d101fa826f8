"""From a finished run to shipped weights: fp16 safetensors and the card that says what they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from detector.errors import SettingsError
from detector.faces import CropSpec
from detector.models import build_network
from detector.registry import Decision, ModelCard, save_weights
from detector.training.config import TrainConfig
from detector.training.facebank import FaceBank


def export_run(
    config: TrainConfig, run_dir: Path, bank: FaceBank, out: Path, *, decision: Decision, results: dict[str, Any]
) -> ModelCard:
    """Write `<model_id>.safetensors` and `<model_id>.card.json` into `out` from the run's averaged weights.

    Raises SettingsError where the run has no checkpoint or was made with another config.
    """
    checkpoint = run_dir / "checkpoint.pt"
    if not checkpoint.is_file():
        raise SettingsError(f"No checkpoint in {run_dir}: train first.")
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    if state["config_sha256"] != config.sha256:
        raise SettingsError("The checkpoint was trained with another config than the one given.")
    network = build_network(config.architecture)
    network.load_state_dict(state["ema"])
    out.mkdir(parents=True, exist_ok=True)
    weights = out / f"{config.model_id}.safetensors"
    used = bank.table[(bank.table["split"] == "train")]
    card = ModelCard(
        model_id=config.model_id,
        title=config.title,
        kind="frame",
        architecture=config.architecture,
        crop=CropSpec(config.input_px, config.margin, "none", "area", config.mean, config.std),
        weights_file=weights.name,
        weights_sha256=save_weights(network, weights),
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        decision=decision,
        training={
            "config_sha256": config.sha256,
            "steps": state["step"],
            "minutes": round(state["elapsed_s"] / 60, 1),
            "batch_size": config.batch_size,
            "genuine_faces_by_source": _counts(used[used["label"] == "real"]),
            "labelled_manipulated_by_source": _counts(used[used["label"] == "fake"]),
            "pseudo_fakes": "self-blended, swapped, mouths repainted, re-drawn by autoencoders; made during training",
            "split": "by person, source clip or family; 20 % of groups kept for testing, 10 % for validation",
        },
        results=results,
        limits=config.limits,
        licence=config.licence,
    )
    card.write(out / f"{config.model_id}.card.json")
    return card


def read_results(path: Path) -> dict[str, Any]:
    """A report of `evaluate` as JSON, less the list of single clips, for a card's `results`."""
    report = json.loads(path.read_text(encoding="utf-8"))
    report.get("videos", {}).pop("clips", None)
    return report


def _counts(rows: Any) -> dict[str, int]:
    return {str(source): int(count) for source, count in rows["source"].value_counts().items()}
