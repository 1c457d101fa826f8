"""Measure a model on files it was not fitted to: held-out crops, and whole videos through the product's analysis."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from detector.analysis import analyze
from detector.errors import EvidenceError
from detector.evidence import examine, ingest
from detector.faces import crop_face
from detector.registry import LoadedModel, load_model
from detector.settings import AnalysisSettings
from detector.training.facebank import FaceBank, assign_splits
from detector.training.metrics import auc_interval, binary_metrics


def evaluate_model(model_id: str, data_root: Path, bank_dir: Path | None) -> dict[str, Any]:
    """Held-out crops of `bank_dir` (where given) and the videos of `data_root/manifest.csv`, as a JSON-ready table."""
    model = load_model(model_id, "auto")
    report: dict[str, Any] = {"model_id": model_id, "weights_sha256": model.card.weights_sha256}
    if bank_dir is not None:
        report["held_out_crops"] = evaluate_crops(model, FaceBank.open(bank_dir))
    report["videos"] = evaluate_videos(model, data_root)
    return report


def evaluate_crops(model: LoadedModel, bank: FaceBank) -> dict[str, Any]:
    """Frame metrics on the labelled crops of the `test` split, whose families no training sample came from."""
    chosen = (bank.table["split"] == "test") & bank.table["file"].str.startswith("dfdc")
    rows = np.flatnonzero(chosen.to_numpy())
    labels = (bank.table["label"].iloc[rows] == "fake").astype(int).to_numpy()
    logits = np.concatenate(
        [model.score(_crops(model, bank, part)) for part in np.array_split(rows, len(rows) // 64 + 1)]
    )
    return {**_measured(labels, logits), "families": int(bank.table["group"].iloc[rows].nunique())}


def _crops(model: LoadedModel, bank: FaceBank, rows: Iterable[int]) -> np.ndarray:
    crops = []
    for row in rows:
        points = bank.landmarks[row]
        if np.isnan(points[0, 0]):
            raise ValueError(f"bank row {row} has no landmarks; build the bank again")
        (x0, y0), (x1, y1) = points.min(0), points.max(0)
        box = (float(x0), float(y0), float(x1), float(y1))
        crops.append(crop_face(np.asarray(bank.images[row]), box, None, model.card.crop))
    return np.stack(crops)


def evaluate_videos(model: LoadedModel, data_root: Path) -> dict[str, Any]:
    """Video metrics: deepfakes against genuine clips, per generator and per genuine source.

    `held_out` counts only genuine clips whose group no training sample came from. Files that could not be scored are
    listed with the reason, never given a score.
    """
    table = pd.read_csv(data_root / "manifest.csv", dtype=str).fillna("")
    table["split"] = assign_splits(table)
    table = table[table["kind"] == "video"].reset_index(drop=True)
    scored = [_analyse(model, data_root / file) for file in table["file"]]
    table["logit"] = [logit for logit, _ in scored]
    table["label_called"] = [label for _, label in scored]
    known = table[table["logit"].notna()]
    genuine, fake = known[known["label"] == "real"], known[known["label"] == "fake"]
    held_out = genuine[genuine["split"] != "train"]
    return {
        "all": _against(fake, genuine),
        "held_out_genuine": _against(fake, held_out),
        "per_generator": {name: _against(rows, held_out) for name, rows in fake.groupby("manipulation")},
        "genuine_per_source": {
            name: {"clips": len(rows), "mean_logit": float(rows["logit"].mean()), "called": _called(rows)}
            for name, rows in genuine.groupby("source")
        },
        "called_genuine": _called(genuine),
        "called_genuine_held_out": _called(held_out),
        "called_fake": _called(fake),
        "not_scored": table.loc[table["logit"].isna(), ["file", "label_called"]].to_dict("records"),
        "clips": table[["file", "label", "split", "logit", "label_called"]].replace({np.nan: None}).to_dict("records"),
    }


def _analyse(model: LoadedModel, path: Path) -> tuple[float | None, str]:
    with tempfile.TemporaryDirectory() as folder:
        try:
            evidence = examine(ingest(path, Path(folder)))
            result = analyze(evidence, [model], replace(AnalysisSettings(), max_frames=60))
        except EvidenceError as error:
            return None, str(error)
    return result.models[0].logit, result.conclusion.label


def _called(rows: pd.DataFrame) -> dict[str, int]:
    return {str(label): int(count) for label, count in rows["label_called"].value_counts().items()}


def _against(fake: pd.DataFrame, genuine: pd.DataFrame) -> dict[str, Any]:
    labels = np.r_[np.ones(len(fake)), np.zeros(len(genuine))]
    return _measured(labels, np.r_[fake["logit"].to_numpy(float), genuine["logit"].to_numpy(float)])


def _measured(labels: np.ndarray, logits: np.ndarray) -> dict[str, Any]:
    low, high = auc_interval(labels, logits)
    metrics = {name: round(value, 4) for name, value in binary_metrics(labels, logits).items()}
    return {
        **metrics,
        "auc_95": [round(low, 4), round(high, 4)],
        "genuine": int((labels == 0).sum()),
        "manipulated": int((labels == 1).sum()),
    }
