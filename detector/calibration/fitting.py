"""Fitting a calibration: every method cross-fitted by groups, the best one chosen, its bounds and errors measured."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from detector.calibration.calibration import Calibration, ErrorRow, MethodTried, Policy, condition_classes
from detector.calibration.calibrators import (
    METHODS,
    Calibrator,
    Floats,
    Method,
    Truth,
    balanced_log_loss,
    fit,
)
from detector.calibration.familiar import fit_appearance
from detector.calibration.likelihood import bounds
from detector.calibration.sets import CONDITIONS, CalibrationSet
from detector.errors import CalibrationError
from detector.measurement.curves import calibration_errors
from detector.measurement.likelihood_ratio import cllr, cllr_min
from detector.measurement.metrics import share_interval
from detector.measurement.thresholds import calling_threshold, clearing_threshold, rounded_thresholds

LEAST_OF_EACH: Final = 10
"""Clips and groups of either label below which nothing is fitted."""
_FOLDS: Final = 5
_REPEATS: Final = 5
_DRAWS: Final = 100
_THRESHOLD_DRAWS: Final = 1000
_TIE_NATS: Final = 0.005
_DRAWN: Final[frozenset[Method]] = frozenset({"temperature", "platt", "beta"})


def fit_calibration(
    of: CalibrationSet, model_id: str, thresholds: tuple[float, float], policy: Policy | None = None, seed: int = 7
) -> Calibration:
    """The calibration of a model on a set. `thresholds` (no manipulation, likely manipulated) are those of its card;
    with a `policy` they are what its limits come to on the set (`policy_thresholds`).

    Of methods that are as good as the best one, within `_TIE_NATS`, the one with the fewest parameters is chosen. Folds
    and draws go by `clusters`. Raises CalibrationError with fewer than `LEAST_OF_EACH` scored clips or five clusters of
    either label.
    """
    rows = of.of(model_id)
    logits, fake = rows["logit"].to_numpy(float), (rows["label"] == "fake").to_numpy()
    groups = clusters(rows)
    counts = [int(fake.sum()), int((~fake).sum())]
    if min(counts) < LEAST_OF_EACH or min(len(set(groups[side])) for side in (fake, ~fake)) < _FOLDS:
        raise CalibrationError(
            f"A calibration needs at least {LEAST_OF_EACH} scored clips of {_FOLDS} groups of each label, found "
            f"{counts[1]} genuine and {counts[0]} manipulated ones of {model_id} in {of.name}."
        )
    crossed = {method: _cross_fitted(method, logits, fake, groups, seed) for method in METHODS}
    tried = tuple(_tried(method, runs, fake) for method, runs in crossed.items())
    least = min(one.log_loss for one in tried)
    best = next(one for one in tried if one.log_loss <= least + _TIE_NATS)
    runs = crossed[best.method]
    ratios = np.mean(runs, axis=0)
    low, high = bounds(ratios, fake)
    if policy is not None:
        thresholds = policy_thresholds(logits, fake, policy)
    return Calibration(
        model_id=model_id,
        made_by=of.made_by[model_id],
        set_name=of.name,
        set_sha256=of.sha256,
        n_real=counts[1],
        n_fake=counts[0],
        sources=rows.loc[~fake, "source"].nunique(),
        generators=rows.loc[fake, "generator"].nunique(),
        method=best.method,
        parameters=_rounded(fit(best.method, logits, fake)),
        draws=tuple(_drawn(best.method, logits, fake, groups, seed)),
        tried=tried,
        cllr=best.cllr,
        cllr_min=round(float(np.mean([cllr_min(fake, run) for run in runs])), 4),
        ece=best.ece,
        lowest=round(low, 4),
        highest=round(high, 4),
        thresholds=thresholds,
        errors=tuple(_errors(rows, logits, fake, thresholds)),
        policy=policy,
        threshold_intervals=_threshold_intervals(logits, fake, groups, policy or Policy(), seed),
        appearance=fit_appearance(of.appearances_of(model_id), groups),
    )


def policy_thresholds(logits: Floats, fake: Truth, policy: Policy) -> tuple[float, float]:
    """The logits (no manipulation, likely manipulated) that a policy comes to on logits (N,) of known truth: the least
    of genuine clips and the most of manipulated ones that keep its limits there."""
    calling = calling_threshold(logits[~fake], policy.false_alarms)
    return rounded_thresholds(clearing_threshold(logits[fake], policy.misses, calling), calling)


def _threshold_intervals(
    logits: Floats, fake: Truth, groups: NDArray[np.object_], policy: Policy, seed: int
) -> tuple[tuple[float, float], tuple[float, float]]:
    """95 % intervals of both thresholds (percentile bootstrap): clusters are drawn again within either label."""
    rng = np.random.default_rng(seed)
    parts = [[np.flatnonzero(groups == name) for name in sorted(set(groups[side]))] for side in (fake, ~fake)]
    drawn = []
    for _ in range(_THRESHOLD_DRAWS):
        own = np.concatenate([part[place] for part in parts for place in rng.integers(0, len(part), len(part))])
        drawn.append(policy_thresholds(logits[own], fake[own], policy))
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0).round(3).T.tolist()
    return tuple(low), tuple(high)


def clusters(rows: pd.DataFrame) -> NDArray[np.object_]:
    """What is kept together in folds and draws: the generator of a manipulated clip and the source of a genuine one,
    since the next file comes from elsewhere; the person (`group`) where fewer than five of either are named."""
    fake = rows["label"] == "fake"
    named = rows["generator"].where(fake, rows["source"])
    enough = all(named[side].dropna().nunique() >= _FOLDS for side in (fake, ~fake))
    chosen = (named.fillna(rows["group"]) if enough else rows["group"]).astype(str)
    return np.array([f"{label} {name}" for label, name in zip(rows["label"], chosen, strict=True)], object)


def cross_fitted(rows: pd.DataFrame, method: Method, seed: int = 7) -> Floats:
    """Log-likelihood ratios (N,) of a set's rows of one model, each from a calibrator that saw nothing of its cluster:
    the mean over several divisions into folds."""
    fake = (rows["label"] == "fake").to_numpy()
    runs = _cross_fitted(method, rows["logit"].to_numpy(float), fake, clusters(rows), seed)
    return np.asarray(np.mean(runs, axis=0), float)


def _cross_fitted(method: Method, logits: Floats, fake: Truth, groups: NDArray[np.object_], seed: int) -> list[Floats]:
    runs = []
    for repeat in range(_REPEATS):
        folds = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=seed + repeat)
        ratios = np.zeros(len(logits))
        for own, other in folds.split(logits[:, None], fake, groups):
            ratios[other] = fit(method, logits[own], fake[own])(logits[other])
        runs.append(ratios)
    return runs


def _tried(method: Method, runs: list[Floats], fake: Truth) -> MethodTried:
    def mean(values: list[float]) -> float:
        return round(float(np.mean(values)), 4)

    return MethodTried(
        method=method,
        log_loss=mean([balanced_log_loss(run, fake) for run in runs]),
        cllr=mean([cllr(fake, run) for run in runs]),
        ece=mean([_ece(run, fake) for run in runs]),
    )


def _ece(ratios: Floats, fake: Truth) -> float:
    """Expected calibration error over ten bins of equal mass, at the prior of the set itself."""
    prior = np.log(fake.sum() / (~fake).sum())
    return calibration_errors(fake, ratios + prior)[0]


def _drawn(
    method: Method, logits: Floats, fake: Truth, groups: NDArray[np.object_], seed: int
) -> list[tuple[float, ...]]:
    if method not in _DRAWN:
        return []
    rows_of = [np.flatnonzero(groups == name) for name in sorted(set(groups))]
    rng = np.random.default_rng(seed)
    found: list[tuple[float, ...]] = []
    while len(found) < _DRAWS:
        own = np.concatenate([rows_of[place] for place in rng.integers(0, len(rows_of), len(rows_of))])
        if 0 < fake[own].sum() < len(own):
            found.append(_rounded(fit(method, logits[own], fake[own])))
    return found


def _rounded(calibrator: Calibrator) -> tuple[float, ...]:
    return tuple(float(f"{value:.6g}") for value in calibrator.parameters)


def _errors(rows: pd.DataFrame, logits: Floats, fake: Truth, thresholds: tuple[float, float]) -> list[ErrorRow]:
    low, high = thresholds
    groups = rows["group"].to_numpy(str)
    alarms, misses = ~fake & (logits >= high), fake & (logits <= low)
    facts = (rows.loc[place, list(CONDITIONS)].to_dict() for place in rows.index)
    classes = pd.DataFrame([condition_classes(one) for one in facts], index=rows.index)

    def row(condition: str, value: str, chosen: Truth) -> ErrorRow:
        real, made = chosen & ~fake, chosen & fake
        return ErrorRow(
            condition=condition,
            value=value,
            n_real=int(real.sum()),
            n_fake=int(made.sum()),
            false_alarms=int(alarms[chosen].sum()),
            misses=int(misses[chosen].sum()),
            false_alarm_interval=share_interval(alarms[real], groups[real]) if real.any() else None,
            miss_interval=share_interval(misses[made], groups[made]) if made.any() else None,
        )

    found = [row("all", "all", np.ones(len(rows), bool))]
    for name in classes:
        for value in sorted(classes[name].dropna().unique()):
            found.append(row(str(name), str(value), (classes[name] == value).to_numpy()))
    return found
