"""From a run on residual patches to weights and a card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from detector.faces import CropSpec
from detector.measurement.results import Results
from detector.registry import ModelCard
from detector.training.data.manifest import read_manifest
from detector.training.engine.config import config_sha256
from detector.training.engine.export import draft_card, origin, run_of, ship
from detector.training.engine.run_log import finished_run
from detector.training.evaluation.heldout import write_held_out
from detector.training.residual.config import load_residual_config
from detector.training.residual.recipe import CLIPS

_SPLIT = (
    "all are fitted; measured by folds that leave out generators and sources; clips marked for calibration never used"
)


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
            "genuine_clips_by_source": _counts(used[used["label"] == 0]),
            "manipulated_clips_by_source": _counts(used[used["label"] == 1]),
            "split": _SPLIT,
        },
        results=Results.read(facts["out_of_fold"]).below("out_of_fold"),
    )
    manifest = read_manifest(data_root, extended=True)
    split = np.where(manifest["group"].isin(set(used["group"])), "train", "test")
    write_held_out(manifest.assign(split=split), out, config.model_id)
    return ship(card, run.weights, out)


def _counts(rows: pd.DataFrame) -> dict[str, int]:
    return {str(source): int(count) for source, count in rows["source"].value_counts().items()}
