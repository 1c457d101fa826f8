"""What log-likelihood ratios are worth: Cllr, the least of it that any calibration could reach, and the rest.

A log-likelihood ratio (LLR) is ln P(score | fake) / P(score | real). The logit of a detector that was trained on as
many genuine as manipulated samples is taken for one: at even prior odds, posterior odds are the likelihood ratio. That
is an assumption, and `cllr_cal` is what it costs. LLRs are natural logarithms; the costs below are in bits, that is
with logarithms to base 2, so that a detector which always says LR = 1 costs exactly 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import isotonic_regression


@dataclass(frozen=True, slots=True)
class LikelihoodRatioCost:
    """`cllr` = `cllr_min` + `cllr_cal`, in bits: 0 is perfect, 1 is no information, above 1 misleads on the whole.

    `cllr_min` is what the order of the scores loses (discrimination), `cllr_cal` what their size loses on top of it
    (calibration). `cllr` is infinite where a fake has an LLR of minus infinity or a real one of plus infinity."""

    cllr: float
    cllr_min: float

    @property
    def cllr_cal(self) -> float:
        """What calibration alone could save: `cllr` - `cllr_min`, never below zero but for rounding."""
        return self.cllr - self.cllr_min


def likelihood_ratio_cost(labels: ArrayLike, llrs: ArrayLike) -> LikelihoodRatioCost:
    """Cllr with its two parts, from labels (1 = fake) and natural LLRs, both (N,). Raises ValueError as `cllr`."""
    return LikelihoodRatioCost(cllr(labels, llrs), cllr_min(labels, llrs))


def cllr(labels: ArrayLike, llrs: ArrayLike) -> float:
    """Log-likelihood-ratio cost in bits (Brummer & du Preez, Computer Speech & Language 20, 2006): half the mean of
    log2(1 + 1/LR) over fakes and half that of log2(1 + LR) over real ones. LLRs may be infinite.

    Raises ValueError for an LLR that is NaN, arrays of unlike length, and where a label is missing."""
    fake, llr = _checked(labels, llrs)
    cost = np.logaddexp(0.0, np.where(fake, -llr, llr)) / math.log(2)
    return float((cost[fake].mean() + cost[~fake].mean()) / 2)


def cllr_min(labels: ArrayLike, scores: ArrayLike) -> float:
    """The least Cllr that any rising transformation of the scores reaches on these very rows, in bits: that of
    `pav_llrs`. Raises ValueError as `cllr`."""
    return cllr(labels, pav_llrs(labels, scores))


def pav_llrs(labels: ArrayLike, scores: ArrayLike) -> NDArray[np.float64]:
    """The best-calibrated LLRs (N,) that keep the order of the scores, by pooling adjacent violators over both labels
    together (PAV; Brummer & du Preez, 2006, as in BOSARIS): the share of fakes in a block, less the prior log-odds of
    the rows. Equal scores are one block. Infinite where a block holds one label only. Raises ValueError as `cllr`."""
    fake, score = _checked(labels, scores)
    values, block, sizes = np.unique(score, return_inverse=True, return_counts=True)
    shares = np.bincount(block, weights=fake, minlength=len(values)) / sizes
    share = np.clip(isotonic_regression(shares, weights=sizes).x, 0.0, 1.0)[block]
    with np.errstate(divide="ignore"):
        return np.log(share) - np.log1p(-share) - math.log(fake.sum() / (~fake).sum())


def _checked(labels: ArrayLike, llrs: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    fake, llr = np.asarray(labels).astype(bool), np.asarray(llrs, float)
    if fake.shape != llr.shape or fake.ndim != 1:
        raise ValueError(f"expected a label for each score, found shapes {fake.shape} and {llr.shape}")
    if np.isnan(llr).any():
        raise ValueError("expected scores that are numbers, found NaN")
    if fake.all() or not fake.any():
        raise ValueError("a likelihood ratio needs both labels")
    return fake, llr
