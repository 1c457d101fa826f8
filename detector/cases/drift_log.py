"""Drift of what comes in: scores and conditions of recent exhibits against the calibration sets in force, on record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import duckdb

from detector.calibration.calibration import CONDITION_WORDS, Calibration
from detector.calibration.sets import CalibrationSet
from detector.cases.chain import STORE_CHAIN, append_event
from detector.cases.scored_files import ScoredFiles, Window
from detector.measurement.drift import Drift, measure_drift

DRIFT_MEASURED: Final = "drift_measured"
SCORE: Final = "logit"
RECENT: Final = Window(last=200)
"""The exhibits that are compared unless others are asked for."""
_CATEGORIES: Final = ("codec", "sound")
_NUMBERS: Final = (SCORE, *(name for name in CONDITION_WORDS if name not in _CATEGORIES))


def quantity_words(quantity: str) -> str:
    """What a quantity is called where people read of it."""
    return CONDITION_WORDS.get(quantity, "score")


@dataclass(frozen=True, slots=True)
class ModelDrift:
    """The drift of one model's logits and of each condition of the files that it scored, against the set that its
    calibration rests on. `other_weights` counts files whose newest analysis has scores of the model that other weights
    or inputs made: they are not compared."""

    model_id: str
    set_name: str
    set_sha256: str
    score: Drift
    conditions: tuple[Drift, ...]
    other_weights: int

    @property
    def drifted(self) -> tuple[str, ...]:
        """The quantities that drifted."""
        return tuple(one.quantity for one in (self.score, *self.conditions) if one.drifted)


@dataclass(frozen=True, slots=True)
class DriftReport:
    """The drift of every model asked for, over the `files` of `window`; `left_out` as in `ScoredFiles`."""

    window: Window
    files: int
    left_out: Mapping[str, int]
    models: tuple[ModelDrift, ...]

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        since = self.window.since
        return {
            "window": {"since": None if since is None else since.isoformat(), "last": self.window.last},
            "files": self.files,
            "left_out": dict(self.left_out),
            "models": [
                {**asdict(one), "score": _told(one.score), "conditions": [_told(found) for found in one.conditions]}
                for one in self.models
            ],
        }


def drift_of(model_id: str, calibration: Calibration, of: CalibrationSet, recent: ScoredFiles) -> ModelDrift:
    """The drift of one model. Files whose truth the set holds are compared like any other."""
    rows = recent.table[recent.table["model"] == model_id]
    same = rows["made_by"] == calibration.made_by
    score, *conditions = measure_drift(of.of(model_id), rows[same], numbers=_NUMBERS, categories=_CATEGORIES)
    return ModelDrift(model_id, of.name, of.sha256, score, tuple(conditions), int((~same).sum()))


def record_drift(cursor: duckdb.DuckDBPyConnection, report: DriftReport, actor: str) -> None:
    """Put a report into the store's log."""
    named = [f"{one.model_id} {quantity_words(name)}" for one in report.models for name in one.drifted]
    told = {"of": report.window.words, "files": report.files, "drifted": named, "figures": report.to_dict()}
    append_event(cursor, STORE_CHAIN, DRIFT_MEASURED, actor, told)


def is_news(cursor: duckdb.DuckDBPyConnection, report: DriftReport) -> bool:
    """Whether, for one of its models, other quantities have drifted than the newest event in the store's log on the
    same window and set names; where there is none, whether any has."""
    query = "SELECT details_json FROM events WHERE case_id = ? AND action = ? ORDER BY sequence"
    known: dict[tuple[str, str], list[str]] = {}
    for (details,) in cursor.execute(query, [STORE_CHAIN, DRIFT_MEASURED]).fetchall():
        figures = json.loads(details)["figures"]
        if figures["window"] == report.to_dict()["window"]:
            known |= _by_model(figures)
    return any(drifted != known.get(model, []) for model, drifted in _by_model(report.to_dict()).items())


def _by_model(figures: Mapping[str, Any]) -> dict[tuple[str, str], list[str]]:
    """The quantities that drifted, by model and set."""
    return {
        (one["model_id"], one["set_sha256"]): [
            found["quantity"] for found in (one["score"], *one["conditions"]) if found["drifted"]
        ]
        for one in figures["models"]
    }


def _told(found: Drift) -> dict[str, Any]:
    figures = {name: round(value, 6) if isinstance(value, float) else value for name, value in asdict(found).items()}
    return {**figures, "reading": found.reading, "drifted": found.drifted}
