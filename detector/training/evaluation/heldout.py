"""Which groups a model never saw, kept beside its weights, so that nobody measures it on what it was fitted to."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pandas as pd

from detector.errors import SettingsError
from detector.registry import weights_dir


def group_digest(group: str) -> str:
    """First 10 hex digits of the group's SHA-256: enough to tell groups apart, and no names are published."""
    return hashlib.sha256(group.encode()).hexdigest()[:10]


def held_out_path(folder: Path, model_id: str) -> Path:
    return folder / f"{model_id}.held-out.json"


def write_held_out(table: pd.DataFrame, folder: Path, model_id: str) -> None:
    """Write the digests of the groups of the `val` and `test` splits of a bank's table."""
    digests = {
        split: sorted({group_digest(group) for group in table.loc[table["split"] == split, "group"]})
        for split in ("val", "test")
    }
    held_out_path(folder, model_id).write_text(json.dumps(digests) + "\n", encoding="utf-8")


def split_of(groups: pd.Series, model_id: str) -> pd.Series:
    """`test`, `val` or `train` for each group name, as the model's run had it.

    Groups unknown to it count as `train`, so that they are left out where only held-out data may be used. Raises
    SettingsError where the list is missing."""
    path = held_out_path(weights_dir(), model_id)
    if not path.is_file():
        raise SettingsError(
            f"{path.name} is missing beside the weights, so held-out data cannot be told from training data."
        )
    splits = {
        digest: split for split, digests in json.loads(path.read_text(encoding="utf-8")).items() for digest in digests
    }
    return groups.map(lambda group: splits.get(group_digest(group), "train"))
