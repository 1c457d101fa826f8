"""The outputs of one epoch's steps, gathered for its metrics."""

from __future__ import annotations

import math
from typing import Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch.nn import functional

from detector.measurement.metrics import binary_metrics
from detector.measurement.results import LEAST_FOR_AUC
from detector.training.engine.module import StepOutput


class EpochSamples:
    """Losses, logits (N,), labels (N,) 0/1 and group names of an epoch's samples."""

    def __init__(self) -> None:
        self._loss: list[tuple[float, int]] = []
        self._logit: list[NDArray[np.float32]] = []
        self._label: list[NDArray[np.int64]] = []
        self.group: list[str] = []

    @classmethod
    def of(cls, table: pd.DataFrame, *, group: str) -> Self:
        """Those of a fit in one go: rows with `logit`, `label` 0/1 and the column of their groups."""
        samples = cls()
        logit, label = (torch.tensor(table[name].to_numpy(np.float32)) for name in ("logit", "label"))
        loss = functional.binary_cross_entropy_with_logits(logit, label)
        samples.add(StepOutput(loss, logit, label, table[group].tolist()))
        return samples

    def add(self, output: StepOutput) -> None:
        """Keep the outcome of one batch."""
        count = len(output.label)
        self._loss.append((float(output.loss), count))
        self._logit.append(output.logit.numpy())
        self._label.append((output.label.numpy() >= 0.5).astype(np.int64))  # mixed labels count as the nearer one
        self.group += [output.group] * count if isinstance(output.group, str) else output.group

    @property
    def batches(self) -> int:
        """The number of batches."""
        return len(self._loss)

    @property
    def loss(self) -> float:
        """The mean loss, weighted by samples."""
        return float(np.average([loss for loss, _ in self._loss], weights=[max(1, count) for _, count in self._loss]))

    @property
    def logit(self) -> NDArray[np.float32]:
        """(N,) float32 logits of all samples."""
        return np.concatenate(self._logit)

    @property
    def label(self) -> NDArray[np.int64]:
        """(N,) int64 labels of all samples, 1 fake."""
        return np.concatenate(self._label)

    def counts(self) -> dict[str, int]:
        """The number of samples of each label."""
        manipulated = int(self.label.sum())
        return {"genuine": len(self.label) - manipulated, "manipulated": manipulated}

    def group_metrics(self) -> dict[str, float]:
        """`auc:NAME` and `accuracy:NAME` of each group; one that holds a single label is ranked against all samples of
        the other label. NaN where either side has fewer than three."""
        report: dict[str, float] = {}
        names, label, logit = np.array(self.group), self.label, self.logit
        for name in sorted(set(self.group) - {""}):
            own = names == name
            against = own if len(set(label[own])) == 2 else own | (label != label[own][0])
            few = np.bincount(label[against], minlength=2).min() < LEAST_FOR_AUC
            report[f"auc:{name}"] = math.nan if few else binary_metrics(label[against], logit[against])["auc"]
            report[f"accuracy:{name}"] = binary_metrics(label[own], logit[own])["accuracy"]
        return report

    def group_counts(self) -> dict[str, dict[str, int]]:
        """The number of samples of each label in each group."""
        names, label = np.array(self.group), self.label
        return {
            name: {"genuine": int((label[names == name] == 0).sum()), "manipulated": int(label[names == name].sum())}
            for name in sorted(set(self.group) - {""})
        }
