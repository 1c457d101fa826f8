"""From a run of a frame model to weights and a card."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from detector.faces import CropSpec
from detector.registry import ModelCard
from detector.training.data.facebank import FaceBank
from detector.training.engine.export import SPLIT, draft_card, origin, run_of, ship
from detector.training.evaluation.heldout import write_held_out
from detector.training.frame.config import FrameConfig, load_config


def export_frame(config_path: Path, data_root: Path, run_dir: Path, out: Path, history: str) -> ModelCard:
    """As `TrainingKind.export`; the faces trained on are those of the run's bank."""
    return export_run(load_config(config_path), run_dir, FaceBank.open(run_dir / "bank").table, out, history)


def export_run(config: FrameConfig, run_dir: Path, table: pd.DataFrame, out: Path, history: str = "") -> ModelCard:
    """A frame model, from a run's averaged weights; `table` is the bank's."""
    run = run_of(config.model_id, config.sha256, run_dir, history)
    used = table[table["split"] == "train"]
    card = draft_card(
        config,
        "frame",
        CropSpec(config.input_px, config.margin, "none", "area", config.mean, config.std, config.least_inside),
        {
            **origin(run, history),
            "steps": run.steps,
            "minutes": run.minutes,
            "batch_size": config.fit.batch_size,
            "init": config.init,
            "genuine_faces_by_source": _counts(used[used["label"] == "real"]),
            "labelled_manipulated_by_source": _counts(used[used["label"] == "fake"]),
            "pseudo_fakes": "self-blended, swapped, mouths repainted, whole faces re-synthesised; made during training",
            "split": SPLIT,
        },
    )
    write_held_out(table, out, config.model_id)
    return ship(card, run.weights, out)


def _counts(rows: pd.DataFrame) -> dict[str, int]:
    return {str(source): int(count) for source, count in rows["source"].value_counts().items()}
