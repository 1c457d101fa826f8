"""Tables of scores of files that need not exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from detector.measurement.score_table import score_table

NO_FACE = "No face was found, so nothing was scored."


def scored(labels: Sequence[str], logits: Mapping[str, Sequence[float]], **columns: object) -> pd.DataFrame:
    """A file a label, and what each model said of it; NaN is no face. Every file is a group of its own."""
    fake = np.array(labels) == "fake"
    numbers = range(len(labels))
    files = pd.DataFrame(
        {
            "sha256": [f"{number:064x}" for number in numbers],
            "file": [f"clips/{number}.mp4" for number in numbers],
            "cut": "",
            "label": labels,
            "source": np.where(fake, "", "lab"),
            "group": [f"person {number}" for number in numbers],
            "family": np.where(fake, "swap", ""),
            "generator": np.where(fake, "simswap", ""),
            "face_px": 120.0,
            "short_side_px": 720,
            "bits_per_pixel": 0.1,
            "codec": "h264",
            "brightness": 0.5,
            "sharpness": 100.0,
            "frames_scored": 60,
            "sound": True,
        }
    ).assign(**columns)
    parts = [
        files.assign(model=model, logit=own, reason=[NO_FACE if np.isnan(logit) else None for logit in own])
        for model, own in logits.items()
    ]
    return score_table(pd.concat(parts, ignore_index=True))
