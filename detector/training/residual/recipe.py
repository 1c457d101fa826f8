"""Train on residual patches: regions of clips, overlap weights, one fit a seed, one model of them all."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import pandas as pd
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from detector.errors import SettingsError
from detector.measurement.measures import against
from detector.measurement.results import Fact, Measurement, Results
from detector.models import ResidualNet, build_network
from detector.training.data.left_out import each_once, named_files, split_clips, usable_rows
from detector.training.data.manifest import read_manifest
from detector.training.data.overlap import overlap_weights
from detector.training.engine.config import FitConfig, config_sha256
from detector.training.engine.epoch_samples import EpochSamples
from detector.training.engine.fit import fit
from detector.training.engine.module import BinaryModule, StepOutput
from detector.training.engine.progress import tracked
from detector.training.engine.run_log import finished_run, read_run, write_single_fit
from detector.training.engine.run_report import write_report
from detector.training.residual.bank import Bank
from detector.training.residual.clips import Clip, fixed_patches, load_clips
from detector.training.residual.config import FAMILIES, ResidualConfig, load_residual_config
from detector.training.residual.regions import fill_bank
from detector.training.residual.samples import GENUINE, Batch, ClipBatches, PatchBatches
from detector.training.residual.statistics import clip_statistics

CLIPS: Final = "clips.csv"
"""In the run's folder: `id`, `group`, `label`, `source`, `family` of every clip that is fitted."""
OUT_OF_FOLD: Final = "out_of_fold.csv"
"""In the run's folder, of every clip that a fold leaves out: `file`, `crop_x0`, `group`, `label`, `source`, `family`,
`fold` (from 1), and the `logit` that the network of that fold says."""
_LOOK: Final = 8  # every so many clips of those fitted are scored after an epoch of a network that is fitted to all


def train_residual(config_path: Path, data_root: Path, run_dir: Path, device: str) -> None:
    """The recipe. Regions of the clips are kept in `clips/regions` beside `run_dir`, where other runs find them; the
    network of each fold is fitted in `run_dir/fold-N`, those that are shipped in `run_dir/seed-N`. Raises SettingsError
    where one label is missing among the clips to fit, a fold leaves nothing out, or the regions are of clips marked for
    calibration."""
    config = load_residual_config(config_path)
    cv2.setNumThreads(1)
    manifest, regions = read_manifest(data_root, extended=True), run_dir.parent / "clips" / "regions"
    bank = Bank(regions)
    fill_bank(bank, usable_rows(manifest, FAMILIES), data_root, config)
    clips = load_clips(bank, manifest)
    run_dir.mkdir(parents=True, exist_ok=True)
    statistics = clip_statistics(clips, regions / "statistics.csv")
    tables = []
    for number, fold in enumerate(config.folds, start=1):
        fitted, held = split_clips(clips, fold)
        if not held:
            raise SettingsError(f"folds: the {number}. leaves nothing out, so that nothing could be measured.")
        network = fit_network(config, config.seeds[0], fitted, statistics, held, run_dir / f"fold-{number}", device)
        tables.append(score_clips(network, held, config.patch_px, config.moments).assign(fold=number))
    for seed in config.seeds:
        fit_network(config, seed, clips, statistics, clips[::_LOOK], run_dir / f"seed-{seed}", device)
    if not finished_run(run_dir):
        join_seeds(config, clips, each_once(tables), run_dir)


class ResidualModule(BinaryModule):
    """One network in training."""

    def __init__(self, network: nn.Module, config: FitConfig) -> None:
        super().__init__(network.to(memory_format=torch.channels_last), config)  # type: ignore[call-overload]

    def step(self, batch: Batch) -> StepOutput:
        """The loss and the logits of one batch."""
        logit = owners_sum(self.network(batch.images).float() * batch.weight, batch.owner, len(batch.labels))
        return StepOutput(self.label_loss(logit, batch.labels), logit, batch.labels, batch.groups)


def owners_sum(values: Tensor, owner: Tensor, count: int) -> Tensor:
    """Sums (B, …) of the values (P, …) that belong to each of `count` owners (P,)."""
    return values.new_zeros((count, *values.shape[1:])).index_add(0, owner, values)


