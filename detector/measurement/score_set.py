"""Every figure of a set of scores: each model whole, by source, generator, family and condition, and pair by pair."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from detector.errors import SettingsError
from detector.measurement.binary import BinaryMetrics, intervals, measure_binary
from detector.measurement.conditions import bits_class, light_class, resolution_class, size_class
from detector.measurement.curves import Reliability, reliability
from detector.measurement.metrics import interval_by_group, rank_auc, share_interval
from detector.measurement.paired import AucComparison, PairedDifference, delong, paired_bootstrap
from detector.measurement.results import CHANCE, LEAST_FOR_AUC
from detector.measurement.score_table import COUNTED_ONCE
from detector.measurement.thresholds import Thresholds

FORM: Final = 1
_CONDITIONS: Final[dict[str, tuple[str, Callable[[float], str]]]] = {
    "face size": ("face_px", size_class),
    "light": ("brightness", light_class),
    "resolution": ("short_side_px", resolution_class),
    "bit rate": ("bits_per_pixel", bits_class),
}
Interval = tuple[float, float]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Share:
    """`hits` of `rows`, and the share's 95 % interval by Clopper & Pearson with as many trials as groups; None without
    rows."""

    hits: int
    rows: int
    interval: Interval | None

    @property
    def value(self) -> float | None:
        """0..1; None without rows."""
        return self.hits / self.rows if self.rows else None


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of the set: `name` is what its rows share of `dimension` (source, generator, family or a condition). Those
    of the dimension "level" are the whole set, with a row a file, a face track, or one face of a track ("frame").

    `false_positives` of its real rows and `true_positives` of its fakes, at the model's threshold. `auc` 0..1 is of its
    fakes against its real rows, or, with `against_all`, since it has rows of one label only, against all of the other;
    None with fewer than three of either. `interval` holds its 95 %, by bootstrap over groups; None with one group.
    `metrics`, of sources and levels alone, are every figure of its own rows; None with fewer than three of either.
    """

    dimension: str
    name: str
    groups: int
    false_positives: Share
    true_positives: Share
    auc: float | None = None
    interval: Interval | None = None
    against_all: bool = False
    metrics: BinaryMetrics | None = None

    @property
    def inverted(self) -> bool:
        """Whether fakes are ranked below real rows, and chance does not explain it."""
        return self.interval is not None and self.interval[1] < CHANCE


