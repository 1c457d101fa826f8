"""What motion and what nuisances alone are worth on clips that a fold left out."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from detector.measurement.measures import against
from detector.measurement.results import LEAST_FOR_AUC, DataPath, Fact, Measurement, Results
from detector.training.kinematics.config import KinematicsConfig
from detector.training.kinematics.nuisances import balancing_weights

GENUINE: Final = "genuine"


def measure_out_of_fold(table: pd.DataFrame, config: KinematicsConfig) -> Results:
    """Manipulated against genuine clips of `fold_scores`.

    Of the families fitted: pooled and, under weights by which every nuisance has one mean for both labels, balanced;
    the same of a fit to nuisances alone. Then each family, fitted or not, and each generator with its source.
    """
    fitted = table[(table["label"] == 0) | table["family"].isin(config.families)]
    weight = balancing_weights(fitted, config)
    parts: list[Measurement | Fact | Results] = [
        _pooled(("fitted_families",), fitted, "logit"),
        _balanced(("fitted_families_balanced",), fitted, "logit", weight),
        _pooled(("nuisances_alone",), fitted, "nuisances"),
        _balanced(("nuisances_alone_balanced",), fitted, "nuisances", weight),
        _pooled(("all",), table, "logit"),
    ]
    real = table[table["label"] == 0]
    for column, name in (("family", "per_family"), ("source", "per_generator")):
        for value, rows in table[table["label"] == 1].groupby(column):
            parts.append(_pooled((name, str(value)), pd.concat([real, rows]), "logit"))
    how = (
        "clips of generators and sources that one of several fits left out; logits of all fits pooled. Balanced: "
        "weighted so that size, frame rate, noise and amount of motion have one mean for both labels. Nuisances alone: "
        "a fit to those and nothing else, which says how much of a figure may be the footage"
    )
    return Results.joined([*parts, Fact(("families_fitted",), tuple(config.families)), Fact(("how",), how)])


def _pooled(data: DataPath, table: pd.DataFrame, column: str) -> Measurement:
    fake = (table["label"] == 1).to_numpy()
    values = table[column].to_numpy(float)
    return against(data, values[fake], values[~fake])


def _balanced(data: DataPath, table: pd.DataFrame, column: str, weight: NDArray[np.float64]) -> Measurement:
    label = table["label"].to_numpy()
    real, fake = int((label == 0).sum()), int((label == 1).sum())
    auc = None
    if min(real, fake) >= LEAST_FOR_AUC:
        auc = round(float(roc_auc_score(label, table[column], sample_weight=weight)), 4)
    return Measurement(data, auc, n_real=real, n_fake=fake)
