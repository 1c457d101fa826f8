"""A calibration set made up by rule, and a calibration of it whose figures follow from a logit by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from detector.calibration.calibration import Calibration, ErrorRow, MethodTried
from detector.calibration.sets import COLUMNS, CalibrationSet


def make_set(model_id: str, made_by: str, count: int = 200) -> CalibrationSet:
    """Logits even from -3 to 3, labels in turn, alike in every condition that is known."""
    table = pd.DataFrame(dict.fromkeys(COLUMNS), index=range(count))
    table["sha256"] = [f"{place:064x}" for place in range(count)]
    table["label"] = np.where(np.arange(count) % 2 == 0, "fake", "real")
    table["source"] = table["group"] = [f"source {place % 10}" for place in range(count)]
    table["model"], table["logit"] = model_id, np.linspace(-3.0, 3.0, count)
    table["face_px"], table["short_side_px"], table["codec"], table["sound"] = 40.5, 48, "h264", True
    return CalibrationSet("made", "made up for a test", {model_id: made_by}, table)


def make_calibration(of: CalibrationSet, model_id: str) -> Calibration:
    """A logit is a log-likelihood ratio within -5 and 5, and its interval reaches from nine to eleven tenths of it."""
    count = len(of.of(model_id)) // 2
    return Calibration(
        model_id=model_id,
        made_by=of.made_by[model_id],
        set_name=of.name,
        set_sha256=of.sha256,
        n_real=count,
        n_fake=count,
        sources=5,
        generators=5,
        method="temperature",
        parameters=(1.0,),
        draws=((1 / 0.9,), (1 / 1.1,)),
        tried=(MethodTried(method="temperature", log_loss=0.5, cllr=0.6, ece=0.0),),
        cllr=0.6,
        cllr_min=0.6,
        ece=0.0,
        lowest=-5.0,
        highest=5.0,
        thresholds=(-1.0, 1.0),
        errors=(ErrorRow(condition="all", value="all", n_real=count, n_fake=count, false_alarms=5, misses=10),),
    )


def write_both(folder: Path, of: CalibrationSet, model_id: str) -> Calibration:
    """Put both into a folder as `FRAMEWITNESS_CALIBRATIONS` names one."""
    made = make_calibration(of, model_id)
    of.write(folder / "made.parquet")
    (folder / f"{model_id}.calibration.json").write_text(made.model_dump_json(), encoding="utf-8")
    return made
