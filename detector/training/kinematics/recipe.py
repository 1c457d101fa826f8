"""Fit how genuine and generated faces move: windows of clips, overlap weights, one discriminant, measured by folds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import pandas as pd
import torch
from safetensors.torch import save_file
from sklearn.ensemble import HistGradientBoostingClassifier

from detector.errors import SettingsError
from detector.models import KinematicsNet, build_network
from detector.training.data.leakage import check_leakage
from detector.training.data.left_out import each_once, named_files, split_clips, usable_rows
from detector.training.data.manifest import FAMILIES, read_manifest
from detector.training.data.overlap import source_weights
from detector.training.engine.config import config_sha256
from detector.training.engine.epoch_samples import EpochSamples
from detector.training.engine.run_log import write_single_fit
from detector.training.engine.run_report import write_report
from detector.training.kinematics.config import KinematicsConfig, load_kinematics_config
from detector.training.kinematics.discriminant import Discriminant, Floats, Labels, fit_discriminant, fit_logit
from detector.training.kinematics.measures import GENUINE, measure_out_of_fold
from detector.training.kinematics.nuisances import NUISANCES, balancing_weights
from detector.training.kinematics.windows import MotionClip, clips_of, measure_clips

CLIPS: Final = "clips.csv"
"""In the run's folder: `id`, `group`, `label`, `source`, `family` of every clip that is fitted."""
OUT_OF_FOLD: Final = "out_of_fold.csv"
"""In the run's folder, of every clip that was measured: `file`, `crop_x0`, `group`, `label`, `source`, `family`, the
`fold` (from 1) that left it out, the `logit` of that fold's fit, and the score of a fit to its `nuisances` alone."""


def train_kinematics(config_path: Path, data_root: Path, run_dir: Path, device: str) -> None:
    """The recipe. Windows of the clips are kept in `clips/kinematics.parquet` beside `run_dir`, where other runs find
    them. Raises SettingsError where one label is missing among the clips to fit, a fold leaves nothing out, or what the
    folds left out is ranked no better than by chance."""
    config, started_s = load_kinematics_config(config_path), time.monotonic()
    cv2.setNumThreads(1)
    rows = usable_rows(read_manifest(data_root, extended=True), FAMILIES)
    table = measure_clips(rows, data_root, config, run_dir.parent / "clips" / "kinematics.parquet")
    clips = clips_of(rows, table)
    run_dir.mkdir(parents=True, exist_ok=True)
    fit_run(config, clips, table, run_dir, started_s)


def fit_run(
    config: KinematicsConfig, clips: Sequence[MotionClip], table: pd.DataFrame, run_dir: Path, started_s: float
) -> KinematicsNet:
    """Fit to all clips and measure by folds; leaves `best.safetensors`, `CLIPS`, `OUT_OF_FOLD`, the leakage of the
    clips as they weigh, and the files that every run leaves. `table` is that of `measure_clips`, for the reasons."""
    left_out = fold_scores(config, clips)
    chosen = to_fit(config, clips)
    told = left_out[(left_out["label"] == 0) | left_out["family"].isin(config.families)]
    label = told["label"].to_numpy()
    base = source_weights(label, told["source"].tolist(), power=config.source_power)
    slope, offset = fit_logit(told["logit"].to_numpy(), label, base)
    if slope <= 0:
        raise SettingsError("What the folds left out is ranked no better than by chance: there is no model to ship.")
    left_out = left_out.assign(logit=slope * left_out["logit"] + offset)
    fitted = fit_motion(config, chosen).stretched(slope, offset)
    network = network_of(config, fitted)
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, run_dir / "best.safetensors")
    seen = _facts_of(chosen).assign(logit=fitted.of_clips([clip.windows for clip in chosen]))
    seen.drop(columns=["logit", *NUISANCES]).to_csv(run_dir / CLIPS, index=False)
    told_of = left_out.drop(columns=["id", *NUISANCES])
    named = pd.concat([named_files(left_out["id"]), told_of], axis=1)
    named.to_csv(run_dir / OUT_OF_FOLD, index=False)
    _check_leakage(config, chosen, run_dir)
    why = table.loc[table["missing"] != "", "missing"]
    facts = {
        "kind": "kinematics",
        "model_id": config.model_id,
        "title": config.title,
        "config": asdict(config),
        "config_sha256": config_sha256(config),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "clips": len(chosen),
        "not_measured": why.value_counts().to_dict(),
        "genuine": _genuine(config, chosen),
        "out_of_fold": measure_out_of_fold(left_out, config).as_json(),
    }
    write_single_fit(
        run_dir,
        facts,
        EpochSamples.of(seen, group="family"),
        EpochSamples.of(left_out, group="family"),
        round((time.monotonic() - started_s) / 60, 1),
    )
    write_report(run_dir, plots=False)
    return network


