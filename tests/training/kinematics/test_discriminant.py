"""The discriminant: its scale, what its ridge and its weights do; and a balanced figure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from detector.measurement.results import Results
from detector.training.data.left_out import FoldConfig
from detector.training.kinematics.config import KinematicsConfig
from detector.training.kinematics.discriminant import fit_discriminant, fit_logit
from detector.training.kinematics.measures import measure_out_of_fold
from detector.training.kinematics.nuisances import NUISANCES

RNG = np.random.default_rng(0)
LABEL = np.arange(200) % 2
ROWS = RNG.normal(0, 1, (200, 5)) + 2.0 * LABEL[:, None] * np.array([1, 0, 0, 0, 0])
ALIKE = np.full(200, 0.01)


def fit(rows: np.ndarray = ROWS, weight: np.ndarray = ALIKE, ridge: float = 0.1):
    clips = [row[None] for row in rows]
    return fit_discriminant(clips, LABEL, weight, ALIKE, ridge=ridge, farthest=3.0)


def test_genuine_clips_score_zero_on_average_with_a_spread_of_one() -> None:
    scores = fit().of_clips([row[None] for row in ROWS])
    assert scores[LABEL == 0].mean() == pytest.approx(0, abs=1e-6)
    assert scores[LABEL == 0].std() == pytest.approx(1, rel=1e-3)
    assert scores[LABEL == 1].mean() > 1.5


def test_what_tells_the_labels_apart_weighs_most_and_a_ridge_brings_weights_together() -> None:
    loose, tight = fit(ridge=1e-4).weight, fit(ridge=100.0).weight
    assert int(np.abs(loose).argmax()) == 0
    assert np.abs(tight[1:]).max() / tight[0] != pytest.approx(np.abs(loose[1:]).max() / loose[0], rel=0.01)


def test_clips_that_weigh_nothing_change_nothing_but_the_scale() -> None:
    odd = ROWS.copy()
    odd[:20] += 50
    weight = ALIKE.copy()
    weight[:20] = 0
    weight /= np.bincount(LABEL, weight)[LABEL]
    assert fit(odd, weight).centre == pytest.approx(fit(ROWS, weight).centre)
    assert fit(odd, weight).centre != pytest.approx(fit(odd).centre)


def test_a_clips_score_is_the_mean_over_its_windows_however_many_it_has() -> None:
    fitted = fit()
    (score,) = fitted.of_clips([ROWS[:3]])
    assert score == pytest.approx(fitted.scores(ROWS[:3]).mean())
    twice = [np.repeat(row[None], 2, axis=0) if index < 50 else row[None] for index, row in enumerate(ROWS)]
    again = fit_discriminant(twice, LABEL, ALIKE, ALIKE, ridge=0.1, farthest=3.0)
    assert again.weight == pytest.approx(fitted.weight)


def test_logits_are_zero_where_both_labels_are_equally_likely() -> None:
    scores = fit().of_clips([row[None] for row in ROWS])
    slope, offset = fit_logit(scores, LABEL, ALIKE)
    assert slope > 0
    middle = (scores[LABEL == 0].mean() + scores[LABEL == 1].mean()) / 2
    assert abs(slope * middle + offset) < 0.3


def measured(telling: np.ndarray) -> Results:
    facts = {name: RNG.normal(0, 1, 200) for name in NUISANCES}
    facts["seconds"] = 1.0 * LABEL + RNG.normal(0, 1, 200)
    table = pd.DataFrame(
        {
            **facts,
            "label": LABEL,
            "source": "s",
            "family": np.where(LABEL == 1, "animation", "genuine"),
            "logit": telling + facts["seconds"],
            "nuisances": facts["seconds"],
        }
    )
    config = KinematicsConfig("m", "M", (FoldConfig(),), balance=10.0)
    return measure_out_of_fold(table, config)


def test_balanced_figures_take_away_what_the_nuisances_tell() -> None:
    footage, motion = measured(np.zeros(200)), measured(3.0 * LABEL)
    assert footage["fitted_families",].value > 0.7
    assert footage["fitted_families_balanced",].value == pytest.approx(0.5, abs=0.1)
    assert footage["nuisances_alone_balanced",].value == pytest.approx(0.5, abs=0.1)
    assert motion["fitted_families_balanced",].value > 0.9
