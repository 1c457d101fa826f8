"""K-fold training by person and source: every fold is a run of its own whose manifest says what is held apart.

Faces are cut and clips read once; the other folds share those files with the first and differ only in the split.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from detector.errors import SettingsError
from detector.measurement.measures import against
from detector.training.data.splits import assign_splits, grouped_folds
from detector.training.engine.run_log import finished_run
from detector.training.kinds import kind_of


def train_folds(config_path: Path, data_root: Path, run_dir: Path, device: str, folds: int) -> dict[str, Any]:
    """Train once a fold, into `run_dir/fold-1/run` and so on, each measured on the people it left out; what is there is
    gone on with. Returns what `run_dir/folds.json` then says: each fold's AUC, their mean and spread, and `pooled`, all
    held-out samples together (their logits come from different fits, so it may lie below the mean).

    What the manifest marks for validation use, and people of the split "test", take part in no fold. Raises
    SettingsError for a kind that measures by folds itself, or where there are fewer people than folds.
    """
    kind = kind_of(config_path)
    if kind.folds_itself:
        raise SettingsError(f"A model of kind {kind.name} measures itself by folds in every run: leave --folds out.")
    rows, held_out = [], []
    for number, manifest in enumerate(fold_manifests(data_root, folds), start=1):
        root = run_dir / f"fold-{number}"
        (root / "data").mkdir(parents=True, exist_ok=True)
        manifest.to_csv(root / "data" / "manifest.csv", index=False)
        if number > 1:
            share_faces(run_dir / "fold-1", root, dict(zip(manifest["group"], manifest["split"], strict=True)))
        print(f"fold {number} of {folds}", file=sys.stderr)
        kind.train(config_path, root / "data", root / "run", device)
        held_out.append(pd.read_csv(root / "run" / "validation.csv"))
        rows.append({"fold": number, **_run_facts(root / "run"), **_against(held_out[-1])})
    aucs = [row["auc"] for row in rows if row["auc"] is not None]
    report = {
        "folds": folds,
        "per_fold": rows,
        "auc_mean": round(float(np.mean(aucs)), 4) if aucs else None,
        "auc_std": round(float(np.std(aucs)), 4) if aucs else None,
        "pooled": _against(pd.concat(held_out)),
    }
    (run_dir / "folds.json").write_text(json.dumps(report, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return report


def fold_manifests(data_root: Path, folds: int) -> list[pd.DataFrame]:
    """The manifest once a fold, with absolute paths and a column `split`: "val" for the people the fold leaves out."""
    manifest = pd.read_csv(data_root / "manifest.csv", dtype=str).fillna("")
    usual = assign_splits(manifest)
    apart = (usual == "test") | manifest["group"].isin(manifest.loc[manifest["use"] == "validation", "group"])
    taking = manifest[~apart].reset_index(drop=True)
    manifest["file"] = [str((data_root / file).resolve()) for file in manifest["file"]]
    try:
        drawn = list(grouped_folds(taking, folds))
    except ValueError as error:
        raise SettingsError(f"--folds: {error}.") from error
    made = []
    for _, held in drawn:
        groups = set(taking["group"].iloc[held])
        split = np.where(apart, "test", np.where(manifest["group"].isin(groups), "val", "train"))
        made.append(manifest.assign(split=split))
    return made


def share_faces(first: Path, root: Path, splits: Mapping[str, str]) -> None:
    """Give a fold the faces and readings that the first one cut, with its own split."""
    bank, own = first / "run" / "bank", root / "run" / "bank"
    if (bank / "table.parquet").is_file() and not (own / "table.parquet").is_file():
        own.mkdir(parents=True, exist_ok=True)
        for name in ("images.npy", "landmarks.npy"):
            _link(bank / name, own / name)
        table = pd.read_parquet(bank / "table.parquet")
        table.assign(split=table["group"].map(splits)).to_parquet(own / "table.parquet")
    for path in sorted((first / "clips" / "readings").glob("*")):
        place = root / "clips" / "readings" / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".json":
            facts = json.loads(path.read_text(encoding="utf-8"))
            place.write_text(json.dumps({**facts, "split": splits[facts["group"]]}), encoding="utf-8")
        elif not place.exists():
            _link(path, place)


def _link(path: Path, place: Path) -> None:
    try:
        os.link(path, place)
    except OSError:  # another file system, or one without links
        shutil.copyfile(path, place)


def _run_facts(run: Path) -> dict[str, float]:
    facts = finished_run(run)
    if facts is None:
        raise SettingsError(f"{run} holds no finished run.")
    return {"minutes": round(float(facts["minutes"]), 1)}


def _against(samples: pd.DataFrame) -> dict[str, Any]:
    fake, real = (samples.loc[samples["label"] == label, "logit"].to_numpy(float) for label in (1, 0))
    row = against((), fake, real)
    sizes = {"genuine": row.n_real, "manipulated": row.n_fake}
    return {"auc": row.value, "auc_95": row.interval, **row.rates, **sizes}
