"""A folder of labelled clips whose motion was measured already: noise, and some features that tell the labels apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from detector.faces.motion import FEATURES
from detector.training.data.left_out import usable_rows
from detector.training.data.manifest import FAMILIES, read_manifest
from detector.training.kinematics.windows import COLUMNS
from tests.training.residual.banks import labelled_clips

TELLING = [index for index, name in enumerate(FEATURES) if "_with_" in name]


def measured_clips(root: Path, *, held: float = 4.0) -> Path:
    """As `labelled_clips`, with windows in `root/clips/kinematics.parquet`: up to three of each clip, but for one that
    has none. `TELLING` are larger by 4 in animated and wholly generated clips (by `held` in those of one of the two
    makers), and by nothing in the others."""
    data, rng = labelled_clips(root), np.random.default_rng(0)
    found = []
    for number, row in enumerate(usable_rows(read_manifest(data, extended=True), FAMILIES).to_dict("records")):
        if row["file"] == "g3.mp4":
            found.append([row["id"], "too short", *[np.nan] * (len(COLUMNS) - 2)])
            continue
        for window in range(1 + number % 3):
            values = rng.normal(0, 1, len(COLUMNS) - 3)
            shift = held if "held" in row["source"] else 4.0
            values[TELLING] += shift * (row["family"] in ("animation", "whole"))
            found.append([row["id"], "", 2.4 * window, *values])
    pd.DataFrame(found, columns=COLUMNS).to_parquet(root / "clips" / "kinematics.parquet")
    return data
