"""From a run of an ensemble to weights and a card, with its members beside it."""

from __future__ import annotations

from pathlib import Path

import torch

from detector.errors import SettingsError
from detector.registry import ModelCard, find_card
from detector.training.engine.config import config_sha256
from detector.training.engine.export import SPLIT, bring, draft_card, origin, run_of, ship
from detector.training.engine.run_log import finished_run
from detector.training.ensemble.recipe import load_ensemble_config, pinned_members

_VALIDATION = (
    "validation predictions of pictures, videos and clips synthesised from genuine ones, which count alike whatever "
    "their numbers"
)
_POOL = (
    "validation videos and clips of real generators: labels and families count alike, sources by the root of their "
    "number; members that were fitted to these clips enter with out-of-fold logits"
)


def export_ensemble(config_path: Path, data_root: Path, run_dir: Path, out: Path, history: str) -> ModelCard:
    """As `TrainingKind.export`. Raises SettingsError too where a member has other weights now than in the run."""
    config = load_ensemble_config(config_path)
    run = run_of(config.model_id, config_sha256(config), run_dir, history)
    members = pinned_members(config)
    facts = finished_run(run_dir) or {}
    if facts.get("members") != members:
        raise SettingsError(f"{config.model_id}: its members have other weights now than when it was fitted.")
    card = draft_card(
        config,
        "ensemble",
        find_card(members[0]["model_id"]).crop,
        {
            **origin(run, history),
            "fitted_on": _POOL if config.pool else _VALIDATION,
            "rows": facts["rows"],
            **({"pools": ["", config.pool], **facts["pool"]} if config.pool else {}),
            "split": SPLIT,
        },
        inputs={
            "members": members,
            "method": config.method,
            **({"families": list(config.families)} if config.families else {}),
        },
    )
    bring([member["model_id"] for member in members], out)
    return ship(card, run.weights, out, dtype=torch.float32)
