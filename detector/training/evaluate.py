"""Measure a model on files it was not fitted to: held-out crops, and whole videos through the product's analysis."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from detector.analysis import analyze
from detector.errors import EvidenceError
from detector.evidence import Frame, examine, ingest
from detector.faces import FaceAnalyser, crop_face
from detector.registry import LoadedModel, load_model
from detector.settings import AnalysisSettings
from detector.training.heldout import split_of
from detector.training.metrics import auc_interval, binary_metrics
from detector.training.pool import labelled_rows


def evaluate_model(model_id: str, data_root: Path) -> dict[str, Any]:
    """Held-out labelled pictures and all videos of `data_root/manifest.csv`, as a JSON-ready table."""
    model = load_model(model_id, "auto")
    table = pd.read_csv(data_root / "manifest.csv", dtype=str).fillna("")
    table["split"] = split_of(table["group"], model_id)
    return {
        "model_id": model_id,
        "weights_sha256": model.card.weights_sha256,
        "held_out_crops": evaluate_crops(model, table, data_root),
        "videos": evaluate_videos(model, table, data_root),
    }


def evaluate_crops(model: LoadedModel, table: pd.DataFrame, data_root: Path) -> dict[str, Any]:
    """Frame metrics on the pictures of the `test` split, from sources that hold genuine and manipulated ones alike."""
    stills = table[labelled_rows(table) & (table["split"] == "test").to_numpy()]
    labels, logits, unscored = [], [], 0
    with FaceAnalyser(AnalysisSettings()) as analyser:
        for number, (file, label) in enumerate(zip(stills["file"], stills["label"], strict=True)):
            image = cv2.cvtColor(cv2.imread(str(data_root / file)), cv2.COLOR_BGR2RGB).astype(np.uint8)
            faces = analyser.analyse(Frame(number, number, float(number), number, image))
            if not faces:
                unscored += 1
                continue
            face = max(faces, key=lambda found: found.quality.size_px)
            crop = crop_face(image, face.bbox_xyxy_px, face.landmarks, model.card.crop)
            labels.append(int(label == "fake"))
            logits.append(float(model.score(crop[None])[0]))
    measured = _measured(np.array(labels), np.array(logits))
    return {**measured, "families": int(stills["group"].nunique()), "no_face_found": unscored}


def evaluate_videos(model: LoadedModel, table: pd.DataFrame, data_root: Path) -> dict[str, Any]:
    """Video metrics: deepfakes against genuine clips, per generator and per genuine source.

    `held_out` counts only genuine clips whose group no training sample came from. Files that could not be scored are
    listed with the reason, never given a score.
    """
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
            result = analyze(evidence, [model], AnalysisSettings(max_frames=60))
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
