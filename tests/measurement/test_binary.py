"""Every figure of a binary detector, against scikit-learn and by hand."""

import math

import numpy as np
import pytest
from scipy.special import expit
from sklearn import metrics as sk

from detector.measurement.binary import FIGURES, Confusion, intervals, measure_binary


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    labels = (rng.random(400) < 0.3).astype(int)
    return labels, np.round(rng.normal(1.5 * labels - 0.5, 1.2), 1)  # with ties


def test_figures_are_those_of_scikit_learn(rows: tuple[np.ndarray, np.ndarray]) -> None:
    labels, logits = rows
    found, called, scores = measure_binary(labels, logits, threshold_logit=0.4), logits >= 0.4, expit(logits)
    true_negatives, false_positives, false_negatives, true_positives = sk.confusion_matrix(labels, called).ravel()
    assert found.confusion == Confusion(true_positives, false_positives, true_negatives, false_negatives)
    assert (found.n_real, found.n_fake) == (int((labels == 0).sum()), int(labels.sum()))
    expected = {
        "accuracy": sk.accuracy_score(labels, called),
        "balanced_accuracy": sk.balanced_accuracy_score(labels, called),
        "f1": sk.f1_score(labels, called),
        "precision": sk.precision_score(labels, called),
        "recall": sk.recall_score(labels, called),
        "specificity": sk.recall_score(labels, called, pos_label=0),
        "roc_auc": sk.roc_auc_score(labels, logits),
        "pr_auc": sk.average_precision_score(labels, logits),
        "brier": sk.brier_score_loss(labels, scores),
        "log_loss": sk.log_loss(labels, scores),
    }
    assert {name: found.figures()[name] for name in expected} == pytest.approx(expected, abs=1e-12)
    assert tuple(found.figures()) == FIGURES


def test_the_equal_error_rate_lies_between_the_points_around_it() -> None:
    # Thresholds 4, 3, 2, 1 give (false positive, false negative) rates (0, 2/3), (1/2, 2/3), (1/2, 1/3), ...:
    # the rates cross on the way from (1/2, 2/3) to (1/2, 1/3), at 1/2.
    assert measure_binary([1, 0, 1, 1, 0], [4.0, 3.0, 2.0, 1.0, 0.0]).eer == pytest.approx(0.5)
    # (0, 1/3) to (1/2, 1/3): a third of the fakes missed, a false alarm rate of 1/3 on the line.
    assert measure_binary([1, 1, 0, 1, 0], [4.0, 3.0, 2.0, 1.0, 0.0]).eer == pytest.approx(1 / 3)
    assert measure_binary([0, 1], [-1.0, 1.0]).eer == 0
    assert measure_binary([0, 1], [1.0, -1.0]).eer == 1


def test_the_true_positive_rate_is_that_of_a_threshold_that_keeps_the_limit() -> None:
    real, fake = np.arange(100.0), np.array([98.5, 99.5, 94.5, 50.0])
    found = measure_binary(np.repeat([0, 1], [100, 4]), np.concatenate([real, fake]) - 50)
    assert found.tpr_at_fpr_1 == 0.5  # at 98.5 one of a hundred real rows lies above
    assert found.tpr_at_fpr_5 == 0.75  # at 94.5 five do
    twenty = measure_binary(np.repeat([0, 1], [20, 2]), np.r_[np.arange(20.0), 18.5, 30.0])
    assert twenty.tpr_at_fpr_1 == 0.5  # of twenty real rows one above is 5 % already


def test_what_the_rows_do_not_define_is_no_number() -> None:
    real = measure_binary([0, 0], [-1.0, -2.0])
    undefined = ("roc_auc", "pr_auc", "eer", "cllr", "ece", "recall", "precision", "balanced_accuracy", "f1")
    assert [getattr(real, name) for name in undefined] == [None] * len(undefined)
    assert (real.specificity, real.accuracy) == (1.0, 1.0)
    for labels, logits in (([], []), ([1], [math.nan]), ([1, 0], [0.0])):
        with pytest.raises(ValueError, match="finite logits"):
            measure_binary(labels, logits)


def test_a_very_sure_logit_costs_its_size_and_not_infinity() -> None:
    assert measure_binary([0, 1], [800.0, 3.0]).log_loss == pytest.approx((800 + math.log1p(math.exp(-3))) / 2)


def test_intervals_count_people_and_not_their_rows() -> None:
    rng = np.random.default_rng(6)
    people = np.repeat(np.arange(40), 10)
    labels = np.arange(40) % 2
    logits = np.repeat(rng.normal(labels, 1.0), 10)
    by_person = intervals(np.repeat(labels, 10), logits, people, figures=("roc_auc", "recall"), resamples=200)
    by_row = intervals(np.repeat(labels, 10), logits, np.arange(400), figures=("roc_auc", "recall"), resamples=200)
    whole = measure_binary(np.repeat(labels, 10), logits)
    for name in ("roc_auc", "recall"):
        low, high = by_person[name] or (math.nan, math.nan)
        row_low, row_high = by_row[name] or (math.nan, math.nan)
        assert low < getattr(whole, name) < high
        assert high - low > 2 * (row_high - row_low)


def test_one_group_has_no_interval_and_an_unknown_figure_is_named() -> None:
    assert intervals([0, 1], [0.0, 1.0], ["a", "a"], figures=("roc_auc",)) == {"roc_auc": None}
    with pytest.raises(ValueError, match="auroc"):
        intervals([0, 1], [0.0, 1.0], ["a", "b"], figures=("auroc",))