@dataclass(frozen=True, slots=True)
class Calls:
    """How many rows of a label the model's thresholds call what."""

    label: str
    likely_manipulated: int
    inconclusive: int
    no_manipulation_found: int


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """One model on the set. `metrics` at the lower end of "likely manipulated" of its card, None with fewer than three
    rows of either label; `intervals` 95 % of each figure, over `groups` groups. `reliability` of its scores with the
    bins; `calls` by both thresholds; `not_scored`: how many files have no logit, by reason."""

    model: str
    weights_sha256: str
    groups: int
    calls: tuple[Calls, ...]
    slices: tuple[Slice, ...]
    not_scored: dict[str, int]
    thresholds: Thresholds | None = None
    metrics: BinaryMetrics | None = None
    intervals: dict[str, Interval | None] | None = None
    reliability: Reliability | None = None

    @property
    def inverted(self) -> bool:
        """Whether the whole set is ranked the wrong way round, and chance does not explain it."""
        interval = (self.intervals or {}).get("roc_auc")
        return interval is not None and interval[1] < CHANCE

    def of(self, dimension: str) -> tuple[Slice, ...]:
        """The slices of a dimension."""
        return tuple(one for one in self.slices if one.dimension == dimension)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models on the `n_real` + `n_fake` rows that both scored: ROC-AUC by DeLong's test, which takes rows for
    independent, and by bootstrap over groups."""

    first: str
    second: str
    n_real: int
    n_fake: int
    delong: AucComparison
    by_group: PairedDifference


@dataclass(frozen=True, slots=True)
class SetFigures:
    """All that was measured on a set of files. `set_sha256` names files, labels and what else the table says of them,
    not the scores; `program` and `settings_sha256` what made the scores."""

    program: str
    settings_sha256: str
    set_sha256: str
    real: int
    fake: int
    groups: int
    models: tuple[ModelFigures, ...]
    comparisons: tuple[Comparison, ...] = ()
    form: int = FORM

    def as_json(self) -> bytes:
        """UTF-8 JSON that `read` reads; equal figures give equal bytes."""
        return _ADAPTER.dump_json(self, indent=1) + b"\n"

    @classmethod
    def read(cls, content: bytes) -> SetFigures:
        """Raises SettingsError where it is no such JSON."""
        try:
            return _ADAPTER.validate_json(content)
        except ValidationError as error:
            raise SettingsError(f"These are no figures of an evaluation: {error}") from None


_ADAPTER: Final = TypeAdapter(SetFigures)


def measure_scores(
    scores: pd.DataFrame,
    models: Mapping[str, tuple[str, Thresholds | None]],
    *,
    program: str,
    settings_sha256: str,
    parts: pd.DataFrame | None = None,
    resamples: int = 500,
) -> SetFigures:
    """From a table of `score_table.SCORE_COLUMNS`, every model's rows in the same order of files. `models`: of each its
    weights' SHA-256 and its thresholds. `parts` of `score_table.PART_COLUMNS`: what lies within the files, measured
    with the label, the group and the threshold of the file. `resamples`: draws of each bootstrap."""
    files = scores[scores["model"] == next(iter(models))]
    listed = files[["sha256", "file", "cut", "label", "source", "group", "family", "generator"]].fillna("")
    counted = files[(files["reason"] != COUNTED_ONCE).fillna(True)]
    return SetFigures(
        program,
        settings_sha256,
        hashlib.sha256(listed.to_csv(index=False).encode()).hexdigest(),
        int((counted["label"] == "real").sum()),
        int((counted["label"] == "fake").sum()),
        int(counted["group"].nunique()),
        tuple(
            _model(scores[scores["model"] == name], _within(parts, name), name, weights, thresholds, resamples)
            for name, (weights, thresholds) in models.items()
        ),
        tuple(_comparisons(scores, list(models), resamples)),
    )


def _within(parts: pd.DataFrame | None, name: str) -> dict[str, pd.DataFrame]:
    """A model's rows of each level below the file."""
    if parts is None:
        return {}
    own = parts[parts["model"] == name]
    return {level: own[own["level"] == level] for level in ("track", "frame")}


def _columns(scored: pd.DataFrame) -> tuple[Mask, NDArray[np.float64], NDArray[np.str_]]:
    """Whether each row is a fake, its logit and its group."""
    return (
        (scored["label"] == "fake").to_numpy(bool),
        scored["logit"].to_numpy(float),
        scored["group"].to_numpy(str),
    )


def _model(
    rows: pd.DataFrame,
    within: Mapping[str, pd.DataFrame],
    name: str,
    weights: str,
    thresholds: Thresholds | None,
    resamples: int,
) -> ModelFigures:
    scored = rows[rows["logit"].notna()]
    fake, logit, groups = _columns(scored)
    threshold = 0.0 if thresholds is None else thresholds.likely_manipulated_logit
    reasons = rows["reason"].dropna().value_counts()
    figures = ModelFigures(
        model=name,
        weights_sha256=weights,
        groups=len(np.unique(groups)),
        calls=() if thresholds is None else tuple(_calls(fake, logit, thresholds)),
        slices=(
            *_levels({"file": scored, **within} if within else {}, threshold, resamples),
            *_slices(scored, fake, logit, groups, threshold, resamples),
        ),
        not_scored={str(reason): int(reasons[reason]) for reason in sorted(reasons.index)},
        thresholds=thresholds,
    )
    if min(fake.sum(), (~fake).sum()) < LEAST_FOR_AUC:
        return figures
    return replace(
        figures,
        metrics=measure_binary(fake, logit, threshold_logit=threshold),
        intervals=dict(intervals(fake, logit, groups, threshold_logit=threshold, resamples=resamples)),
        reliability=reliability(fake, logit),
    )


def _calls(fake: Mask, logit: NDArray[np.float64], thresholds: Thresholds) -> Iterator[Calls]:
    high, low = logit >= thresholds.likely_manipulated_logit, logit <= thresholds.no_manipulation_logit
    for label, own in (("real", ~fake), ("fake", fake)):
        yield Calls(label, int((own & high).sum()), int((own & ~high & ~low).sum()), int((own & low).sum()))


def _levels(rows_of: Mapping[str, pd.DataFrame], threshold: float, resamples: int) -> Iterator[Slice]:
    for level, rows in rows_of.items():
        if len(rows):
            yield _slice("level", level, np.ones(len(rows), bool), *_columns(rows), threshold, resamples, whole=True)


