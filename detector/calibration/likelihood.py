"""Likelihood ratios: the bounds that a set supports, and the words for their strength."""

from __future__ import annotations

from typing import Final

import numpy as np

from detector.calibration.calibrators import Floats, Truth

# ENFSI guideline for evaluative reporting in forensic science (2015), annex II: from what ratio on which words.
VERBAL_SCALE: Final = (
    (1e6, "extremely strong support"),
    (1e4, "very strong support"),
    (1e3, "strong support"),
    (1e2, "moderately strong support"),
    (10.0, "moderate support"),
    (2.0, "weak support"),
)
NO_SUPPORT: Final = "no support either way"
SUPPORT_CODES: Final = {
    NO_SUPPORT: "none",
    **{words: words.removesuffix(" support").replace(" ", "_") for _, words in VERBAL_SCALE},
}
"""The words of the scale by the names that translations have of them."""
PROPOSITIONS: Final = (
    "the deciding face was manipulated or synthesised, in a way that the calibration set represents",
    "the deciding face was recorded by a camera and changed by common processing only",
)


def bounds(log_ratios: Floats, fake: Truth) -> tuple[float, float]:
    """The lowest and highest log-likelihood ratio (natural logarithm) that these ones of known truth support.

    Empirical lower and upper bounds (ELUB): Vergeer, van Es, de Jongh, Alberink & Stoel, Science & Justice 56 (2016).
    With one more misleading case on either side, a decision by the ratios must at each prior within them still be
    better than one by the prior alone. Both are 0 where that holds nowhere.
    """
    manipulated, genuine = np.sort(log_ratios[fake]), np.sort(log_ratios[~fake])
    thresholds = np.unique(log_ratios)
    missed = (np.searchsorted(manipulated, thresholds, "left") + 1) / (len(manipulated) + 1)
    alarms = (len(genuine) - np.searchsorted(genuine, thresholds, "left") + 1) / (len(genuine) + 1)
    # At the prior log-odds -t one acts on ratios of t and more; the prior of manipulation is then expit(-t).
    prior = 1 / (1 + np.exp(thresholds))
    better = prior * missed + (1 - prior) * alarms < np.minimum(prior, 1 - prior)
    above, below = thresholds >= 0, thresholds <= 0
    return (
        min(0.0, _last_good(thresholds[below][::-1], better[below][::-1])),
        max(0.0, _last_good(thresholds[above], better[above])),
    )


def _last_good(thresholds: Floats, better: Truth) -> float:
    """The last of thresholds, counted from the one next to 0, up to which all are good."""
    bad = np.flatnonzero(~better)
    good = thresholds[: bad[0]] if len(bad) else thresholds
    return float(good[-1]) if len(good) else 0.0


def verbal(ratio: float) -> str:
    """The words of the ENFSI scale for a likelihood ratio; for one below 1 they speak of its inverse."""
    size = max(ratio, 1 / ratio)
    return next((words for least, words in VERBAL_SCALE if size >= least), NO_SUPPORT)
