"""Observations made by hand: one model and one of its cues on a suite, beside criteria that they meet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from detector.analysis.comparison import compare
from detector.measurement.results import Measurement, Results
from detector.measurement.score_table import SCORE_COLUMNS
from detector.registry import Thresholds
from detector.validation.documents import (
    Criteria,
    FileFact,
    InvertedRow,
    ModelFact,
    SuiteFacts,
    SuiteSpec,
    ValidationRecord,
)
from detector.validation.judge import auc_figure, expected_of, judge, part_verdicts, result_of
from detector.validation.observe import Counted, Observations

MODEL, SAMPLE = "ensemble-x", "genuine.mp4"
SPEC = SuiteSpec(seconds=1, strength=1, sources=(), kinds_of={})


def scores(real: Sequence[float], fake: Sequence[float], model: str = MODEL, generator: str = "relit") -> pd.DataFrame:
    """A table of scores with a group a file."""
    rows = []
    for label, logits in (("real", real), ("fake", fake)):
        for number, logit in enumerate(logits):
            name = f"{label}-{number}.mp4"
            known = {"sha256": f"{number:063d}{'0' if label == 'real' else '1'}", "file": name, "label": label}
            known |= {"group": name, "model": model, "logit": logit, "generator": generator if label == "fake" else ""}
            rows.append({**dict.fromkeys(SCORE_COLUMNS, ""), **known})
    table = pd.DataFrame(rows)
    numbers = [
        "face_px",
        "short_side_px",
        "bits_per_pixel",
        "brightness",
        "sharpness",
        "frames_scored",
        "sound",
        "codec",
    ]
    return table.assign(**dict.fromkeys(numbers, np.nan), reason=None)


def model(*, measured: Sequence[Measurement] = (), calibration: object | None = None, kind: str = "ensemble") -> Any:
    """What the judge reads of a loaded model."""
    card = SimpleNamespace(
        model_id=MODEL,
        kind=kind,
        weights_sha256="a" * 64,
        thresholds=Thresholds(0.5, -0.5, "none"),
        results=Results.joined(list(measured)),
    )
    return SimpleNamespace(card=card, calibration=calibration, trunk=None)


def observations(**changes: Any) -> Observations:
    """An installation that is as it was shipped."""
    rng = np.random.default_rng(3)
    seen = Observations(
        repeated=compare({"score": 0.25}, {"score": 0.25}, logit_tolerance=0),
        sample_logits={SAMPLE: {MODEL: 1.0}},
        signed_files=Counted(3, 3),
        models_as_shipped=Counted(1, 1),
        locked_versions=Counted(9, 9),
        synthesised=scores(rng.normal(-1, 1, 20), rng.normal(1, 1, 20)),
        supplied=None,
    )
    return replace(seen, **changes)


def criteria(seen: Observations | None = None, **changes: Any) -> Criteria:
    """Criteria that expect what was observed."""
    expected = expected_of(SPEC, seen or observations(), [model()], repeated=SAMPLE, measured_on="here")
    made = Criteria(version=1, rules={}, least_per_label=10, tolerance_logit=0.01, suite=SPEC, expected=expected)
    return made.model_copy(update=changes)


def record(seen: Observations | None = None, *, examiner: str = "A. Tester") -> ValidationRecord:
    """The record of what was observed, with one row that ranks the wrong way round where a suite was supplied."""
    seen = seen or observations()
    rows = judge(criteria(), seen, [model()])
    parts = part_verdicts(rows, supplied=seen.supplied is not None)
    files = tuple(FileFact(file=f"{number}.mp4", label="real", sha256="c" * 64) for number in range(3))
    suite = SuiteFacts(
        part="synthesised_suite",
        location="",
        n_real=3,
        n_fake=0,
        list_sha256="d" * 64,
        identical_to_shipped=2,
        files=files,
    )
    supplied = suite.model_copy(
        update={"part": "supplied_suite", "location": "/data/own", "identical_to_shipped": None}
    )
    turned = InvertedRow(model=MODEL, dimension="source", name="studio", auc=auc_figure(seen.synthesised))
    return ValidationRecord(
        result=result_of(parts),
        examiner=examiner,
        begun_at=datetime(2026, 11, 30, 9, tzinfo=UTC),
        finished_at=datetime(2026, 11, 30, 9, 5, tzinfo=UTC),
        program="framewitness 9.9",
        commit="e" * 40,
        code_sha256="f" * 64,
        environment={"python": "CPython 3.12", "torch": "2.12.1"},
        settings_sha256="0" * 64,
        criteria_version=1,
        criteria_sha256="1" * 64,
        parts=parts,
        criteria=rows,
        inverted=() if seen.supplied is None else (turned,),
        models=(ModelFact(model_id=MODEL, weights_sha256="a" * 64, standing="shipped"),),
        suites=(suite,) if seen.supplied is None else (suite, supplied),
        scores_sha256="2" * 64,
    )
