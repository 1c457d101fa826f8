"""Calibrators: functions from a detector's logit to the natural logarithm of a likelihood ratio.

Both labels weigh alike while they are fitted, so that what comes out is the log-odds at even prior odds, which is the
log-likelihood ratio. Temperature (Guo et al., ICML 2017), Platt (1999), beta (Kull et al., AISTATS 2017), isotonic by
pool-adjacent-violators (Zadrozny & Elkan, KDD 2002), and Venn-Abers (Vovk et al., NeurIPS 2015) by the library of that
name.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Truth = NDArray[np.bool_]
Method = Literal["temperature", "platt", "beta", "isotonic", "venn_abers"]
METHODS: Final[tuple[Method, ...]] = get_args(Method)
_NO_PENALTY: Final = 1e6
_LEAST_PROBABILITY: Final = 1e-12


@dataclass(frozen=True, slots=True)
class Calibrator:
    """`parameters` of a method: of temperature (T,); of Platt (slope, intercept); of beta (a, b, c) with
    ln LR = a ln p - b ln(1 - p) + c; of isotonic and Venn-Abers the knots: logits, then as many values (log-likelihood
    ratios, or labels 0 and 1)."""

    method: Method
    parameters: tuple[float, ...]

    def __call__(self, logits: Floats) -> Floats:
        """The log-likelihood ratios (natural logarithm) of logits (N,). Not bounded; see `likelihood.bounds`."""
        return _APPLIED[self.method](np.asarray(logits, float), np.array(self.parameters))

    def spread(self, logit: float) -> tuple[float, float] | None:
        """The two log-likelihood ratios between which Venn-Abers leaves it open, None of another method."""
        if self.method != "venn_abers":
            return None
        low, high = _venn_abers(np.array([logit]), np.array(self.parameters))
        return float(low[0]), float(high[0])


def fit(method: Method, logits: Floats, fake: Truth) -> Calibrator:
    """The calibrator of a method, fitted to logits (N,) of known truth. Raises ValueError where a label is missing."""
    if fake.all() or not fake.any():
        raise ValueError("a calibrator needs scores of both labels")
    return Calibrator(method, tuple(float(value) for value in _FITTED[method](np.asarray(logits, float), fake)))


def balanced_weights(fake: Truth) -> Floats:
    """Weights of mean 1 that give both labels the same sum."""
    share = fake.mean()
    return np.where(fake, 0.5 / share, 0.5 / (1 - share))


def balanced_log_loss(log_ratios: Floats, fake: Truth) -> float:
    """Log loss in nats at even prior odds, both labels weighted alike."""
    return float(np.average(np.logaddexp(0, np.where(fake, -log_ratios, log_ratios)), weights=balanced_weights(fake)))


def _fit_temperature(logits: Floats, fake: Truth) -> list[float]:
    from scipy.optimize import minimize_scalar

    found = minimize_scalar(
        lambda log_t: balanced_log_loss(logits / np.exp(log_t), fake), bounds=(-5.0, 5.0), method="bounded"
    )
    return [float(np.exp(found.x))]


def _fit_linear(features: Floats, fake: Truth) -> list[float]:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=_NO_PENALTY, max_iter=1000).fit(features, fake, sample_weight=balanced_weights(fake))
    return [*model.coef_[0].tolist(), float(model.intercept_[0])]


def _beta_features(logits: Floats) -> Floats:
    from scipy.special import expit

    probability = np.clip(expit(logits), _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)
    return np.column_stack([np.log(probability), -np.log1p(-probability)])


def _fit_beta(logits: Floats, fake: Truth) -> list[float]:
    features = _beta_features(logits)
    a, b, c = _fit_linear(features, fake)
    # Kull et al.: a slope that falls is left out, so that a higher score never speaks less for manipulation.
    if a < 0:
        b, c = _fit_linear(features[:, 1:], fake)
        a = 0.0
    if b < 0:
        a, c = _fit_linear(features[:, :1], fake)
        b = 0.0
    return [a, b, c]


def _fit_isotonic(logits: Floats, fake: Truth) -> list[float]:
    from sklearn.isotonic import IsotonicRegression

    model = IsotonicRegression(out_of_bounds="clip").fit(logits, fake, sample_weight=balanced_weights(fake))
    # A run of one label at an end would have an infinite ratio: Laplace's rule of succession bounds it.
    least = 1 / (2 + min(int(fake.sum()), int((~fake).sum())))
    probability = np.clip(model.y_thresholds_, least, 1 - least)
    return [*model.X_thresholds_.tolist(), *np.log(probability / (1 - probability)).tolist()]


def _knots(parameters: Floats) -> tuple[Floats, Floats]:
    half = len(parameters) // 2
    return parameters[:half], parameters[half:]


def _fit_venn_abers(logits: Floats, fake: Truth) -> list[float]:
    order = np.argsort(logits, kind="stable")
    return [*logits[order].tolist(), *fake[order].astype(float).tolist()]


def _venn_abers(logits: Floats, parameters: Floats) -> tuple[Floats, Floats]:
    from scipy.special import expit
    from venn_abers import VennAbers

    known, labels = _knots(parameters)
    given, asked = expit(known), expit(logits)
    with warnings.catch_warnings():
        # It looks for the least slope where there is none left.
        warnings.filterwarnings("ignore", "All-NaN slice encountered", RuntimeWarning)
        model = VennAbers().fit(np.column_stack([1 - given, given]), labels)
        both = model.predict_proba(np.column_stack([1 - asked, asked]))[1]
    prior = np.log(labels.mean() / (1 - labels.mean()))
    low, high = (np.log(side / (1 - side)) - prior for side in np.clip(both.T, 1e-6, 1 - 1e-6))
    return low, high


def _apply_venn_abers(logits: Floats, parameters: Floats) -> Floats:
    from scipy.special import expit

    low, high = (expit(side) for side in _venn_abers(logits, parameters))
    # Vovk et al., section 4: the probability of least regret under log loss.
    merged = high / (1 - low + high)
    return np.asarray(np.log(merged / (1 - merged)), float)


def _apply_isotonic(logits: Floats, parameters: Floats) -> Floats:
    return np.interp(logits, *_knots(parameters))


def _apply_beta(logits: Floats, parameters: Floats) -> Floats:
    return np.asarray(_beta_features(logits) @ parameters[:2] + parameters[2], float)


_FITTED: Final[dict[Method, Callable[[Floats, Truth], list[float]]]] = {
    "temperature": _fit_temperature,
    "platt": lambda logits, fake: _fit_linear(logits[:, None], fake),
    "beta": _fit_beta,
    "isotonic": _fit_isotonic,
    "venn_abers": _fit_venn_abers,
}
_APPLIED: Final[dict[Method, Callable[[Floats, Floats], Floats]]] = {
    "temperature": lambda logits, parameters: logits / parameters[0],
    "platt": lambda logits, parameters: logits * parameters[0] + parameters[1],
    "beta": _apply_beta,
    "isotonic": _apply_isotonic,
    "venn_abers": _apply_venn_abers,
}
