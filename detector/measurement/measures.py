"""What the logits of a model are worth: intervals, thresholds, calibration, every source and generator apart."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from detector.measurement.conditions import light_class, size_class, skin_class
from detector.measurement.metrics import auc_interval, binary_metrics
from detector.measurement.thresholds import Thresholds

CALIBRATION_BINS: Final = 10
LEAST_FOR_AUC: Final = 3  # of either label; below that an AUC says nothing


def against(fake: NDArray[np.float64], real: NDArray[np.float64]) -> dict[str, Any]:
    """Metrics of manipulated against genuine logits, `inverted` where the AUC is below chance; counts alone, with
    `auc` None, where either side has fewer than three."""
    counts = {"genuine": len(real), "manipulated": len(fake)}
    if min(len(fake), len(real)) < LEAST_FOR_AUC:
        return {"auc": None, **counts}
    labels = np.r_[np.ones(len(fake)), np.zeros(len(real))]
    logits = np.r_[fake, real]
    low, high = auc_interval(labels, logits)
    metrics = {name: round(value, 4) for name, value in binary_metrics(labels, logits).items()}
    return {**metrics, "auc_95": [round(low, 4), round(high, 4)], "inverted": metrics["auc"] < 0.5, **counts}


def measure_table(table: pd.DataFrame, logits: NDArray[np.float64]) -> dict[str, Any]:
    """Metrics of rows of one kind with `label`; rows without a logit are counted, never scored."""
    known = np.isfinite(logits)
    fake, real = (logits[known & (table["label"] == label).to_numpy()] for label in ("fake", "real"))
    labels = (table["label"] == "fake").to_numpy()[known]
    found = {**against(fake, real), "not_scored": int((~known).sum())}
    if found["auc"] is not None:
        found["calibration"] = calibration(labels, logits[known])
    return found


def calibration(labels: NDArray[np.bool_], logits: NDArray[np.float64]) -> dict[str, Any]:
    """Expected calibration error (Naeini et al., AAAI 2015) over ten equal bins of the score, and the bins: mean score,
    share manipulated, rows. Both labels are weighted alike."""
    scores = 1 / (1 + np.exp(-logits))
    weights = np.where(labels, 0.5 / max(1, labels.sum()), 0.5 / max(1, (~labels).sum()))
    bins = np.minimum((scores * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    error, rows = 0.0, []
    for index in range(CALIBRATION_BINS):
        chosen = bins == index
        if not chosen.any():
            continue
        mass = weights[chosen].sum()
        score = float(np.average(scores[chosen], weights=weights[chosen]))
        share = float(np.average(labels[chosen], weights=weights[chosen]))
        error += mass * abs(score - share)
        rows.append({"score": round(score, 4), "manipulated": round(share, 4), "rows": int(chosen.sum())})
    return {"ece": round(float(error / weights.sum()), 4), "bins": rows}


def measure_videos(table: pd.DataFrame, logits: NDArray[np.float64], decision: Thresholds | None) -> dict[str, Any]:
    """Video metrics: all clips, then against genuine clips of people the model never saw (`split` not "train"), per
    generator, without each genuine source in turn, per genuine source, and by the conditions of the face."""
    known = np.isfinite(logits)
    fake = known & (table["label"] == "fake").to_numpy()
    real = known & (table["label"] == "real").to_numpy()
    held_out = real & (table["split"] != "train").to_numpy()
    sources = table["source"].to_numpy()
    found: dict[str, Any] = {
        "all": against(logits[fake], logits[real]),
        "held_out_genuine": against(logits[fake], logits[held_out]),
        "per_generator": {
            name: against(logits[fake & (table["manipulation"] == name).to_numpy()], logits[held_out])
            for name in sorted(set(table.loc[fake, "manipulation"]))
        },
        "without_genuine_source": {
            name: _auc(logits[fake], logits[real & (sources != name)]) for name in sorted(set(sources[real]))
        },
        "genuine_per_source": {
            name: _real_row(logits[real & (sources == name)], logits[fake], decision)
            for name in sorted(set(sources[real]))
        },
        "conditions": _conditions(table, logits, fake, real, decision),
        "not_scored": table.loc[~known, ["file", "problem"]].to_dict("records") if "problem" in table else [],
    }
    if fake.any() and real.any():
        found["calibration"] = calibration(fake[known], logits[known])
    if decision is not None:
        found |= called(table, logits, decision)
    return found


def called(table: pd.DataFrame, logits: NDArray[np.float64], decision: Thresholds) -> dict[str, Any]:
    """How many scored clips of either label the thresholds alone call what."""
    return {
        f"called_{name}": _calls(logits[np.isfinite(logits) & (table["label"] == label).to_numpy()], decision)
        for name, label in (("genuine", "real"), ("fake", "fake"))
    }


def _calls(logits: NDArray[np.float64], decision: Thresholds) -> dict[str, int]:
    return {
        "clips": len(logits),
        "likely_manipulated": int((logits >= decision.likely_manipulated_logit).sum()),
        "no_manipulation_found": int((logits <= decision.no_manipulation_logit).sum()),
    }


def _real_row(own: NDArray[np.float64], fake: NDArray[np.float64], decision: Thresholds | None) -> dict[str, Any]:
    row = {"clips": len(own), "mean_logit": round(float(own.mean()), 4), "auc_against": _auc(fake, own)}
    if decision is not None:
        row["likely_manipulated"] = int((own >= decision.likely_manipulated_logit).sum())
    return row


def _auc(fake: NDArray[np.float64], real: NDArray[np.float64]) -> float | None:
    if min(len(fake), len(real)) < LEAST_FOR_AUC:
        return None
    labels = np.r_[np.ones(len(fake)), np.zeros(len(real))]
    return round(binary_metrics(labels, np.r_[fake, real])["auc"], 4)


def _conditions(
    table: pd.DataFrame,
    logits: NDArray[np.float64],
    fake: NDArray[np.bool_],
    real: NDArray[np.bool_],
    decision: Thresholds | None,
) -> dict[str, Any]:
    """By face size, light and how light the skin looks: AUC and false alarms within each class."""
    kinds: dict[str, tuple[str, Callable[[float], str]]] = {
        "face_size": ("size_px", size_class),
        "light": ("exposure", light_class),
        "skin_tone_ita": ("ita_deg", skin_class),
    }
    found: dict[str, Any] = {}
    for name, (column, classify) in kinds.items():
        if column not in table:
            continue
        classes = table[column].map(lambda value, of=classify: of(float(value)) if pd.notna(value) else "unknown")
        found[name] = {}
        for one in sorted(set(classes[fake | real])):
            chosen = (classes == one).to_numpy()
            row = {"auc": _auc(logits[fake & chosen], logits[real & chosen])}
            row |= {"genuine": int((real & chosen).sum()), "manipulated": int((fake & chosen).sum())}
            if decision is not None:
                alarms = logits[real & chosen] >= decision.likely_manipulated_logit
                row["false_alarms"] = int(alarms.sum())
            found[name][one] = row
    return found
