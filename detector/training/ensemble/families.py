"""The ensemble's reading of which family a manipulation is of: a multinomial logistic regression on its members."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from detector.models.fusion import Fusion
from detector.training.ensemble.generators import balanced_weights
from detector.training.evaluation.beside_members import family_of_rows
from detector.training.evaluation.predictions import member_logits

if TYPE_CHECKING:
    from detector.training.ensemble.recipe import EnsembleConfig

_STEPS: Final = 200


def family_rows(config: EnsembleConfig, table: pd.DataFrame) -> pd.DataFrame:
    """The rows that the families are told apart on: fakes of real generators of one of `config.families` that a member
    scored."""
    scored = member_logits(table, list(config.members))[1].any(1)
    return table[family_of_rows(table).isin(config.families).to_numpy() & scored]


def fit_families(fusion: Fusion, config: EnsembleConfig, table: pd.DataFrame) -> None:
    """Fit the families' layer, on members as the fusion standardises them: cross-entropy with an L2 penalty
    (`config.strength`) on the weights, families counting alike and sources by the root of their number. Left at zero
    where the rows are of fewer than two families."""
    layer, rows = fusion.family, family_rows(config, table)
    assert layer is not None
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    if rows["family"].nunique() < 2:
        return
    logits, present = member_logits(rows, list(config.members))
    with torch.no_grad():
        z = fusion.standardise(torch.from_numpy(np.where(present, logits, 0.0)).float(), torch.from_numpy(present))
    truth = torch.tensor([config.families.index(name) for name in rows["family"]])
    share = torch.from_numpy(balanced_weights(rows)).float()
    optimiser = torch.optim.LBFGS(layer.parameters(), max_iter=_STEPS, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        wrong = nn.functional.cross_entropy(layer(z), truth, reduction="none")
        total = (wrong * share).sum() + config.strength * (layer.weight**2).sum()
        total.backward()
        return total

    optimiser.step(closure)


def read_families(
    fusion: Fusion, config: EnsembleConfig, table: pd.DataFrame, *, fitted: pd.DataFrame
) -> NDArray[np.float64]:
    """Log-probabilities (N, F) of rows that a fit on `fitted` left out. NaN for rows without members, and for those of
    whose own family, or of any other, nothing was fitted: such a fit cannot be asked."""
    logits, present = member_logits(table, list(config.members))
    with torch.inference_mode():
        values = torch.from_numpy(np.where(present, logits, 0.0)).float()
        read = fusion.families(values, torch.from_numpy(present)).double().numpy()
    known, own = set(family_rows(config, fitted)["family"]), family_of_rows(table)
    askable = (own.isin(known) | ~own.isin(config.families)).to_numpy() & (len(known) > 1)
    return np.where(askable[:, None], read, np.nan)
