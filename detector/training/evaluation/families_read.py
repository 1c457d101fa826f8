"""Which family an ensemble reads manipulated clips as whose generator its fit left out."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from detector.analysis.family import FAMILIES_READ
from detector.measurement.results import Fact, Results, Table
from detector.training.data.manifest import FAMILIES
from detector.training.evaluation.beside_members import family_of_rows

FAMILY: Final = "family:"
"""Begins the columns that hold the out-of-fold log-probability of each family; NaN where a clip could not be read."""
NOT_READ: Final = "not_read"
_HOW: Final = (
    "manipulated clips by a fit that left out their generator; not read: no member scored it, or no other "
    "generator of its family was left to fit"
)


def families_read(crossed: pd.DataFrame) -> Table | None:
    """A row a family, in clips: as which of those that are told apart it was read, and `NOT_READ`. None where the rows
    have no columns of families."""
    columns = [str(name) for name in crossed.columns if str(name).startswith(FAMILY)]
    if not columns:
        return None
    names = tuple(column.removeprefix(FAMILY) for column in columns)
    said = crossed[columns].to_numpy(float)
    known = np.isfinite(said).all(1)
    read = np.where(known, np.nan_to_num(said).argmax(1), len(names))
    family = family_of_rows(crossed).to_numpy(str)
    rows = tuple(
        (name, tuple(np.bincount(read[family == name], minlength=len(names) + 1).tolist()))
        for name in FAMILIES
        if name in family
    )
    return Table((FAMILIES_READ,), (*names, NOT_READ), rows)


def families_read_results(crossed: pd.DataFrame) -> Results:
    """The same for a card, with how it was measured; nothing where no families are told apart."""
    table = families_read(crossed)
    return Results() if table is None else Results.joined([table, Fact(("how_families_were_read",), _HOW)])
