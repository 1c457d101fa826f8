"""Measures of a pool of clips from many generators and sources: one threshold for all, each family and generator apart.

An AUC within each data set hides a score whose scale shifts between sources. So genuine clips of all sources stand
against fakes of all generators, and shares of fakes that are found are taken at one threshold, set on all the genuine
clips together. Intervals draw groups (people, source clips) again: clips of one group are no independent evidence.
"""

from __future__ import annotations

from collections import Counter
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.measurement.results import LEAST_FOR_AUC, DataPath, Fact, Measurement, Results, Table
from detector.measurement.thresholds import Thresholds

FALSE_ALARM_SHARES: Final = {"at_5_percent": 0.05, "at_1_percent": 0.01}
"""Shares of false alarms at which the share of fakes that are found is given, by the name of the rate."""
RESAMPLES: Final = 1000

_Interval = tuple[float, float] | None


class OperatingPoint(NamedTuple):
    """`share` of fakes above a threshold and its 95 % `interval`. A clip is called manipulated where its logit is above
    `threshold_logit`; of the genuine ones that are at most as many as asked for."""

    threshold_logit: float
    share: float
    interval: _Interval


class Pool:
    """Logits of fake (F,) and genuine (R,) clips with their groups, drawn again by group `resamples` times.

    Raises ValueError with fewer than three of either, or a logit that is not finite.
    """

    def __init__(
        self,
        fake: NDArray[np.float64],
        real: NDArray[np.float64],
        fake_groups: NDArray[np.str_],
        real_groups: NDArray[np.str_],
        *,
        resamples: int = RESAMPLES,
        seed: int = 7,
    ) -> None:
        if min(len(fake), len(real)) < LEAST_FOR_AUC or not np.isfinite(np.r_[fake, real]).all():
            raise ValueError(f"a pool needs {LEAST_FOR_AUC} finite logits of either label")
        order = np.argsort(-real, kind="stable")
        self._fake, self._real = fake, real[order]
        drawn = _draws(np.r_[fake_groups, real_groups[order]], resamples, seed)
        # Row 0 is what was measured; the others are draws: how often each clip counts.
        weights = np.vstack([np.ones(len(fake) + len(real)), drawn])
        self._of_fake, self._of_real = weights[:, : len(fake)], weights[:, len(fake) :]
        self._above = (fake[:, None] > self._real) + 0.5 * (fake[:, None] == self._real)

    def auc(self, chosen: NDArray[np.bool_] | None = None) -> tuple[float, _Interval]:
        """Of the `chosen` (F,) fakes, or all, against every genuine clip, with its 95 % interval."""
        rows = np.ones(len(self._fake), bool) if chosen is None else chosen
        fakes = self._of_fake[:, rows]
        with np.errstate(invalid="ignore"):  # a draw without a fake or without a genuine clip is no draw
            values = ((fakes @ self._above[rows]) * self._of_real).sum(1) / (fakes.sum(1) * self._of_real.sum(1))
        return _with_interval(values)

    def found_at(self, false_alarms: float) -> OperatingPoint:
        """The share of fakes above the lowest threshold that at most a share of `false_alarms` of the genuine clips
        passes; each draw sets its own threshold."""
        passed = self._of_real.cumsum(1)
        with np.errstate(invalid="ignore"):
            first = (passed > false_alarms * passed[:, -1:] + 1e-9).argmax(1)
            above = self._fake[:, None] > self._real
            values = (self._of_fake * above[:, first].T).sum(1) / self._of_fake.sum(1)
        values[passed[:, -1] == 0] = np.nan
        share, interval = _with_interval(values)
        return OperatingPoint(float(self._real[first[0]]), share, interval)


def _draws(groups: NDArray[np.str_], resamples: int, seed: int) -> NDArray[np.float64]:
    """(resamples, N): how often each row counts where as many groups as there are are drawn with replacement."""
    names, member = np.unique(groups, return_inverse=True)
    rng = np.random.default_rng(seed)
    return rng.multinomial(len(names), np.full(len(names), 1 / len(names)), resamples)[:, member].astype(float)


def _with_interval(values: NDArray[np.float64]) -> tuple[float, _Interval]:
    drawn = values[1:][np.isfinite(values[1:])]
    low, high = np.quantile(drawn, [0.025, 0.975]) if len(drawn) else (np.nan, np.nan)
    interval = (round(float(low), 4), round(float(high), 4)) if len(drawn) else None
    return round(float(values[0]), 4), interval


