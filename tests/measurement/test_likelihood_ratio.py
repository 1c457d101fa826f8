"""Cllr and its two parts, against published and hand-worked values."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from detector.measurement.likelihood_ratio import cllr, cllr_min, likelihood_ratio_cost, pav_llrs

# Likelihood ratios of real and of fake rows, and their Cllr: the worked values that `lir` (Netherlands Forensic
# Institute) is tested with. By hand, e.g. the fourth: (log2(1 + 1/3) + log2(1 + 1/3)) / 2 = 0.4150.
PUBLISHED = [
    ([1.0, 1.0], [1.0, 1.0], 1.0),
    ([3.0] * 2, [1 / 3] * 2, 2.0),
    ([3.0] * 20, [1 / 3] * 20, 2.0),
    ([1 / 3] * 2, [3.0] * 2, 0.4150374992788437),
    ([1 / 3] * 2, [1.0], 0.7075187496394219),
    ([1 / 100] * 100, [1.0], 0.507177646488535),
    ([1 / 100] * 100 + [100.0], [1.0], 0.5400680236656377),
    ([1 / 100] * 100 + [100.0] * 6, [1.0], 0.6952113122368764),
    ([2.0], [2.0] * 2, 1.0849625007211563),
    ([8.0], [8.0] * 8, 1.6699250014423126),
]


def labels_and_llrs(real: list[float], fake: list[float]) -> tuple[np.ndarray, np.ndarray]:
    return np.repeat([0, 1], [len(real), len(fake)]), np.log([*real, *fake])


@pytest.mark.parametrize(("real", "fake", "cost"), PUBLISHED)
def test_cllr_is_that_of_the_published_examples(real: list[float], fake: list[float], cost: float) -> None:
    assert cllr(*labels_and_llrs(real, fake)) == pytest.approx(cost, abs=1e-12)


def test_calibrated_gaussian_scores_have_the_cllr_of_their_distribution() -> None:
    # LLRs of N(2, 4) for fakes and N(-2, 4) for real ones are calibrated (mean = variance / 2); their Cllr is 0.5140558
    # (van Leeuwen & Brummer, Interspeech 2013). Quantiles stand for draws.
    quantiles = norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    llrs = np.concatenate([2 + 2 * quantiles, -2 + 2 * quantiles])
    cost = likelihood_ratio_cost(np.repeat([1, 0], 20_000), llrs)
    assert cost.cllr == pytest.approx(0.5140558, abs=1e-4)
    assert cost.cllr_cal == pytest.approx(0, abs=1e-3)


def test_scores_in_perfect_order_could_cost_nothing() -> None:
    cost = likelihood_ratio_cost([0, 0, 1, 1], [5.0, 6.0, 7.0, 8.0])
    assert cost.cllr_min == 0
    assert cost.cllr == cost.cllr_cal > 1


def test_the_least_cost_of_a_hand_worked_set() -> None:
    # By rising score: real, fake, real, fake. PAV pools the middle two to a share of 1/2, LR = 1 at even prior:
    # blocks LR 0 | 1, 1 | infinite. Fakes cost 1 and 0 bits, real ones 0 and 1: Cllr_min = 1/2.
    labels, scores = [0, 1, 0, 1], [-1.0, 0.0, 2.0, 3.0]
    assert pav_llrs(labels, scores).tolist() == [-math.inf, 0.0, 0.0, math.inf]
    assert cllr_min(labels, scores) == pytest.approx(0.5)


def test_the_prior_of_the_rows_is_taken_out() -> None:
    # Four real rows and one fake with one score say nothing, whatever their share.
    assert cllr_min([0, 0, 0, 0, 1], [0.3] * 5) == pytest.approx(1.0)
    # Twice as many real rows, the same rates: the same cost.
    once = cllr_min([0, 1, 0, 1], [0.0, 0.0, 1.0, 2.0])
    assert cllr_min([0, 0, 1, 0, 0, 1], [0.0, 0.0, 0.0, 1.0, 1.0, 2.0]) == pytest.approx(once)


def test_calibrated_by_pav_nothing_is_left_to_calibrate() -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 400)
    scores = 5 + 3 * rng.normal(labels, 1.0)
    raw = likelihood_ratio_cost(labels, scores)
    done = likelihood_ratio_cost(labels, pav_llrs(labels, scores))
    assert raw.cllr_cal > 1
    assert done.cllr == pytest.approx(raw.cllr_min, abs=1e-12)
    assert done.cllr_cal == pytest.approx(0, abs=1e-12)


def test_only_the_order_counts_for_the_least_cost() -> None:
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 2, 300)
    scores = np.round(rng.normal(labels, 1.0), 1)
    assert cllr_min(labels, 7 * scores - 3) == pytest.approx(cllr_min(labels, scores), abs=1e-12)


def test_certainty_that_was_wrong_costs_everything() -> None:
    assert cllr([0, 1], [-1.0, -math.inf]) == math.inf
    assert cllr([0, 1], [-math.inf, math.inf]) == 0


@pytest.mark.parametrize(
    ("labels", "llrs", "why"), [([1, 1], [0.0, 1.0], "both"), ([0, 1], [0.0, math.nan], "NaN"), ([0, 1], [0.0], "each")]
)
def test_what_no_cost_can_be_taken_of_is_refused(labels: list[int], llrs: list[float], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        cllr(labels, llrs)
    with pytest.raises(ValueError, match=why):
        cllr_min(labels, llrs)
