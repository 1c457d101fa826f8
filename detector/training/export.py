"""From a finished run to shipped weights: fp16 safetensors and the card that says what they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pandas as pd
import torch

from detector.errors import SettingsError
from detector.faces import CropSpec
from detector.models import build_network
from detector.registry import Decision, ModelCard, save_weights
from detector.training.config import TrainConfig
from detector.training.decide import choose_decision
from detector.training.heldout import write_held_out

UNDECIDED: Final = Decision(1e3, -1e3, "not measured: every file is inconclusive")


def export_run(config: TrainConfig, run_dir: Path, table: pd.DataFrame, out: Path) -> ModelCard:
    """Write weights, held-out list and card into `out` from the run's averaged weights; `table` is the bank's.

    The card has no results yet and thresholds that call nothing: `measure_run` fills them in.
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
    used = table[table["split"] == "train"]
    card = ModelCard(
        model_id=config.model_id,
        title=config.title,
        kind="frame",
        architecture=config.architecture,
        crop=CropSpec(config.input_px, config.margin, "none", "area", config.mean, config.std),
        weights_file=weights.name,
        weights_sha256=save_weights(network, weights),
        parameters=sum(parameter.numel() for parameter in network.parameters()),
        decision=UNDECIDED,
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
        results={},
        limits=config.limits,
        licence=config.licence,
    )
    write_held_out(table, out, config.model_id)
    card.write(out / f"{config.model_id}.card.json")
    return card


def measure_run(card: ModelCard, out: Path, report: dict[str, Any]) -> ModelCard:
    """Put measured results, and thresholds set on them, into the card in `out`; `report` is `evaluate_model`'s.

    Calls at the new thresholds are counted afresh, since the report was made before they existed.
    """
    videos = dict(report["videos"])
    clips = videos.pop("clips")
    decision = choose_decision(clips)
    for name, rows in (("genuine", "real"), ("fake", "fake")):
        logits = [clip["logit"] for clip in clips if clip["label"] == rows and clip["logit"] is not None]
        videos[f"called_{name}"] = {
            "clips": len(logits),
            "likely_manipulated": sum(logit >= decision.likely_manipulated_logit for logit in logits),
            "no_manipulation_found": sum(logit <= decision.no_manipulation_logit for logit in logits),
        }
    # What the report says was called, it counted with no thresholds yet.
    videos.pop("called_genuine_held_out", None)
    if sources := videos.get("genuine_per_source"):
        videos["genuine_per_source"] = {
            name: {key: value for key, value in row.items() if key != "called"} for name, row in sources.items()
        }
    measured = replace(card, decision=decision, results={"held_out_crops": report["held_out_crops"], "videos": videos})
    measured.write(out / f"{card.model_id}.card.json")
    return measured


def _counts(rows: pd.DataFrame) -> dict[str, int]:
    return {str(source): int(count) for source, count in rows["source"].value_counts().items()}
