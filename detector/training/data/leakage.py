"""Leakage of the label through something trivial: each plain property of the samples alone, ranked against their label.

A set in which manipulated files are longer, sharper, smaller or from another source teaches a network just that. Here
every such property gets the AUC that it reaches alone, with an interval, and a warning where it predicts the label.

`leakage.json`, as written beside a run or by `python -m detector leakage`:

    {"what": text, "samples": n, "genuine": n, "manipulated": n, "groups": n or null,
     "warn_above_auc": 0.65, "clean": true or false, "warnings": [text, …],
     "properties": [{"name": text, "kind": "number" or "category", "known": n, "auc": 0.5..1, "low": …, "high": …,
                     "direction": text or null, "warns": true or false,
                     "mean_genuine": … or null, "mean_manipulated": … or null}, …]   strongest first,
     "not_measured": [{"name": text, "reason": text}, …]}

`leakage.txt` says the same in lines to read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.tree import DecisionTreeClassifier

WARN_ABOVE_AUC: Final = 0.65
NOT_CHECKED: Final = "not checked: no property of the samples could be measured"
_FEWEST = 10  # known values of each label, below which nothing is said
_FOLDS = 5
_MOST_SAMPLES = 5000


@dataclass(frozen=True, slots=True)
class Property:
    """One plain property against the label. `auc` 0.5..1 is of the better of two predictors that see nothing else: the
    property itself, up or down (numbers only), and a small tree or a table of rates, cross-validated, which also finds
    "genuine in the middle". `low`, `high` is its 95 % bootstrap interval, whole groups resampled."""

    name: str
    kind: Literal["number", "category"]
    known: int
    auc: float
    low: float
    high: float
    direction: str | None
    warns: bool
    mean_genuine: float | None = None
    mean_manipulated: float | None = None


@dataclass(frozen=True, slots=True)
class LeakageReport:
    """The verdict of the properties of a set of samples on its labels; `clean` is whether any was
    measured and none warns."""

    what: str
    samples: int
    genuine: int
    manipulated: int
    groups: int | None
    properties: tuple[Property, ...]
    not_measured: tuple[Mapping[str, str], ...]
    warn_above_auc: float = WARN_ABOVE_AUC

    @property
    def warnings(self) -> list[str]:
        """One sentence for each property that gives the label away."""
        if not self.properties:
            return [NOT_CHECKED]
        return [
            f"{item.name} alone tells manipulated from genuine: AUC {item.auc:.2f} ({item.low:.2f} to {item.high:.2f})"
            + (f", {item.direction}" if item.direction else "")
            for item in self.properties
            if item.warns
        ]

    @property
    def clean(self) -> bool:
        """Whether nothing warns."""
        return not self.warnings

    def text(self) -> str:
        """The report in lines for people."""
        lines = [f"{self.what}: {self.genuine} genuine, {self.manipulated} manipulated samples"]
        lines += [
            f"  {item.name:<24} AUC {item.auc:.3f} ({item.low:.3f} to {item.high:.3f})" for item in self.properties
        ]
        lines += [f"  {item['name']:<24} not measured: {item['reason']}" for item in self.not_measured]
        lines += [f"WARNING: {warning}." for warning in self.warnings]
        return "\n".join(lines) + ("" if self.warnings else "\nNo property alone predicts the label.") + "\n"

    def write(self, folder: Path) -> None:
        """`leakage.json` and `leakage.txt` in `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        table = {**asdict(self), "clean": self.clean, "warnings": self.warnings}
        (folder / "leakage.json").write_text(json.dumps(table, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        (folder / "leakage.txt").write_text(self.text(), encoding="utf-8")


def check_leakage(
    table: pd.DataFrame, *, what: str = "samples", warn_above_auc: float = WARN_ABOVE_AUC, seed: int = 7
) -> LeakageReport:
    """Rank every column of `table` against `label` ("real"/"fake" or 0/1).

    A `group` column (a person, a clip, a family) keeps its members in one fold and in one draw of the bootstrap; it is
    not a property itself. Columns of numbers are numbers, all others categories; missing values are left out. At most
    5,000 samples are looked at, drawn at random. Raises ValueError where one of the labels is absent.
    """
    if len(table) > _MOST_SAMPLES:
        table = table.sample(_MOST_SAMPLES, random_state=seed)
    label: NDArray[np.int64] = table["label"].map({"real": 0, "fake": 1, 0: 0, 1: 1}).to_numpy().astype(np.int64)
    if len(set(label.tolist())) != 2:
        raise ValueError("a leakage report needs genuine and manipulated samples")
    groups: NDArray[Any] | None = pd.factorize(table["group"])[0].astype(np.int64) if "group" in table else None
    found, absent = [], []
    for name in table.columns.drop(["label", "group"], errors="ignore"):
        values = table[name]
        known = values.notna().to_numpy() & (values != "").to_numpy()
        if min(np.bincount(label[known], minlength=2)) < _FEWEST:
            absent.append({"name": str(name), "reason": f"fewer than {_FEWEST} known values of one label"})
        elif values[known].nunique() == 1:
            absent.append({"name": str(name), "reason": f"always {values[known].iloc[0]}"})
        else:
            own = groups[known] if groups is not None else np.arange(int(known.sum()), dtype=np.int64)
            found.append(_rank(str(name), values[known], label[known], own, warn_above_auc, seed))
    return LeakageReport(
        what,
        len(table),
        int((label == 0).sum()),
        int(label.sum()),
        None if groups is None else len(set(groups.tolist())),
        tuple(sorted(found, key=lambda item: -item.auc)),
        tuple(absent),
        warn_above_auc,
    )


def _rank(
    name: str, values: pd.Series, label: NDArray[np.int64], groups: NDArray[Any], warn_above: float, seed: int
) -> Property:
    number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    candidates = [(_cross_validated(values, label, groups, number, seed), "" if number else None)]
    direction = None
    if number:
        raw = values.to_numpy(float)
        up = roc_auc_score(label, raw) >= 0.5
        direction = "higher in manipulated samples" if up else "lower in manipulated samples"
        candidates.append((raw if up else -raw, direction))
    score, direction = max(candidates, key=lambda pair: float(roc_auc_score(label, pair[0])))
    auc = float(roc_auc_score(label, score))
    low, high = _interval(label, score, groups, seed)
    return Property(
        name=name,
        kind="number" if number else "category",
        known=len(values),
        auc=max(0.5, auc),
        low=low,
        high=high,
        direction=direction or None,
        warns=auc >= warn_above and low > 0.5 + (warn_above - 0.5) / 3,
        mean_genuine=float(values[label == 0].mean()) if number else None,
        mean_manipulated=float(values[label == 1].mean()) if number else None,
    )


def _cross_validated(
    values: pd.Series, label: NDArray[np.int64], groups: NDArray[Any], number: bool, seed: int
) -> NDArray[np.float64]:
    """Out-of-fold P(manipulated) from the one property: a tree of eight leaves, or a category's smoothed rate."""
    scarcest = min(len(set(groups[label == flag].tolist())) for flag in (0, 1))
    together = scarcest >= _FOLDS
    splitter = (StratifiedGroupKFold if together else StratifiedKFold)(_FOLDS, shuffle=True, random_state=seed)
    score = np.empty(len(label))
    for fit, held in splitter.split(label, label, groups):
        # Measured against the fold's own base rate: pooled folds of unequal rates would rank by fold alone.
        base = float(label[fit].mean())
        if number:
            tree = DecisionTreeClassifier(
                max_leaf_nodes=8, min_samples_leaf=max(5, len(fit) // 50), random_state=seed
            ).fit(values.iloc[fit].to_numpy(float)[:, None], label[fit])
            score[held] = tree.predict_proba(values.iloc[held].to_numpy(float)[:, None])[:, -1] - base
        else:
            seen = pd.Series(label[fit]).groupby(values.iloc[fit].astype(str).to_numpy()).agg(["sum", "count"])
            rate = (seen["sum"] + 5 * base) / (seen["count"] + 5)
            score[held] = values.iloc[held].astype(str).map(rate).fillna(base).to_numpy(float) - base
    return score


def _interval(
    label: NDArray[np.int64], score: NDArray[np.float64], groups: NDArray[Any], seed: int, resamples: int = 200
) -> tuple[float, float]:
    rng = np.random.default_rng(seed)
    _, members = np.unique(groups, return_inverse=True)
    count = int(members.max()) + 1
    _, place = np.unique(score, return_inverse=True)
    draws = []
    for _ in range(resamples):
        weight = np.bincount(rng.integers(0, count, count), minlength=count)[members].astype(float)
        fake, real = (np.bincount(place, weight * (label == flag)) for flag in (1, 0))
        if fake.sum() and real.sum():
            below = np.cumsum(real) - real
            draws.append(float((fake * (below + real / 2)).sum() / fake.sum() / real.sum()))
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)
