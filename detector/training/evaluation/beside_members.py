"""An ensemble beside its members on real generators: on no family should it be much worse than the best of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from detector.measurement.metrics import rank_auc
from detector.measurement.results import LEAST_FOR_AUC, Fact, Results, Table
from detector.training.evaluation.predictions import member_columns

MOST_WORSE: Final = 0.02
"""By which an ensemble's AUC may lie below that of its best member on any family."""
ALL: Final = "all"
_LEAST_SCORED = 0.5  # of a family's clips: a member that scores fewer is no measure of what could be had


def family_of_rows(table: pd.DataFrame) -> pd.Series:
    """The family of each fake; "synthesised" for clips made from genuine ones, "other" where none is named, "" for
    genuine ones."""
    family = table["family"].fillna("").where(table["kind"] != "synthesised", "synthesised")
    return family.where(family != "", "other").where(table["label"] == "fake", "")


@dataclass(frozen=True, slots=True)
class BesideMembers:
    """An ensemble beside its best member on one family against all genuine clips: both AUCs are of the clips that the
    member scores. None where no member scores enough of them."""

    family: str
    n_real: int
    n_fake: int
    auc: float | None = None
    member: str | None = None
    member_auc: float | None = None

    @property
    def worse_by(self) -> float | None:
        """How far the ensemble lies below its best member; negative where it lies above."""
        return None if self.auc is None or self.member_auc is None else round(self.member_auc - self.auc, 4)


def beside_members(crossed: pd.DataFrame, members: Sequence[Mapping[str, Any]]) -> tuple[BesideMembers, ...]:
    """Every family, then all together, from rows with cross-validated `logit` and the members' columns."""
    family, fake = family_of_rows(crossed), (crossed["label"] == "fake").to_numpy()
    rows = [_beside(name, crossed[~fake | (family == name).to_numpy()], members) for name in sorted(set(family[fake]))]
    return (*rows, _beside(ALL, crossed, members))


def _beside(name: str, rows: pd.DataFrame, members: Sequence[Mapping[str, Any]]) -> BesideMembers:
    fake, fused = (rows["label"] == "fake").to_numpy(), rows["logit"].to_numpy(float)
    sizes = int((~fake).sum()), int(fake.sum())
    best = BesideMembers(name, *sizes)
    for column in dict.fromkeys(member_columns(members)):
        own = rows[column].to_numpy(float)
        known = np.isfinite(own) & np.isfinite(fused)
        scored = int((known & ~fake).sum()), int((known & fake).sum())
        if any(one < max(LEAST_FOR_AUC, _LEAST_SCORED * size) for one, size in zip(scored, sizes, strict=True)):
            continue
        labels = fake[known].astype(int)
        auc = round(rank_auc(labels, own[known]), 4)
        if best.member_auc is None or auc > best.member_auc:
            together = round(rank_auc(labels, fused[known]), 4)
            best = BesideMembers(name, *sizes, together, column.removeprefix("logit:"), auc)
    return best


def never_much_worse(rows: Sequence[BesideMembers]) -> bool | None:
    """Whether the ensemble is on no family worse than its best member by more than `MOST_WORSE`; None where no family
    could be measured."""
    known = [row.worse_by for row in rows if row.family != ALL and row.worse_by is not None]
    return all(worse <= MOST_WORSE for worse in known) if known else None


def beside_members_results(crossed: pd.DataFrame, members: Sequence[Mapping[str, Any]]) -> Results:
    """The same for a card."""
    rows = beside_members(crossed, members)
    cells = tuple(
        (row.family, (row.n_real, row.n_fake, row.auc, row.member, row.member_auc, row.worse_by)) for row in rows
    )
    columns = ("genuine", "manipulated", "auc", "best_member", "its_auc", "worse_by")
    return Results.joined(
        [
            Table(("beside_best_member",), columns, cells),
            Fact(("never_worse_than_best_member_by_more_than", f"{MOST_WORSE:g}"), never_much_worse(rows)),
        ]
    )
