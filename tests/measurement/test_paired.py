"""Two detectors on the same rows."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from detector.measurement.metrics import rank_auc
from detector.measurement.paired import delong, paired_bootstrap


def auc(fake: np.ndarray, logits: np.ndarray) -> float:
    return rank_auc(fake.astype(int), logits)


def by_pairs(fakes: np.ndarray, real: np.ndarray) -> np.ndarray:
    """(fakes, real) 1 where the fake lies above, 1/2 where they are equal: the kernel of DeLong et al. (1988)."""
    return (fakes[:, None] > real[None]) + 0.5 * (fakes[:, None] == real[None])


@pytest.mark.parametrize("decimals", [6, 0])  # at no decimals most scores are tied
def test_delong_is_the_variance_by_every_pair(decimals: int) -> None:
    rng = np.random.default_rng(11)
    labels = np.repeat([1, 0], [40, 55])
    first = np.round(rng.normal(labels, 1.0), decimals)
    second = np.round(0.5 * first + rng.normal(0.8 * labels, 1.0), decimals)
    pairs = [by_pairs(scores[labels == 1], scores[labels == 0]) for scores in (first, second)]
    gap = pairs[0] - pairs[1]
    variance = np.var(gap.mean(axis=1), ddof=1) / 40 + np.var(gap.mean(axis=0), ddof=1) / 55

    found = delong(labels, first, second)
    assert (found.auc_first, found.auc_second) == pytest.approx((auc(labels, first), auc(labels, second)))
    assert found.standard_error == pytest.approx(math.sqrt(variance))
    z = found.difference / found.standard_error
    assert found.p_value == pytest.approx(2 * (1 - norm.cdf(abs(z))))
    assert found.interval == pytest.approx(tuple(found.difference + norm.ppf([0.025, 0.975]) * math.sqrt(variance)))


def test_a_detector_is_no_better_than_itself_and_what_has_no_variance_has_no_p_value() -> None:
    labels, logits = [0, 0, 1, 1, 1], [0.0, 2.0, 1.0, 3.0, 4.0]
    assert delong(labels, logits, logits).p_value == 1.0
    perfect = [0.0, 0.0, 1.0, 1.0, 1.0]
    assert delong(labels, perfect, [-x for x in perfect]).p_value is None
    with pytest.raises(ValueError, match="two rows of each label"):
        delong([0, 1, 1], [0.0, 1.0, 2.0], [0.0, 1.0, 2.0])


def test_a_clear_difference_is_found_and_chance_is_not() -> None:
    rng = np.random.default_rng(12)
    labels = np.repeat([0, 1], 150)
    good, bad, as_bad = rng.normal(2 * labels, 1), rng.normal(0.5 * labels, 1), rng.normal(0.5 * labels, 1)
    people = np.arange(300)
    better, alike = delong(labels, good, bad), delong(labels, bad, as_bad)
    assert better.p_value is not None
    assert better.p_value < 1e-6
    assert alike.p_value is not None
    assert alike.p_value > 0.05
    drawn = paired_bootstrap(labels, good, bad, people, auc, resamples=300)
    assert drawn.interval is not None
    assert drawn.interval[0] > 0
    assert drawn.difference == pytest.approx(better.difference)
    # Rows that are each a person of their own: the two ways agree on how sure one is.
    assert drawn.interval == pytest.approx(better.interval, abs=0.02)


def test_the_same_people_are_drawn_for_both_and_each_counts_once() -> None:
    rng = np.random.default_rng(13)
    labels = np.arange(60) % 2
    first = rng.normal(labels, 1.0)
    second = first + rng.normal(0, 0.4, 60)
    rows = np.repeat(np.arange(60), 8)

    def width(groups: np.ndarray) -> float:
        found = paired_bootstrap(labels[rows], first[rows], second[rows], groups, auc, resamples=200)
        assert found.interval is not None
        return found.interval[1] - found.interval[0]

    assert width(rows) > 2 * width(np.arange(480))
    same = paired_bootstrap(labels, first, 2 * first + 1, np.arange(60), auc, resamples=50)
    assert (same.difference, same.interval) == (0.0, (0.0, 0.0))
    assert paired_bootstrap(labels, first, second, np.zeros(60), auc).interval is None