def measure_pool(table: pd.DataFrame, logits: NDArray[np.float64], thresholds: Thresholds | None) -> Results:
    """Clips of many sources (columns label, group, source, family, generator and, where known, problem): "all" with its
    interval by group, shares found at 5 % and at 1 % false alarms, every family and generator against all genuine
    clips, false alarms by genuine source, and what `thresholds` call them. Clips without a logit are counted by reason,
    never scored; below three a side there is no figure."""
    known = np.isfinite(logits)
    scored, logits = table[known], logits[known]
    fake = (scored["label"] == "fake").to_numpy()
    groups = scored["group"].to_numpy(str)
    found: list[Measurement | Table | Fact] = []
    counts = {"groups": len(set(groups)), "not_scored": int((~known).sum())}
    if min(fake.sum(), (~fake).sum()) < LEAST_FOR_AUC:
        found.append(Measurement(("all",), None, n_real=int((~fake).sum()), n_fake=int(fake.sum()), counts=counts))
    else:
        pool = Pool(logits[fake], logits[~fake], groups[fake], groups[~fake])
        points = {name: pool.found_at(share) for name, share in FALSE_ALARM_SHARES.items()}
        everything = np.ones(int(fake.sum()), bool)
        found.append(_measured(("all",), pool, everything, logits[fake], points, int((~fake).sum()), counts))
        found.append(_points(points))
        for column in ("family", "generator"):
            names = scored.loc[fake, column].to_numpy(str)
            for name in sorted(set(names)):
                path = (f"per_{column}", name or "not named")
                found.append(_measured(path, pool, names == name, logits[fake], points, int((~fake).sum()), {}))
        found.append(_false_alarms(scored["source"].to_numpy(str)[~fake], logits[~fake], points["at_5_percent"]))
    if thresholds is not None:
        found.append(_called(table, known, logits, fake, thresholds))
    if not known.all():
        found.append(_not_scored(table[~known]))
    how = "groups drawn again for intervals; one threshold for all families and sources, set on all the genuine clips"
    found.append(Fact(("how",), how))
    return Results.joined(found)


def _measured(
    path: DataPath,
    pool: Pool,
    chosen: NDArray[np.bool_],
    fakes: NDArray[np.float64],
    points: dict[str, OperatingPoint],
    n_real: int,
    counts: dict[str, int],
) -> Measurement:
    own = fakes[chosen]
    if len(own) < LEAST_FOR_AUC:
        return Measurement(path, None, n_real=n_real, n_fake=len(own), counts=counts)
    value, interval = pool.auc(chosen)
    rates = {
        f"found_{name}_false_alarms": round(float((own > point.threshold_logit).mean()), 4)
        for name, point in points.items()
    }
    return Measurement(path, value, interval=interval, n_real=n_real, n_fake=len(own), rates=rates, counts=counts)


def _points(points: dict[str, OperatingPoint]) -> Table:
    rows = [
        (f"{name}_false_alarms", (point.share, *(point.interval or (None, None)), round(point.threshold_logit, 4)))
        for name, point in points.items()
    ]
    return Table(("found",), ("share", "share_95_low", "share_95_high", "threshold_logit"), tuple(rows))


def _false_alarms(sources: NDArray[np.str_], real: NDArray[np.float64], point: OperatingPoint) -> Table:
    """By genuine source, at the threshold that lets 5 % of all genuine clips pass."""
    rows = []
    for name in sorted(set(sources)):
        own = real[sources == name] > point.threshold_logit
        rows.append((str(name), (len(own), int(own.sum()), round(float(own.mean()), 4))))
    return Table(("genuine_per_source",), ("clips", "false_alarms", "share"), tuple(rows))


def _called(
    table: pd.DataFrame,
    known: NDArray[np.bool_],
    logits: NDArray[np.float64],
    fake: NDArray[np.bool_],
    thresholds: Thresholds,
) -> Table:
    """Clips of either label by what the model's own thresholds call them."""
    rows = []
    for name, label, own in (("called_genuine", "real", logits[~fake]), ("called_fake", "fake", logits[fake])):
        high = int((own >= thresholds.likely_manipulated_logit).sum())
        low = int((own <= thresholds.no_manipulation_logit).sum())
        missing = int((~known & (table["label"] == label).to_numpy()).sum())
        rows.append((name, (len(own), high, len(own) - high - low, low, missing)))
    columns = ("clips", "likely_manipulated", "inconclusive", "no_manipulation_found", "not_scored")
    return Table(("called",), columns, tuple(rows))


def _not_scored(table: pd.DataFrame) -> Table:
    """Clips without a logit, by the reason."""
    problems = table["problem"] if "problem" in table else [None] * len(table)
    reasons = Counter(why if isinstance(why, str) else "no reason given" for why in problems)
    return Table(("not_scored",), ("clips",), tuple((why, (count,)) for why, count in sorted(reasons.items())))
