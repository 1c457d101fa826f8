"""From a run of a texture model to weights and a card."""

from __future__ import annotations

from pathlib import Path

import torch

from detector.analysis.kinds.texture.pairs import LAGS_S
from detector.faces import CropSpec
from detector.faces.texture import FEATURES, SIDE_PX
from detector.measurement.results import Results
from detector.registry import ModelCard
from detector.training.engine.config import config_sha256
from detector.training.engine.export import SPLIT, draft_card, origin, run_of, ship, split_manifest
from detector.training.engine.run_log import finished_run
from detector.training.evaluation.heldout import write_held_out
from detector.training.texture.recipe import load_texture_config


def export_texture(config_path: Path, data_root: Path, run_dir: Path, out: Path, history: str) -> ModelCard:
    """As `TrainingKind.export`; its results are those that the run measured on its validation clips."""
    config = load_texture_config(config_path)
    run = run_of(config.model_id, config_sha256(config), run_dir, history)
    facts = finished_run(run_dir) or {}
    card = draft_card(
        config,
        "texture",
        CropSpec(SIDE_PX, 0.0),
        {
            **origin(run, history),
            **{name: facts[name] for name in ("clips", "pairs", "genuine_clips_by_source")},
            "pseudo_fakes": "stills of the genuine clips animated with the clips' own motion, some painted anew",
            "split": SPLIT,
        },
        inputs={"measures": list(FEATURES), "lags_s": list(LAGS_S)},
        results=Results.read(facts["synthesised"]).below("synthesised"),
    )
    write_held_out(split_manifest(data_root), out, config.model_id)
    return ship(card, run.weights, out, dtype=torch.float32)
