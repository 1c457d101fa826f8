"""Accuracy gained and time spent by averaging over views and over dropout, on labelled faces."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from detector.explain.uncertainty import uncertainty_of
from detector.faces import crop_face
from detector.faces.types import Box, DetectedFace

if TYPE_CHECKING:
    from detector.registry import LoadedModel


def measure_steadiness(
    model: LoadedModel, faces: Iterable[tuple[NDArray[np.uint8], DetectedFace, bool]]
) -> dict[str, Any]:
    """AUC of the plain logit, of the mean over 14 views and of the mean over dropout; how many times the time of a
    single score each takes (medians over the faces; the first is scored once before the clock starts, so that no figure
    pays for warming up); and the share of right calls among the steadier and the less steady half of the faces.

    `faces`: pictures (H, W, 3) uint8 RGB, the face in each, whether it is manipulated. Raises ValueError unless both
    labels occur, ModelError for a model that scores no single crops.
    """
    labels: list[bool] = []
    columns: dict[str, list[float]] = {"plain": [], "views": [], "spread": [], "dropout": []}
    seconds: list[tuple[float, float, float]] = []  # plain, views, dropout
    for image, face, manipulated in faces:

        def cut(box: Box, image: NDArray[np.uint8] = image, face: DetectedFace = face) -> NDArray[np.uint8]:
            return crop_face(image, box, face.landmarks, model.card.crop)

        if not labels:
            uncertainty_of(model, cut, face.bbox_xyxy_px)
        found = uncertainty_of(model, cut, face.bbox_xyxy_px)
        labels.append(manipulated)
        columns["plain"].append(found.views.logits[0])
        columns["views"].append(found.views.mean)
        columns["spread"].append(found.views.std)
        dropout_s = np.nan
        if found.dropout is not None:
            columns["dropout"].append(found.dropout.mean)
            dropout_s = found.dropout.seconds
        seconds.append((found.plain_seconds, found.views.seconds, dropout_s))
    if len(set(labels)) != 2:
        raise ValueError("expected genuine and manipulated faces")
    plain_s, views_s, dropout_s = np.median(seconds, axis=0)
    plain, spread = np.array(columns["plain"]), np.array(columns["spread"])
    right = (plain >= 0) == np.array(labels)
    steady = spread <= np.median(spread)
    report: dict[str, Any] = {
        "faces": len(labels),
        "plain_auc": round(float(roc_auc_score(labels, plain)), 4),
        "views_auc": round(float(roc_auc_score(labels, columns["views"])), 4),
        "views_cost": round(float(views_s / plain_s), 2),
        "right_among_steady": round(float(right[steady].mean()), 4),
        "right_among_unsteady": round(float(right[~steady].mean()), 4) if (~steady).any() else None,
    }
    if len(columns["dropout"]) == len(labels):
        report["dropout_auc"] = round(float(roc_auc_score(labels, columns["dropout"])), 4)
        report["dropout_cost"] = round(float(dropout_s / plain_s), 2)
    return report
