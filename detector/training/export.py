"""From a finished run of any kind to shipped weights: safetensors and the card that says what they are."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pandas as pd
import torch
from torch import nn

from detector.errors import SettingsError
from detector.faces import CropSpec
from detector.models import build_network
from detector.registry import ModelCard, Thresholds, find_card, load_model, save_weights, weights_dir
from detector.training.data.facebank import FaceBank
from detector.training.data.splits import SPLITS, assign_splits
from detector.training.engine.config import TrainConfig, config_sha256, load_config
from detector.training.engine.finished import FinishedRun, finished_run, read_run
from detector.training.ensemble.recipe import load_ensemble_config, pinned_members
from detector.training.evaluation.heldout import held_out_path, write_held_out
from detector.training.kinds import kind_of

UNDECIDED: Final = Thresholds(1e3, -1e3, "not measured: every file is inconclusive")
SPLIT: Final = "by person, source clip or family; 20 % of groups kept for testing, 10 % for validation"


def export_any(config_path: Path, data_root: Path, run_dir: Path, out: Path, *, history: str = "") -> ModelCard:
    """Weights, held-out list and card in `out`, of the kind the config names. What the model builds on is put beside
    it, so that `out` can be used on its own. The card has no measured files yet (`detector.training.evaluation.cards`).

    `history` says what was changed while the run went on; it stands in the card, with the hash that the run itself
    has, and only with it may that be another than the config's. Raises SettingsError where the run has no weights, or
    was made with another config.
    """
    out.mkdir(parents=True, exist_ok=True)
    kind = kind_of(config_path)
    if kind not in EXPORTERS:
        raise SettingsError(f"There is no export of kind {kind!r}; there is one of {', '.join(EXPORTERS)}.")
    return EXPORTERS[kind](config_path, data_root, run_dir, out, history)


def export_run(config: TrainConfig, run_dir: Path, table: pd.DataFrame, out: Path, history: str = "") -> ModelCard:
    """A frame model, from a run's averaged weights; `table` is the bank's."""
    run = _run_of(config.model_id, config.sha256, run_dir, history)
    used = table[table["split"] == "train"]
    card = _card(
        config,
        "frame",
        config.architecture,
        CropSpec(config.input_px, config.margin, "none", "area", config.mean, config.std, config.least_inside),
        {
            **_origin(run, history),
            "steps": run.steps,
            "minutes": run.minutes,
            "batch_size": config.batch_size,
            "init": config.init,
            "genuine_faces_by_source": _counts(used[used["label"] == "real"]),
            "labelled_manipulated_by_source": _counts(used[used["label"] == "fake"]),
            "pseudo_fakes": "self-blended, swapped, mouths repainted, whole faces re-synthesised; made during training",
            "split": SPLIT,
        },
    )
    write_held_out(table, out, config.model_id)
    return _ship(card, run.weights, out)


def _export_frame(config_path: Path, data_root: Path, run_dir: Path, out: Path, history: str) -> ModelCard:
    return export_run(load_config(config_path), run_dir, FaceBank.open(run_dir / "bank").table, out, history)


def _export_sequence(config_path: Path, data_root: Path, run_dir: Path, out: Path, history: str) -> ModelCard:
    from detector.training.sequence.recipe import clip_features, fit_sequence, load_sequence_config
    from detector.training.sequence.report import export_sequence

    config = load_sequence_config(config_path)
    facts = finished_run(run_dir)
    if facts is None:
        raise SettingsError(f"{config.model_id}: no finished run in {run_dir}.")
    _run_of(config.model_id, config_sha256(config), run_dir, history)
    if change := finished_run(run_dir / "change"):
        facts = {**facts, "change": change}
    trunk = load_model(config.trunk)
    clips = run_dir.parent / "clips"
    plans = (config.crops, config.validation_crops, config.validation_crops)
    pairs = "change" in config.architecture
    train, validation, apart = (
        clip_features(plan, data_root, clips, trunk, split, pairs=pairs)
        for plan, split in zip(plans, SPLITS, strict=True)
    )
    network = fit_sequence(config, trunk, train, validation, run_dir)  # the run is over: this only loads its best epoch
    card = export_sequence(config, network, trunk, (train, validation, apart), facts, out)
    write_held_out(_manifest(data_root), out, config.model_id)
    _bring([config.trunk], out)
    return card


def _export_specialists(config_path: Path, data_root: Path, run_dir: Path, out: Path, history: str) -> ModelCard:
    from detector.training.specialists.recipe import load_specialists_config
    from detector.training.specialists.report import export_specialists

    config, bank = load_specialists_config(config_path), FaceBank.open(run_dir / "bank")
    return export_specialists(config, run_dir, bank, out, history=history)


def _export_audiovisual(config_path: Path, data_root: Path, run_dir: Path, out: Path, history: str) -> ModelCard:
    from detector.training.audiovisual.recipe import load_audiovisual_config
    from detector.training.audiovisual.report import export_audiovisual

    return export_audiovisual(load_audiovisual_config(config_path), data_root, run_dir, out)


def _export_texture(config_path: Path, data_root: Path, run_dir: Path, out: Path, history: str) -> ModelCard:
    from detector.analysis.texture import LAGS_S
    from detector.faces.texture import FEATURES, SIDE_PX
    from detector.training.texture.recipe import load_texture_config

    config = load_texture_config(config_path)
    run = _run_of(config.model_id, config_sha256(config), run_dir, history)
    facts = finished_run(run_dir) or {}
    card = _card(
        config,
        "texture",
        config.architecture,
        CropSpec(SIDE_PX, 0.0),
        {
            **_origin(run, history),
            "clips": facts["clips"],
            "pairs": facts["pairs"],
            "genuine_clips_by_source": facts["genuine_clips_by_source"],
            "pseudo_fakes": "stills of the genuine clips animated with the clips' own motion, some painted anew",
            "split": SPLIT,
        },
        {"measures": list(FEATURES), "lags_s": list(LAGS_S)},
    )
    write_held_out(_manifest(data_root), out, config.model_id)
    shipped = _ship(card, run.weights, out, dtype=torch.float32)
    measured = replace(shipped, results={"synthesised": facts["synthesised"]})
    measured.write(out / f"{card.model_id}.card.json")
    return measured


def _export_ensemble(config_path: Path, data_root: Path, run_dir: Path, out: Path, history: str) -> ModelCard:
    config = load_ensemble_config(config_path)
    run = _run_of(config.model_id, config_sha256(config), run_dir, history)
    members = pinned_members(config)
    facts = finished_run(run_dir) or {}
    if facts.get("members") != members:
        raise SettingsError(f"{config.model_id}: its members have other weights now than when it was fitted.")
    card = _card(
        config,
        "ensemble",
        config.architecture,
        find_card(members[0]["model_id"]).crop,
        {
            **_origin(run, history),
            "fitted_on": "validation predictions of pictures, videos and clips synthesised from genuine ones, which "
            "count alike whatever their numbers",
            "rows": facts["rows"],
            "split": SPLIT,
        },
        {"members": members, "method": config.method},
    )
    _bring([member["model_id"] for member in members], out)
    return _ship(card, run.weights, out, dtype=torch.float32)


EXPORTERS: Final[dict[str, Callable[[Path, Path, Path, Path, str], ModelCard]]] = {
    "frame": _export_frame,
    "sequence": _export_sequence,
    "specialists": _export_specialists,
    "texture": _export_texture,
    "audiovisual": _export_audiovisual,
    "ensemble": _export_ensemble,
}


def _run_of(model_id: str, sha256: str, run_dir: Path, history: str) -> FinishedRun:
    run = read_run(run_dir)
    if run.config_sha256 != sha256 and not history:
        raise SettingsError(
            f"{model_id}: the run was made with another config than the one given. Where settings were changed while "
            "it went on, say which with --history."
        )
    return run


def _origin(run: FinishedRun, history: str) -> dict[str, str]:
    return {"config_sha256": run.config_sha256, **({"history": history} if history else {})}


def _card(
    config: Any,
    kind: str,
    architecture: dict[str, Any],
    crop: CropSpec,
    training: dict[str, Any],
    inputs: dict[str, Any] | None = None,
) -> ModelCard:
    """A card without weights or results; `config` has model_id, title, limits and licence."""
    return ModelCard(
        model_id=config.model_id,
        title=config.title,
        kind=kind,
        architecture=architecture,
        crop=crop,
        weights_file=f"{config.model_id}.safetensors",
        weights_sha256="",
        parameters=0,
        thresholds=UNDECIDED,
        training=training,
        results={},
        limits=config.limits,
        licence=config.licence,
        inputs=inputs or {},
    )


def _ship(
    card: ModelCard, weights: dict[str, torch.Tensor], out: Path, *, dtype: torch.dtype = torch.float16
) -> ModelCard:
    network: nn.Module = build_network(card.architecture)
    network.load_state_dict(weights)
    shipped = replace(
        card,
        weights_sha256=save_weights(network, out / card.weights_file, dtype=dtype),
        parameters=sum(parameter.numel() for parameter in network.parameters()),
    )
    shipped.write(out / f"{card.model_id}.card.json")
    return shipped


def _bring(model_ids: list[str], out: Path) -> None:
    """Put models that another builds on beside it, with all they build on themselves."""
    source = weights_dir().resolve()
    if source == out.resolve():
        return
    for model_id in model_ids:
        card = find_card(model_id)
        _bring([trunk] if (trunk := card.inputs.get("trunk")) else [], out)
        files = [source / f"{model_id}.card.json", source / card.weights_file, held_out_path(source, model_id)]
        for path in files:
            if path.is_file():
                shutil.copy2(path, out / path.name)


def _manifest(data_root: Path) -> pd.DataFrame:
    table = pd.read_csv(data_root / "manifest.csv", dtype=str).fillna("")
    return table.assign(split=assign_splits(table))


def _counts(rows: pd.DataFrame) -> dict[str, int]:
    return {str(source): int(count) for source, count in rows["source"].value_counts().items()}
