"""Measures of a model's logits: intervals, calibration, every source and generator apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from detector.measurement.conditions import light_class, size_class, skin_class
from detector.measurement.metrics import auc_interval, binary_metrics
from detector.measurement.results import (
    LEAST_FOR_AUC,
    Bin,
    Calibration,
    Cell,
    DataPath,
    Measurement,
    Results,
    RocPoint,
    Table,
)
from detector.measurement.thresholds import Thresholds

CALIBRATION_BINS: Final = 10
ROC_POINTS: Final = 33
_CONDITIONS: Final[dict[str, tuple[str, Callable[[float], str]]]] = {
    "face_size": ("size_px", size_class),
    "light": ("exposure", light_class),
    "skin_tone_ita": ("ita_deg", skin_class),
}


def against(data: DataPath, fake: NDArray[np.float64], real: NDArray[np.float64], **counts: int) -> Measurement:
    """Fake against real logits: AUC with its interval, metrics at logit 0; counts alone where either side has fewer
    than three."""
    if min(len(fake), len(real)) < LEAST_FOR_AUC:
        return Measurement(data, None, n_real=len(real), n_fake=len(fake), counts=counts)
    labels = np.r_[np.ones(len(fake)), np.zeros(len(real))]
    logits = np.r_[fake, real]
    low, high = auc_interval(labels, logits)
    metrics = {name: round(value, 4) for name, value in binary_metrics(labels, logits).items()}
    value, interval = metrics.pop("auc"), (round(low, 4), round(high, 4))
    return Measurement(data, value, interval=interval, n_real=len(real), n_fake=len(fake), rates=metrics, counts=counts)


def ranked(data: DataPath, fake: NDArray[np.float64], real: NDArray[np.float64], **counts: int) -> Measurement:
    """The AUC of fake against real logits alone, for parts of a set that `against` measures whole."""
    auc = None
    if min(len(fake), len(real)) >= LEAST_FOR_AUC:
        auc = round(binary_metrics(np.r_[np.ones(len(fake)), np.zeros(len(real))], np.r_[fake, real])["auc"], 4)
    return Measurement(data, auc, n_real=len(real), n_fake=len(fake), counts=counts)


def measure_table(data: DataPath, table: pd.DataFrame, logits: NDArray[np.float64], **counts: int) -> Measurement:
    """Rows of one kind with `label`, with calibration and ROC curve; rows without a logit are counted, never scored."""
    known = np.isfinite(logits)
    fake = (table["label"] == "fake").to_numpy()
    counts = {"not_scored": int((~known).sum()), **counts}
    return with_curves(against(data, logits[known & fake], logits[known & ~fake], **counts), fake[known], logits[known])


def with_curves(row: Measurement, fake: NDArray[np.bool_], logits: NDArray[np.float64]) -> Measurement:
    """The measurement of these rows with its calibration and its ROC curve, where there is enough to measure."""
    if row.value is None:
        return row
    return replace(row, calibration=calibration(fake, logits), roc=roc_points(fake, logits))


def calibration(labels: NDArray[np.bool_], logits: NDArray[np.float64]) -> Calibration:
    """Expected calibration error (Naeini et al., AAAI 2015) over ten equal bins of the score. Both labels are weighted
    alike."""
    scores = 1 / (1 + np.exp(-logits))
    weights = np.where(labels, 0.5 / max(1, labels.sum()), 0.5 / max(1, (~labels).sum()))
    bins = np.minimum((scores * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    error, rows = 0.0, []
    for index in range(CALIBRATION_BINS):
        chosen = bins == index
        if not chosen.any():
            continue
        score = float(np.average(scores[chosen], weights=weights[chosen]))
        share = float(np.average(labels[chosen], weights=weights[chosen]))
        error += weights[chosen].sum() * abs(score - share)
        rows.append(Bin(round(score, 4), round(share, 4), int(chosen.sum())))
    return Calibration(round(float(error / weights.sum()), 4), tuple(rows))


def roc_points(labels: NDArray[np.bool_], logits: NDArray[np.float64]) -> tuple[RocPoint, ...]:
    """The ROC curve from (0, 0) to (1, 1), thinned to `ROC_POINTS` at the most."""
    false_rate, true_rate, _ = roc_curve(labels, logits)
    kept = np.unique(np.linspace(0, len(false_rate) - 1, ROC_POINTS).round().astype(int))
    return tuple(RocPoint(round(float(false_rate[i]), 4), round(float(true_rate[i]), 4)) for i in kept)


def measure_videos(table: pd.DataFrame, logits: NDArray[np.float64], thresholds: Thresholds | None) -> Results:
    """Under "videos": all clips, then against genuine clips of people the model never saw (`split` not "train"), per
    generator, without each genuine source in turn, per genuine source, and by the conditions of the face."""
    known = np.isfinite(logits)
    fake = known & (table["label"] == "fake").to_numpy()
    real = known & (table["label"] == "real").to_numpy()
    held_out = real & (table["split"] != "train").to_numpy()
    sources, made = table["source"].to_numpy(), table["manipulation"].to_numpy()
    names = sorted(set(sources[real]))
    everything = with_curves(against(("all",), logits[fake], logits[real]), fake[known], logits[known])
    parts: list[Measurement | Table | Results] = [
        everything,
        against(("held_out_genuine",), logits[fake], logits[held_out]),
        *(
            against(("per_generator", name), logits[fake & (made == name)], logits[held_out])
            for name in sorted(set(made[fake]))
        ),
        *(ranked(("without_genuine_source", name), logits[fake], logits[real & (sources != name)]) for name in names),
        _per_source(logits[real], sources[real], logits[fake], thresholds),
        *_by_conditions(table, logits, fake, real, thresholds),
    ]
    if (~known).any():
        parts.append(_not_scored(table[~known]))
    if thresholds is not None:
        parts.append(called(table, logits, thresholds))
    return Results.joined(parts).below("videos")


def called(table: pd.DataFrame, logits: NDArray[np.float64], thresholds: Thresholds) -> Table:
    """Counts of scored clips of either label by what the thresholds alone call them."""
    own = {
        f"called_{name}": logits[np.isfinite(logits) & (table["label"] == label).to_numpy()]
        for name, label in (("genuine", "real"), ("fake", "fake"))
    }
    return Table(
        ("called",),
        ("clips", "likely_manipulated", "no_manipulation_found"),
        tuple(
            (
                name,
                (
                    len(found),
                    int((found >= thresholds.likely_manipulated_logit).sum()),
                    int((found <= thresholds.no_manipulation_logit).sum()),
                ),
            )
            for name, found in own.items()
        ),
    )


def _not_scored(table: pd.DataFrame) -> Table:
    """The clips without a logit, with the reason where one is known."""
    problems = table["problem"].to_list() if "problem" in table else [None] * len(table)
    rows = zip(table["file"], problems, strict=True)
    return Table(("not_scored",), ("problem",), tuple((file, (_text_or_none(problem),)) for file, problem in rows))


def _text_or_none(problem: object) -> str | None:
    return problem if isinstance(problem, str) else None


def _per_source(
    real: NDArray[np.float64], sources: NDArray[Any], fake: NDArray[np.float64], thresholds: Thresholds | None
) -> Table:
    columns = ["clips", "mean_logit", "auc_against", *([] if thresholds is None else ["likely_manipulated"])]
    rows = []
    for name in sorted(set(sources)):
        own = real[sources == name]
        cells: list[Cell] = [len(own), round(float(own.mean()), 4), ranked(("",), fake, own).value]
        if thresholds is not None:
            cells.append(int((own >= thresholds.likely_manipulated_logit).sum()))
        rows.append((str(name), tuple(cells)))
    return Table(("genuine_per_source",), tuple(columns), tuple(rows))


def _by_conditions(
    table: pd.DataFrame,
    logits: NDArray[np.float64],
    fake: NDArray[np.bool_],
    real: NDArray[np.bool_],
    thresholds: Thresholds | None,
) -> list[Measurement]:
    """By face size, light and how light the skin looks: AUC and false alarms within each class."""
    found = []
    for name, (column, classify) in _CONDITIONS.items():
        if column not in table:
            continue
        classes = table[column].map(lambda value, of=classify: of(float(value)) if pd.notna(value) else "unknown")
        for one in sorted(set(classes[fake | real])):
            chosen = (classes == one).to_numpy()
            alarms = {}
            if thresholds is not None:
                alarms["false_alarms"] = int((logits[real & chosen] >= thresholds.likely_manipulated_logit).sum())
            found.append(ranked(("conditions", name, one), logits[fake & chosen], logits[real & chosen], **alarms))
    return found