def to_fit(config: KinematicsConfig, clips: Sequence[MotionClip]) -> list[MotionClip]:
    """The genuine clips and the deepfakes of the families that are fitted. Raises SettingsError without either."""
    chosen = [clip for clip in clips if not clip.label or clip.family in config.families]
    if {clip.label for clip in chosen} != {0, 1}:
        raise SettingsError("There are no genuine or no manipulated clips to fit.")
    return chosen


def fold_scores(config: KinematicsConfig, clips: Sequence[MotionClip]) -> pd.DataFrame:
    """A row for each clip that a fold leaves out: what is known of it, `NUISANCES`, `fold`, the score of that fold's
    fit as `logit`, and that of a fit to the nuisances alone as `nuisances`. Raises SettingsError where a fold leaves
    nothing out."""
    tables = []
    for number, fold in enumerate(config.folds, start=1):
        fitted, held = split_clips(clips, fold)
        if not held:
            raise SettingsError(f"folds: the {number}. leaves nothing out, so that nothing could be measured.")
        chosen = to_fit(config, fitted)
        motion, plain = fit_motion(config, chosen), fit_nuisances(config, chosen)
        told = np.stack([clip.nuisances for clip in held])
        tables.append(
            _facts_of(held).assign(
                fold=number,
                logit=motion.of_clips([clip.windows for clip in held]),
                nuisances=plain.decision_function(told),
            )
        )
    return each_once(tables)


def fit_motion(config: KinematicsConfig, clips: Sequence[MotionClip]) -> Discriminant:
    """Fit to the clips' motion, weighted so that their nuisances tell the labels apart as little as possible."""
    weight = balancing_weights(_facts_of(clips), config)
    base, windows = _base_weights(config, clips), [clip.windows for clip in clips]
    return fit_discriminant(windows, _labels(clips), weight, base, ridge=config.ridge, farthest=config.farthest)


def fit_nuisances(config: KinematicsConfig, clips: Sequence[MotionClip]) -> HistGradientBoostingClassifier:
    """Small trees on the clips' nuisances instead, with no balance: the worst that footage alone can do."""
    trees = HistGradientBoostingClassifier(
        max_depth=2, max_iter=60, learning_rate=0.06, l2_regularization=20, min_samples_leaf=15, random_state=0
    )
    weight = _base_weights(config, clips) * len(clips)
    return trees.fit(np.stack([clip.nuisances for clip in clips]), _labels(clips), sample_weight=weight)


def _labels(clips: Sequence[MotionClip]) -> Labels:
    return np.array([clip.label for clip in clips])


def _base_weights(config: KinematicsConfig, clips: Sequence[MotionClip]) -> Floats:
    return source_weights(_labels(clips), [clip.source for clip in clips], power=config.source_power)


def network_of(config: KinematicsConfig, fitted: Discriminant) -> KinematicsNet:
    """The network that is shipped."""
    network = build_network(config.architecture)
    assert isinstance(network, KinematicsNet)
    network.centre.copy_(torch.from_numpy(fitted.centre))
    network.scale.copy_(torch.from_numpy(fitted.scale))
    with torch.no_grad():
        network.read.weight.copy_(torch.from_numpy(fitted.weight)[None])
        network.read.bias.fill_(fitted.bias)
    return network.eval().requires_grad_(False)


def _genuine(config: KinematicsConfig, clips: Sequence[MotionClip]) -> dict[str, list[float]]:
    """Where genuine clips lie: `mean` and `std` of each of `FEATURES`, of the clips' means over their windows."""
    means = np.stack([clip.windows.mean(0) for clip in clips])
    weight = np.where(_labels(clips) == 0, _base_weights(config, clips), 0.0)
    mean = weight @ means / weight.sum()
    std = np.sqrt(weight @ (means - mean) ** 2 / weight.sum())
    return {"mean": mean.round(4).tolist(), "std": std.round(4).tolist()}


def _facts_of(clips: Sequence[MotionClip]) -> pd.DataFrame:
    facts = pd.DataFrame(
        {
            "id": [clip.id for clip in clips],
            "group": [clip.group for clip in clips],
            "label": [clip.label for clip in clips],
            "source": [clip.source for clip in clips],
            "family": [clip.family if clip.label else GENUINE for clip in clips],
        }
    )
    return pd.concat([facts, pd.DataFrame([clip.nuisances for clip in clips], columns=list(NUISANCES))], axis=1)


def _check_leakage(config: KinematicsConfig, clips: Sequence[MotionClip], run_dir: Path) -> None:
    """Whether a nuisance gives the label away, of clips drawn as they weigh in the fit."""
    facts = _facts_of(clips)
    weight = balancing_weights(facts, config)
    drawn = facts.sample(len(facts), replace=True, weights=weight, random_state=7)
    plain = drawn[[*NUISANCES, "group"]].assign(label=np.where(drawn["label"] == 1, "fake", "real"))
    check_leakage(plain, what="clips as they weigh in the fit").write(run_dir)
