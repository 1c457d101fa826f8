"""Plain properties of what a network is fed, whatever it is: for the leakage report at the start of each run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from detector.training.data.leakage import LeakageReport, check_leakage

_MOST_SAMPLES = 512


def check_batches(batches: Iterable[Any]) -> LeakageReport | None:
    """Leakage of the first 512 samples of an iterable of batches; None where a batch does not say what it holds or one
    label is absent.

    A batch says so by being a NamedTuple with `labels` (B,). Read are: pictures (B, 3, H, W), normalised or not;
    `present` (B, T) bool and `times_s` (B, T) of sequences; the level and spread of every other tensor of three or more
    dimensions. Masks and labels of places or frames are part of the answer and not looked at.
    """
    if hasattr(batches, "set_epoch"):
        batches.set_epoch(0)
    tables, count = [], 0
    for batch in batches:
        if not hasattr(batch, "_fields") or not isinstance(getattr(batch, "labels", None), Tensor):
            return None
        tables.append(describe_batch(batch))
        count += len(tables[-1])
        if count >= _MOST_SAMPLES:
            break
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame({"label": []})
    if table["label"].nunique() != 2:
        return None
    return check_leakage(table, what="samples as they are fed to the network")


def describe_batch(batch: Any) -> pd.DataFrame:
    """A row of properties a sample, with its `label` as 0 or 1."""
    columns: dict[str, Tensor] = {}
    size = len(batch.labels)
    for name in batch._fields:
        values = getattr(batch, name)
        if not isinstance(values, Tensor) or values.ndim < 2 or len(values) != size or "mask" in name:
            continue
        if name == "present":
            columns["frame_count"] = values.sum(1)
            columns["first_frame"] = values.int().argmax(1)
        elif name == "times_s":
            known = getattr(batch, "present", torch.ones_like(values, dtype=torch.bool))
            low, high = (values.masked_fill(~known, fill) for fill in (torch.inf, -torch.inf))
            columns["duration_s"] = (high.amax(1) - low.amin(1)).clamp(min=0)
        elif values.ndim == 4 and values.shape[1] == 3:
            columns |= {f"{name}_{what}": value for what, value in _of_pictures(values.float()).items()}
        elif values.ndim >= 3 and values.dtype.is_floating_point and "label" not in name:
            columns[f"{name}_level"] = values.float().flatten(1).mean(1)
            columns[f"{name}_spread"] = values.float().flatten(1).std(1)
    table = pd.DataFrame({name: value.detach().cpu().numpy() for name, value in columns.items()})
    return table.assign(label=(batch.labels >= 0.5).long().cpu().numpy())


def _of_pictures(pictures: Tensor) -> dict[str, Tensor]:
    luma = pictures.mean(1)
    residual = luma[:, 1:-1, 1:-1] * 4 - luma[:, :-2, 1:-1] - luma[:, 2:, 1:-1] - luma[:, 1:-1, :-2] - luma[:, 1:-1, 2:]
    return {
        "brightness": luma.mean((1, 2)),
        "contrast": luma.std((1, 2)),
        "saturation": (pictures.amax(1) - pictures.amin(1)).mean((1, 2)),
        "sharpness": residual.var((1, 2)),
    }
