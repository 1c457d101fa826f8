"""Splits that keep a person, a clip or a family on one side, and places for what is shorter than its window."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from detector.errors import SettingsError

SPLITS: Final = ("train", "val", "test")


def assign_splits(table: pd.DataFrame, *, seed: int = 7) -> pd.Series:
    """`train`, `val` (10 %) or `test` (20 %) for each row, whole groups together: as the column `split` says where a
    manifest has one, else from a hash of the group's name.

    A group with any row marked for validation use is wholly `val`: no person trained on appears beside their own fake.
    Raises SettingsError where a split has another name, or a group lies in two.
    """
    if "split" in table:
        return _given_splits(table)
    held = set(table.loc[table["use"] == "validation", "group"])

    def split(group: str) -> str:
        if group in held:
            return "val"
        drawn = int.from_bytes(hashlib.sha256(f"{seed}:{group}".encode()).digest()[:4], "big") / 2**32
        return "test" if drawn < 0.2 else "val" if drawn < 0.3 else "train"

    return table["group"].map(split)


def _given_splits(table: pd.DataFrame) -> pd.Series:
    if unknown := sorted(set(table["split"]) - set(SPLITS)):
        raise SettingsError(f"split: expected {', '.join(SPLITS)}, found {', '.join(map(repr, unknown))}.")
    per_group = table.groupby("group")["split"].nunique()
    if (torn := per_group[per_group > 1]).size:
        raise SettingsError(f"split: {len(torn)} groups lie in two splits, {torn.index[0]!r} among them.")
    return table["split"]


def whole_groups(table: pd.DataFrame) -> pd.Series:
    """A number for each row such that rows sharing a `group` or an `identity` (where there is one) share the number.

    A person seen in two clips binds both clips together, and all that is bound to either (connected components).
    """
    columns = [name for name in ("group", "identity") if name in table]
    parent: dict[str, str] = {}

    def root(node: str) -> str:
        while parent.setdefault(node, node) != node:
            parent[node] = node = parent[parent[node]]
        return node

    firsts = []
    for record in table[columns].fillna("").astype(str).to_dict("records"):
        nodes = [f"{name}:{value}" for name, value in record.items() if value]
        if not nodes:
            raise ValueError("each row needs a group or an identity")
        for node in nodes[1:]:
            parent[root(node)] = root(nodes[0])
        firsts.append(nodes[0])
    return pd.Series(pd.factorize(np.array([root(node) for node in firsts]))[0], index=table.index)


def grouped_folds(
    table: pd.DataFrame, folds: int = 5, *, seed: int = 7
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Row numbers (to fit on, to measure on) of each of `folds` folds.

    No group and no identity lies in two folds; label and `source` are spread over them as evenly as whole groups allow.
    Columns: label, group; identity, source where there are any. Raises ValueError for more folds than groups.
    """
    groups = whole_groups(table)
    if groups.nunique() < folds:
        raise ValueError(f"{folds} folds need at least as many groups, found {groups.nunique()}")
    columns = [name for name in ("label", "source") if name in table]
    codes = np.array(table.groupby(columns, dropna=False).ngroup())
    # The least common strata cannot reach every fold; splitting does not fail over them.
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    rare = pd.Series(codes).map(pd.Series(codes).value_counts()).to_numpy() < folds
    codes[rare] = codes.max() + 1
    yield from splitter.split(codes, codes, groups)


def pad_window(length: int, target: int, rng: np.random.Generator) -> int:
    """The place where `length` frames start in a window of `target` in training: anywhere. Analysis and evaluation put
    them in the middle (`detector.analysis.kinds.sequence.windows.windows_of`).

    A network that only ever saw padding at the end learns where the end is. Raises ValueError where they do not fit.
    """
    if not 0 <= length <= target:
        raise ValueError(f"{length} frames do not fit into a window of {target}")
    return int(rng.integers(0, target - length + 1))
