"""From a run on the motion of the face to weights and a card."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import torch

from detector.faces import CropSpec
from detector.faces.motion import FEATURES, WINDOW_S
from detector.measurement.results import Results
from detector.registry import ModelCard
from detector.training.data.left_out import SPLIT, clips_by_source
from detector.training.engine.config import config_sha256
from detector.training.engine.export import draft_card, origin, run_of, ship
from detector.training.engine.run_log import finished_run
from detector.training.evaluation.heldout import write_unfitted
from detector.training.kinematics.config import load_kinematics_config
from detector.training.kinematics.recipe import CLIPS

_MESH_PX = 192


def export_kinematics(config_path: Path, data_root: Path, run_dir: Path, out: Path, history: str) -> ModelCard:
    """As `TrainingKind.export`; its results are those of the folds. Every group of the manifests that was not fitted
    counts as held out."""
    config = load_kinematics_config(config_path)
    run = run_of(config.model_id, config_sha256(config), run_dir, history)
    facts = finished_run(run_dir) or {}
    used = pd.read_csv(run_dir / CLIPS, dtype={"group": str}, keep_default_na=False)
    card = draft_card(
        config,
        "kinematics",
        CropSpec(_MESH_PX, 0.0),
        {
            **origin(run, history),
            "minutes": run.minutes,
            "clips": facts["clips"],
            "not_measured": facts["not_measured"],
            **clips_by_source(used),
            "split": SPLIT,
        },
        inputs={
            "features": list(FEATURES),
            "window_s": WINDOW_S,
            "genuine_mean": facts["genuine"]["mean"],
            "genuine_std": facts["genuine"]["std"],
        },
        results=Results.read(facts["out_of_fold"]).below("out_of_fold"),
    )
    write_unfitted(used, data_root, out, config.model_id)
    return ship(card, run.weights, out, dtype=torch.float32)