def _slices(
    scored: pd.DataFrame,
    fake: Mask,
    logit: NDArray[np.float64],
    groups: NDArray[np.str_],
    threshold: float,
    resamples: int,
) -> Iterator[Slice]:
    everything = np.ones(len(scored), bool)
    for dimension, values, among in (
        ("source", _said(scored["source"]), everything),
        ("generator", _said(scored["generator"]), fake),
        ("family", _said(scored["family"]), fake),
        *((name, _classes(scored[column], of), everything) for name, (column, of) in _CONDITIONS.items()),
        ("codec", _said(scored["codec"]), everything),
        ("sound", _said(scored["sound"].map({True: "sound", False: "silent"})), everything),
    ):
        for name in values.cat.categories:
            own = among & (values == name).to_numpy()
            if own.any():
                whole = dimension == "source"
                yield _slice(dimension, str(name), own, fake, logit, groups, threshold, resamples, whole=whole)


def _said(column: pd.Series) -> pd.Series:
    """As categories in the order of their names; nothing where nothing is said."""
    named = column.astype("string")
    return named.where(named != "").astype("category")


def _classes(column: pd.Series, of: Callable[[float], str]) -> pd.Series:
    """As categories in the order of the values that they are classes of."""
    rising = column.dropna().astype(float).sort_values()
    names = dict.fromkeys(of(value) for value in rising)
    return column.map(lambda value: None if pd.isna(value) else of(float(value))).astype(pd.CategoricalDtype([*names]))


def _slice(
    dimension: str,
    name: str,
    own: Mask,
    fake: Mask,
    logit: NDArray[np.float64],
    groups: NDArray[np.str_],
    threshold: float,
    resamples: int,
    *,
    whole: bool,
) -> Slice:
    """`whole`: with every figure."""
    called = logit >= threshold
    one_label = not (own & fake).any() or not (own & ~fake).any()
    against = own | (fake != fake[own][0]) if one_label else own
    auc, interval = _auc(fake[against], logit[against], groups[against], resamples)
    metrics = None
    if whole and min((own & fake).sum(), (own & ~fake).sum()) >= LEAST_FOR_AUC:
        metrics = measure_binary(fake[own], logit[own], threshold_logit=threshold)
    return Slice(
        dimension,
        name,
        len(np.unique(groups[own])),
        _share(called, own & ~fake, groups),
        _share(called, own & fake, groups),
        auc,
        interval,
        one_label and auc is not None,
        metrics,
    )


def _share(called: Mask, own: Mask, groups: NDArray[np.str_]) -> Share:
    interval = share_interval(called[own], groups[own]) if own.any() else None
    return Share(int(called[own].sum()), int(own.sum()), interval)


def _auc(
    fake: Mask, logit: NDArray[np.float64], groups: NDArray[np.str_], resamples: int
) -> tuple[float | None, Interval | None]:
    if min(fake.sum(), (~fake).sum()) < LEAST_FOR_AUC:
        return None, None
    labels = fake.astype(int)
    auc = rank_auc(labels, logit)
    if min(len(set(groups[fake])), len(set(groups[~fake]))) < 2:
        return auc, None
    low, high = interval_by_group(groups, lambda rows: rank_auc(labels[rows], logit[rows]), resamples=resamples)
    return auc, None if low is None or high is None else (low, high)


def _comparisons(scores: pd.DataFrame, models: list[str], resamples: int) -> Iterator[Comparison]:
    logits = {name: scores.loc[scores["model"] == name, "logit"].to_numpy(float) for name in models}
    files = scores[scores["model"] == models[0]]
    fake, groups = (files["label"] == "fake").to_numpy(bool), files["group"].to_numpy(str)
    for first, second in combinations(models, 2):
        both = np.isfinite(logits[first]) & np.isfinite(logits[second])
        sizes = int((both & ~fake).sum()), int((both & fake).sum())
        if min(sizes) < LEAST_FOR_AUC:
            continue
        pair = fake[both], logits[first][both], logits[second][both]
        drawn = paired_bootstrap(*pair, groups[both], _labelled_auc, resamples=resamples)
        yield Comparison(first, second, *sizes, delong(*pair), drawn)


def _labelled_auc(fake: Mask, logit: NDArray[np.float64]) -> float:
    return rank_auc(fake.astype(int), logit)
