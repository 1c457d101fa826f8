"""Metrics and their intervals."""

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from detector.measurement.metrics import auc_interval, binary_metrics, interval_by_group, rank_auc


def test_known_values() -> None:
    metrics = binary_metrics([0, 0, 1, 1], [-2.0, 1.0, 0.5, 3.0])
    assert metrics["auc"] == pytest.approx(0.75)
    assert metrics["accuracy"] == pytest.approx(0.75)
    assert metrics["precision"] == pytest.approx(2 / 3)
    assert metrics["recall"] == pytest.approx(1.0)


def test_by_ranks_and_by_thresholds_are_the_same_number() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 2, 300)
    for logits in (rng.normal(labels, 1.0), np.round(rng.normal(labels, 1.0))):  # the second is full of ties
        assert rank_auc(labels, logits) == pytest.approx(roc_auc_score(labels, logits), abs=1e-12)
    with pytest.raises(ValueError, match="nan"):
        rank_auc(np.array([0, 1]), np.array([0.0, np.nan]))


def test_one_class_has_no_auc() -> None:
    assert math.isnan(binary_metrics([1, 1], [0.1, 0.2])["auc"])
    with pytest.raises(ValueError, match="both"):
        auc_interval([1, 1], [0.1, 0.2])


def test_the_interval_holds_the_value_and_narrows_with_more_data() -> None:
    rng = np.random.default_rng(0)
    widths = []
    for count in (30, 600):
        labels = np.repeat([0, 1], count)
        logits = rng.normal(labels, 1.0)
        low, high = auc_interval(labels, logits, resamples=200)
        assert low < binary_metrics(labels, logits)["auc"] < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_rows_of_one_person_are_no_independent_evidence() -> None:
    rng = np.random.default_rng(2)
    values = np.repeat(rng.normal(0, 1, 12), 50)

    def width(groups: np.ndarray) -> float:
        low, high = interval_by_group(groups, lambda rows: float(values[rows].mean()))
        assert low is not None
        assert high is not None
        assert low < values.mean() < high
        return high - low

    assert width(np.repeat(np.arange(12), 50)) > 4 * width(np.arange(600))
    assert interval_by_group(np.array([]), lambda rows: 0.0) == (None, None)
