"""Where a model's two thresholds lie, from the clips it was measured on."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from detector.errors import SettingsError
from detector.registry import Decision

FALSE_ALARM_SHARE = 0.05
MISS_SHARE = 0.10
_LEAST_GAP = 0.1


def choose_decision(clips: list[dict[str, Any]]) -> Decision:
    """Thresholds from scored clips (rows with `label` real or fake and `logit`, None where unscored).

    The upper one lets 5 % of genuine clips pass it, the lower one lies where 10 % of manipulated clips fall below;
    where the two would cross, the lower one is put just under the upper one, so that the upper promise holds.
    Raises SettingsError with fewer than ten scored clips of either label.
    """
    genuine, manipulated = (
        np.array([row["logit"] for row in clips if row["label"] == label and row["logit"] is not None], float)
        for label in ("real", "fake")
    )
    if min(len(genuine), len(manipulated)) < 10:
        raise SettingsError(
            f"Thresholds need at least ten scored clips of each label, found {len(genuine)} genuine and "
            f"{len(manipulated)} manipulated."
        )
    # "higher" and a step beyond: at most 5 % of the clips at hand reach the threshold.
    upper = math.nextafter(float(np.quantile(genuine, 1 - FALSE_ALARM_SHARE, method="higher")), math.inf)
    lower = min(float(np.quantile(manipulated, MISS_SHARE)), upper - _LEAST_GAP)
    basis = (
        f"{len(genuine)} genuine and {len(manipulated)} manipulated clips of the validation data: at most "
        f"{FALSE_ALARM_SHARE:.0%} of the genuine ones reach the upper threshold, about {MISS_SHARE:.0%} of the "
        "manipulated ones fall below the lower one or it lies just under the upper one"
    )
    return Decision(round(upper + 5e-4, 3), round(lower, 3), basis)
