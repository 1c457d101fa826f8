"""From a run of a sequence model to weights and a card."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from detector.errors import SettingsError
from detector.registry import FrameModel, ModelCard, expect, load_model
from detector.training.data.splits import SPLITS
from detector.training.engine.config import config_sha256
from detector.training.engine.export import bring, origin, run_of, split_manifest
from detector.training.engine.run_log import finished_run
from detector.training.evaluation.heldout import write_held_out
from detector.training.sequence.recipe import clip_features, fit_sequence, load_sequence_config
from detector.training.sequence.report import export_sequence


def export_sequence_run(config_path: Path, data_root: Path, run_dir: Path, out: Path, history: str) -> ModelCard:
    """As `TrainingKind.export`; its clips are read from where training left them, and made where they are not there."""
    config = load_sequence_config(config_path)
    facts = finished_run(run_dir)
    if facts is None:
        raise SettingsError(f"{config.model_id}: no finished run in {run_dir}.")
    run = run_of(config.model_id, config_sha256(config), run_dir, history)
    if change := finished_run(run_dir / "change"):
        facts = {**facts, "change": change}
    trunk = expect(load_model(config.trunk), FrameModel)
    clips = run_dir.parent / "clips"
    plans = (config.crops, config.validation_crops, config.validation_crops)
    pairs = "change" in config.architecture
    train, validation, apart = (
        clip_features(plan, data_root, clips, trunk, split, pairs=pairs)
        for plan, split in zip(plans, SPLITS, strict=True)
    )
    network = fit_sequence(config, trunk, train, validation, run_dir)  # the run is over: this only loads its best epoch
    card = export_sequence(config, network, trunk, (train, validation, apart), facts, out)
    card = replace(card, training={**card.training, **origin(run, history)})
    card.write(out / f"{card.model_id}.card.json")
    write_held_out(split_manifest(data_root), out, config.model_id)
    bring([config.trunk], out)
    return card
