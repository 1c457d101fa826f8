"""The rows that ensembles are fitted to: members' logits on files that none of them was fitted to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from detector.errors import SettingsError
from detector.registry import LoadedModel, load_set
from detector.synthesis.reconstruction import load_reconstruction_networks
from detector.training.data.manifest import EXTENDED, read_manifest
from detector.training.data.pool import labelled_rows
from detector.training.data.synthesised import write_twins
from detector.training.engine.progress import Progress
from detector.training.evaluation.evaluate import splits_of
from detector.training.evaluation.predictions import gather, member_columns

if TYPE_CHECKING:
    from detector.training.ensemble.recipe import EnsembleConfig


def fitting_rows(config: EnsembleConfig, data_root: Path, run_dir: Path, device: str) -> pd.DataFrame:
    """The members' logits on videos and labelled pictures of people whom no member was trained on and some member was
    chosen on, and on clips synthesised from theirs (`kind` "synthesised"); with `config.pool`, on those videos and on
    the extended pool's that are there to train on, never on those for calibration. Of a member that names out-of-fold
    logits, those stand for what it was trained on, and none where it names none.

    Raises SettingsError where a member was fitted to the pool and names no out-of-fold logits.
    """
    models = load_set([member["model_id"] for member in config.members], device)
    table = read_manifest(data_root, extended=bool(config.pool))
    splits = {model.card.model_id: splits_of(table, model, models).to_numpy(str) for model in models}
    seen = {name: split == "train" for name, split in splits.items()}
    by_folds = {member["model_id"] for member in config.members if "folds" in member}
    spoilt = np.any([mask for name, mask in seen.items() if name not in by_folds] or [np.zeros(len(table), bool)], 0)
    video, extended = (table["kind"] == "video").to_numpy(), (table["pool"] == EXTENDED).to_numpy()
    pooled = extended & video & (table["use"] == "train").to_numpy()
    if (pooled & spoilt).any():
        names = sorted(name for name, mask in seen.items() if name not in by_folds and (mask & pooled).any())
        raise SettingsError(
            f"{', '.join(names)}: fitted to clips of the extended pool, so their own logits there say nothing of new "
            "ones. Name their out-of-fold logits with folds: FILE."
        )
    chosen_on = np.any([split == "val" for split in splits.values()], axis=0)
    own = ~extended & chosen_on & ~spoilt & (video | (labelled_rows(table) & (not config.pool)))
    chosen, store = own | pooled, run_dir.parent / "predictions.jsonl"
    wanted = {name: ~mask[chosen] for name, mask in seen.items()}
    said = gather(models, table[chosen], data_root, store, wanted=wanted, on_file=Progress("examining files"))
    for member in config.members:
        if "folds" in member:
            said = replace_by_folds(said, member, run_dir.parent)
    rows = [said]
    if config.synthesised:
        real = table[own & video & (table["label"] == "real").to_numpy()]
        rows.append(_synthesised(config, models, real, data_root, run_dir.parent))
    return pd.concat(rows, ignore_index=True).assign(split="val")


def replace_by_folds(rows: pd.DataFrame, member: Mapping[str, Any], runs: Path) -> pd.DataFrame:
    """The rows with a member's out-of-fold logits, from `runs / member["folds"]`, for what the shipped weights say.

    The table has the columns `file` (as `read_manifest` names it), `crop_x0` (empty for whole files) and `logit`, each
    clip once. Rows that it does not hold keep the shipped weights' logit where there is one, which is only where these
    never saw the clip. Raises SettingsError for another table, or one that holds none of the rows.
    """
    path = runs / member["folds"]
    try:
        folds = pd.read_csv(path, dtype={"file": str, "crop_x0": str}, keep_default_na=False, na_values={"logit": [""]})
        keys, logits = _keys(folds), folds["logit"].to_numpy(float)
    except (OSError, KeyError, ValueError) as error:
        raise SettingsError(
            f"{member['model_id']}: folds: {path.name} is no table of file, crop_x0, logit: {error}"
        ) from error
    if len(set(keys)) < len(keys):
        raise SettingsError(f"{member['model_id']}: folds: {path.name} names a clip twice.")
    known = dict(zip(keys, logits, strict=True))
    here = _keys(rows)
    if not known.keys() & set(here):
        raise SettingsError(f"{member['model_id']}: folds: {path.name} holds none of the clips to fit on.")
    (column,) = member_columns([member])
    own = rows[column].to_numpy(float)
    return rows.assign(**{column: [known.get(key, logit) for key, logit in zip(here, own, strict=True)]})


def _keys(table: pd.DataFrame) -> list[tuple[str, str]]:
    """File and first column of each clip, "" where it is the whole file."""
    cuts = [str(int(float(cell))) if cell else "" for cell in table["crop_x0"]]
    return list(zip(table["file"], cuts, strict=True))


def _synthesised(
    config: EnsembleConfig, models: Sequence[LoadedModel], real: pd.DataFrame, data_root: Path, runs: Path
) -> pd.DataFrame:
    clips = runs / "clips"
    networks = load_reconstruction_networks(clips / "repainters")
    name = hashlib.sha256(" ".join(config.synthesised).encode()).hexdigest()[:8]
    twins = write_twins(real, data_root, clips / f"synthesised-{name}", config.synthesised, networks)
    said = gather(models, twins, data_root, runs / "predictions.jsonl", on_file=Progress("examining twins"))
    return said.assign(kind="synthesised")
