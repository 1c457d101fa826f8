"""From a run on residual patches to weights and a card."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from detector.faces import CropSpec
from detector.measurement.results import Results
from detector.registry import ModelCard
from detector.training.data.left_out import SPLIT, clips_by_source
from detector.training.engine.config import config_sha256
from detector.training.engine.export import draft_card, origin, run_of, ship
from detector.training.engine.run_log import finished_run
from detector.training.evaluation.heldout import write_unfitted
from detector.training.residual.config import load_residual_config
from detector.training.residual.recipe import CLIPS


def export_residual(config_path: Path, data_root: Path, run_dir: Path, out: Path, history: str) -> ModelCard:
    """As `TrainingKind.export`; its results are those of the folds. Every group of the manifests that was not fitted
    counts as held out."""
    config = load_residual_config(config_path)
    run = run_of(config.model_id, config_sha256(config), run_dir, history)
    facts = finished_run(run_dir) or {}
    used = pd.read_csv(run_dir / CLIPS, dtype={"group": str}, keep_default_na=False)
    card = draft_card(
        config,
        "residual",
        CropSpec(config.patch_px, 0.0, "native"),
        {
            **origin(run, history),
            "steps": run.steps,
            "minutes": run.minutes,
            "batch_size": config.fit.batch_size,
            "seeds": list(config.seeds),
            "clips": facts["clips"],
            **clips_by_source(used),
            "split": SPLIT,
        },
        results=Results.read(facts["out_of_fold"]).below("out_of_fold"),
    )
    write_unfitted(used, data_root, out, config.model_id)
    return ship(card, run.weights, out)