def fit_network(
    config: ResidualConfig,
    seed: int,
    fitted: Sequence[Clip],
    statistics: pd.DataFrame,
    watched: Sequence[Clip],
    folder: Path,
    device: str,
) -> ResidualNet:
    """The network of one seed, its run in `folder`; what is there is gone on with. After each epoch the clips `watched`
    are scored for the log. Raises SettingsError where one label is missing."""
    if {clip.label for clip in fitted} != {0, 1}:
        raise SettingsError("There are no genuine or no manipulated clips to fit.")
    torch.manual_seed(seed)
    known = statistics.loc[[clip.id for clip in fitted]]
    label, source = np.array([clip.label for clip in fitted]), [clip.source for clip in fitted]
    weights = overlap_weights(label, source, known, power=config.source_power, strength=config.balance)
    batches = PatchBatches(fitted, weights, config, seed)
    settings = replace(config.fit, seed=seed)
    network = build_network({**config.architecture, "members": 1})
    assert isinstance(network, ResidualNet)
    module = ResidualModule(network, settings)
    validation = ClipBatches(watched, config.patch_px, config.held_moments)
    fit(module, batches, validation, settings, folder, device=device, facts=_facts(config), keep="last")
    return network.eval()


def _facts(config: ResidualConfig) -> dict[str, Any]:
    return {
        "kind": "residual",
        "model_id": config.model_id,
        "title": config.title,
        "config": asdict(config),
        "config_sha256": config_sha256(config),
    }


def join_seeds(config: ResidualConfig, clips: Sequence[Clip], left_out: pd.DataFrame, run_dir: Path) -> None:
    """One network of those of all seeds, with the files that every run leaves; `left_out` is what the folds' networks
    said (rows of `score_clips` with `fold`), by which it is measured."""
    runs = [read_run(run_dir / f"seed-{seed}") for seed in config.seeds]
    weights = {
        key.replace("members.0.", f"members.{number}.", 1): value.contiguous()
        for number, run in enumerate(runs)
        for key, value in run.weights.items()
    }
    network = build_network(config.architecture)
    assert isinstance(network, ResidualNet)
    network.load_state_dict(weights)
    seen = score_clips(network.eval(), clips, config.patch_px, 1)
    save_file(weights, run_dir / "best.safetensors")
    seen[["id", "group", "label", "source", "family"]].to_csv(run_dir / CLIPS, index=False)
    named = pd.concat([left_out.drop(columns="id"), named_files(left_out["id"])], axis=1)
    named.to_csv(run_dir / OUT_OF_FOLD, index=False)
    if (leakage := run_dir / f"seed-{config.seeds[0]}" / "leakage.json").is_file():
        shutil.copy2(leakage, run_dir / leakage.name)
    facts = {
        **_facts(config),
        "stopped_because": f"{len(runs)} networks are fitted",
        "steps": sum(run.steps for run in runs),
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "clips": len(clips),
        "out_of_fold": measure_out_of_fold(left_out).as_json(),
    }
    minutes = round(sum(run.minutes for run in runs), 1)
    write_single_fit(
        run_dir, facts, EpochSamples.of(seen, group="family"), EpochSamples.of(left_out, group="family"), minutes
    )
    write_report(run_dir, plots=False)


@torch.inference_mode()
def score_clips(network: ResidualNet, clips: Sequence[Clip], side_px: int, moments: int) -> pd.DataFrame:
    """A row a clip: `id`, `group`, `label` (0 or 1), `source`, `family` ("genuine" for none), and its `logit`, the mean
    over its patches."""
    rows: list[dict[str, Any]] = []
    for clip in tracked(clips, "scoring clips"):
        logits = network(torch.from_numpy(fixed_patches(clip, side_px, moments)).permute(0, 3, 1, 2))
        rows.append(
            {
                **{name: getattr(clip, name) for name in ("id", "group", "label", "source")},
                "family": clip.family if clip.label else GENUINE,
                "logit": float(logits.mean()),
            }
        )
    return pd.DataFrame(rows)


def measure_out_of_fold(table: pd.DataFrame) -> Results:
    """Manipulated against genuine clips of `score_clips`: all, each family and each source."""
    real = table.loc[table["label"] == 0, "logit"].to_numpy(float)
    fake = table[table["label"] == 1]
    parts: list[Measurement | Fact] = [against(("all",), fake["logit"].to_numpy(float), real)]
    for column, name in (("family", "per_family"), ("source", "per_generator")):
        parts += [
            against((name, str(value)), rows["logit"].to_numpy(float), real) for value, rows in fake.groupby(column)
        ]
    how = (
        "clips of generators and sources that one of several fits left out, patches at fixed places of their moments "
        "as published; logits of all fits pooled, of one network each"
    )
    return Results.joined([*parts, Fact(("how",), how)])
