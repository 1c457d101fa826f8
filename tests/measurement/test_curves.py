"""Curves, against scikit-learn and by hand."""

import math

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm
from sklearn import metrics as sk

from detector.measurement import curves


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(8)
    labels = rng.integers(0, 2, 300)
    return labels, np.round(rng.normal(labels, 1.0), 2)


def test_the_areas_under_the_curves_are_those_of_scikit_learn(rows: tuple[np.ndarray, np.ndarray]) -> None:
    labels, logits = rows
    roc, precision_recall, det = curves.roc(*rows), curves.precision_recall(*rows), curves.det(*rows)
    assert sk.auc(roc.false_positive_rate, roc.true_positive_rate) == pytest.approx(sk.roc_auc_score(labels, logits))
    false, missed, _ = sk.det_curve(labels, logits)
    on_curve = set(zip(false.tolist(), missed.tolist(), strict=True))
    assert set(zip(det.false_positive_rate, det.false_negative_rate, strict=True)) <= on_curve
    precision, recall, _ = sk.precision_recall_curve(labels, logits)
    on_curve = set(zip(recall.tolist(), precision.tolist(), strict=True))
    points = list(zip(precision_recall.recall, precision_recall.precision, strict=True))
    assert set(points) <= on_curve
    assert (points[-1], precision_recall.threshold_logit[-1]) == ((0.0, 1.0), math.inf)


def test_bins_hold_equally_many_rows_and_their_error_is_the_mean_of_their_gaps(
    rows: tuple[np.ndarray, np.ndarray],
) -> None:
    labels, logits = rows
    found = curves.reliability(labels, logits, bins=5)
    assert sum(one.rows for one in found.bins) == len(labels)
    assert all(abs(one.rows - 60) <= 5 for one in found.bins)
    gaps = [abs(one.score - one.fake_share) for one in found.bins]
    assert found.ece == pytest.approx(np.average(gaps, weights=[one.rows for one in found.bins]))
    assert found.mce == max(gaps)


def test_the_calibration_error_of_a_hand_worked_set() -> None:
    # Two bins: logit -ln 3 is a score of 1/4, of which none is fake; ln 3 is 3/4, of which half are.
    found = curves.reliability([0, 0, 0, 1], [-math.log(3)] * 2 + [math.log(3)] * 2, bins=2)
    assert [(one.rows, one.fake_share) for one in found.bins] == [(2, 0.0), (2, 0.5)]
    assert [one.score for one in found.bins] == pytest.approx([0.25, 0.75])
    assert (found.ece, found.mce) == pytest.approx((0.25, 0.25))


def test_a_band_is_that_of_wilson() -> None:
    # 2 of 8, z = 1.96: centre (1/4 + z²/16) / (1 + z²/8), half width z sqrt(3/128 + z²/256) / (1 + z²/8).
    z = norm.ppf(0.975)
    centre, scale = 0.25 + z**2 / 16, 1 + z**2 / 8
    half = z * math.sqrt(0.25 * 0.75 / 8 + z**2 / 256)
    (only,) = curves.reliability([1, 1, 0, 0, 0, 0, 0, 0], [0.0] * 8).bins
    assert only.interval == pytest.approx(((centre - half) / scale, (centre + half) / scale))


def test_equal_scores_share_a_bin_whatever_their_order() -> None:
    labels, logits = np.array([0, 1] * 10), np.array([0.0] * 14 + [1.0] * 6)
    turned = curves.reliability(labels[::-1], logits[::-1], bins=4)
    assert [one.rows for one in turned.bins] == [14, 6]
    assert turned == curves.reliability(labels, logits, bins=4)


def test_a_calibrated_detector_has_an_error_within_that_of_sampling() -> None:
    rng = np.random.default_rng(9)
    logits = rng.normal(0, 2, 20_000)
    labels = rng.random(20_000) < expit(logits)
    assert curves.reliability(labels, logits).ece < 0.012
    assert curves.reliability(labels, 3 * logits).ece > 0.08


def test_risk_among_the_surest_rows_by_hand() -> None:
    # Surest first: margin 3 right, 2 wrong, 1 right and 1 wrong (they leave together).
    found = curves.risk_coverage([1, 0, 1, 1], [3.0, 2.0, 1.0, -1.0])
    assert found.margin_logit == (3.0, 2.0, 1.0)
    assert found.coverage == (0.25, 0.5, 1.0)
    assert found.risk == (0.0, 0.5, 0.5)
    assert found.area == pytest.approx(0.25 * 0 + 0.25 * 0.5 + 0.5 * 0.5)


def test_shares_at_or_above_a_ratio_by_hand() -> None:
    found = curves.tippett([1, 1, 0, 0], [math.log(10), -math.log(10), -math.log(10), -math.log(100)])
    assert found.log10_lr == pytest.approx((-2, -1, 1))
    assert (found.fake_share, found.real_share) == ((1.0, 1.0, 0.5), (1.0, 0.5, 0.0))
    assert (found.misleading_fake, found.misleading_real) == (0.5, 0.0)


@pytest.mark.parametrize(
    "curve", [curves.roc, curves.precision_recall, curves.det, curves.reliability, curves.risk_coverage, curves.tippett]
)
def test_no_curve_of_one_label_or_of_what_has_no_logit(curve) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match="both labels"):
        curve([1, 1], [0.0, 1.0])
    with pytest.raises(ValueError, match="finite"):
        curve([0, 1], [0.0, math.nan])
