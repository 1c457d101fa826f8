"""The groups that a model never saw, kept beside its weights, so that nobody measures it on what it was fitted to."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Final, NamedTuple

import pandas as pd

from detector.errors import SettingsError
from detector.registry import weights_dir
from detector.training.data.manifest import EXTENDED, read_manifest

_OWN_POOL: Final = ""


def group_digest(group: str) -> str:
    """First 10 hex digits of the group's SHA-256: enough to tell groups apart, and no names are published."""
    return hashlib.sha256(group.encode()).hexdigest()[:10]


def held_out_path(folder: Path, model_id: str) -> Path:
    """The file that lists the groups a model never saw."""
    return folder / f"{model_id}.held-out.json"


def write_held_out(table: pd.DataFrame, folder: Path, model_id: str) -> None:
    """Write the digests of the groups of the `val` and `test` splits of a bank's table, and the pools that its rows are
    from (column `pool`; without it, a data folder's own manifest alone)."""
    pools = sorted(set(table["pool"])) if "pool" in table else [_OWN_POOL]
    listed: dict[str, list[str]] = {
        split: sorted({group_digest(group) for group in table.loc[table["split"] == split, "group"]})
        for split in ("val", "test")
    }
    held_out_path(folder, model_id).write_text(json.dumps({**listed, "pools": pools}) + "\n", encoding="utf-8")


def write_unfitted(used: pd.DataFrame, data_root: Path, folder: Path, model_id: str) -> None:
    """As `write_held_out`, of the manifests of a data folder and its extended pool: every group that is not among those
    of the clips `used` (column `group`) counts as kept for testing."""
    manifest = read_manifest(data_root, extended=True)
    fitted = manifest["group"].isin(set(used["group"]))
    write_held_out(manifest.assign(split=fitted.map({True: "train", False: "test"})), folder, model_id)


def split_of(rows: pd.DataFrame, model_id: str) -> pd.Series:
    """`test`, `val` or `train` for each row (columns `group` and, where the table has other pools, `pool`, `use`), as
    the model's run had its group.

    Groups unknown to it count as `train`, so that they are left out where only held-out data may be used; where the
    groups are a laboratory's own (`knows_groups`), the model saw none of them, and nothing need be asked here. Of the
    extended pool, rows for calibration are never seen by anything, and a model that was fitted without the pool saw
    none of it: these are `test`. Raises SettingsError where the list is missing."""
    listed = _read(model_id)
    own = rows["group"].map(lambda group: listed.splits.get(group_digest(group), "train"))
    if "pool" not in rows:
        return own
    never = (rows["use"] == "calibration") | (EXTENDED not in listed.pools)
    return own.mask((rows["pool"] == EXTENDED) & never, "test")


def knows_groups(groups: pd.Series, model_id: str) -> bool:
    """Whether these are the data of the model's own card: any of its held-out groups is among them, or it has none.

    Raises SettingsError where the list is missing."""
    splits = _read(model_id).splits
    return not splits or any(group_digest(group) in splits for group in groups.unique())


def fitted_to(model_id: str, pool: str) -> bool:
    """Whether the model's run had rows of the pool. Raises SettingsError where the list is missing."""
    return pool in _read(model_id).pools


class _Listed(NamedTuple):
    """The split of each digest of a held-out group, and the pools that the run had rows of."""

    splits: dict[str, str]
    pools: tuple[str, ...]


def _read(model_id: str) -> _Listed:
    path = held_out_path(weights_dir(), model_id)
    if not path.is_file():
        raise SettingsError(
            f"{path.name} is missing beside the weights, so held-out data cannot be told from training data."
        )
    listed = json.loads(path.read_text(encoding="utf-8"))
    pools = tuple(listed.pop("pools", (_OWN_POOL,)))  # lists of before the extended pool do not say
    return _Listed({digest: split for split, digests in listed.items() for digest in digests}, pools)
