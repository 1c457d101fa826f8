"""Ensembles on a pool of real generators: how rows count, and what each fold leaves out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.errors import SettingsError
from detector.training.data.splits import grouped_folds
from detector.training.evaluation.beside_members import (
    MOST_WORSE,
    beside_members,
    family_of_rows,
    never_much_worse,
)
from detector.training.evaluation.families_read import families_read


def balanced_weights(table: pd.DataFrame) -> NDArray[np.float64]:
    """Weights (N,) that sum to 1: genuine and fake clips count alike, among fakes the families alike, and within each
    a source of n clips as sqrt(n) of them, so that no source decides by its number."""
    label, source = table["label"], table["source"]
    family = family_of_rows(table)
    within = 1 / np.sqrt(label.groupby([label, family, source]).transform("size").to_numpy(float))
    cell = pd.Series(within, index=table.index).groupby([label, family]).transform("sum").to_numpy(float)
    families = family.groupby(label).transform("nunique").to_numpy(float)
    return within / cell / families / label.nunique()


def generator_folds(
    table: pd.DataFrame, folds: int, seed: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Row numbers (to fit on, left out) of each fold: a generator's fakes and a source's genuine clips are left out
    whole, together with all that shares a group with any of them. Raises SettingsError with too few of them."""
    fake = table["label"] == "fake"
    made = ("generator:" + table["generator"].fillna("")).where(table["kind"] != "synthesised", "synthesised")
    names = made.where(fake, "source:" + table["source"].fillna(""))
    keys = pd.DataFrame({"label": table["label"], "group": table["group"], "identity": names})
    try:
        yield from grouped_folds(keys.reset_index(drop=True), folds, seed=seed)
    except ValueError as error:
        raise SettingsError(f"Generators and genuine sources left out together: {error}.") from error


def pool_facts(crossed: pd.DataFrame, members: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What a run's record says of the fit on a pool: rows by family, the ensemble beside its best members, the rule,
    and, where families are told apart, which was read as which, in clips."""
    rows = beside_members(crossed, members)
    counts = family_of_rows(crossed).replace("", "genuine").value_counts()
    read = families_read(crossed)
    told = {} if read is None else {name: dict(zip(read.columns, cells, strict=True)) for name, cells in read.rows}
    return {
        "rows_by_family": {str(name): int(count) for name, count in counts.sort_index().items()},
        "out_of_fold": sorted({str(member["model_id"]) for member in members if "folds" in member}),
        "beside_best_member": {
            row.family: {"auc": row.auc, "member": row.member, "member_auc": row.member_auc, "worse_by": row.worse_by}
            for row in rows
        },
        "most_worse": MOST_WORSE,
        "never_worse_by_more": never_much_worse(rows),
        **({"families_read": told} if told else {}),
    }
