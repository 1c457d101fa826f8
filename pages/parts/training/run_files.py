"""Training runs as they lie on disk: which folders hold one, and what each file of a run says.

A run is a folder with `metrics.csv` (or the older `log.csv`); `run.json`, `report.json`, `leakage.json` and a YAML
config may lie beside it. Files may be missing, half-made or not ours: what cannot be read is named, the rest is shown.
"""

from __future__ import annotations

import csv
import json
import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

from pages.parts.shared import folders
from pages.parts.shared.folders import FolderError

VARIABLE = "FRAMEWITNESS_RUNS"
_CURVES = ("metrics.csv", "log.csv")
_MOST_RUNS = 200
_AXES = ("epoch", "step")
_SILENCE_MIN = 30.0


@dataclass(frozen=True, slots=True)
class Run:
    """`columns` are the numbers of each epoch, None where a cell is empty; `axis` names the one that counts epochs or
    steps. `facts` is run.json, `report` report.json, `leakage` leakage.json, each empty where there is none."""

    name: str
    folder: Path
    axis: str
    columns: dict[str, tuple[float | None, ...]]
    facts: dict[str, Any] = field(default_factory=dict)
    report: dict[str, Any] = field(default_factory=dict)
    leakage: dict[str, Any] = field(default_factory=dict)
    config_text: str = ""
    problems: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The run's title, else its model's id, else its folder's name."""
        return str(self.facts.get("title") or self.facts.get("model_id") or self.name)

    @property
    def state(self) -> str:
        """The state that run.json gives, "" for none; "silent" for a run that does not end and has written nothing for
        half an hour and four of its longest epochs: stopped from outside, or stalled."""
        status = str(self.facts.get("status") or "")
        if status != "running":
            return status
        try:
            updated = datetime.fromisoformat(str(self.facts.get("updated")))
            silent = datetime.now(UTC) - updated
        except (ValueError, TypeError):  # no date, or one without a time zone
            return status
        minutes = [0.0, *(value for value in self.columns.get("minutes", ()) if value is not None)]
        longest = max((after - before for before, after in pairwise(minutes)), default=0.0)
        return "silent" if silent > timedelta(minutes=max(_SILENCE_MIN, 4 * longest)) else status

    @property
    def best(self) -> float | None:
        """The place on the axis where the validation loss was lowest, as the run itself says."""
        found = self.report.get("best_epoch", self.facts.get("best_epoch"))
        return float(found) if isinstance(found, (int, float)) and self.axis == "epoch" else None

    def last(self, column: str) -> float | None:
        """The newest known value of a column."""
        return next((value for value in reversed(self.columns.get(column, ())) if value is not None), None)

    def at_best(self, column: str) -> float | None:
        """A column's value at the best epoch, None where the run names none."""
        if self.best is None:
            return None
        rows = zip(self.columns.get(self.axis, ()), self.columns.get(column, ()), strict=False)
        return next((value for at, value in rows if at == self.best), None)


class RunsError(Exception):
    """A folder that cannot be shown; the message says what was expected and found."""


def named_folder() -> str:
    """The folder that the environment names, or nothing."""
    return folders.named_folder(VARIABLE)


def open_folder(text: str) -> Path:
    """The folder that `text` names. Raises RunsError where it is none, or lies where this server must not read."""
    try:
        return folders.open_folder(text, VARIABLE, "training runs")
    except FolderError as error:
        raise RunsError(str(error)) from error


def list_runs(folder: Path) -> list[str]:
    """Names of the runs in `folder`, newest first; "." is the folder itself. Raises RunsError where it has none."""
    try:
        inside = [entry for entry in folder.iterdir() if entry.is_dir() and _curves(entry) is not None]
    except OSError as error:
        raise RunsError(f"{folder} cannot be read: {error.strerror or error}.") from error
    found = sorted(inside, key=_changed, reverse=True)[:_MOST_RUNS]
    names = ["."] if _curves(folder) is not None else []
    names += [entry.name for entry in found]
    if not names:
        raise RunsError(f"No training run in {folder}: expected folders that hold {' or '.join(_CURVES)}.")
    return names


def read(folder: Path, name: str) -> Run:
    """One run. `name` is one that `list_runs` gave; RunsError for any other, or where its curves cannot be read."""
    if name != "." and (Path(name).name != name or name == ".."):
        raise RunsError(f"Expected the name of a run in {folder}, found {name!r}.")
    path = folder if name == "." else folder / name
    curves = _curves(path)
    if curves is None:
        raise RunsError(f"There is no run {name!r} in {folder}.")
    columns = _read_curves(curves)
    problems: list[str] = []
    tables = {stem: _read_json(path / f"{stem}.json", problems) for stem in ("run", "report", "leakage")}
    axis = next((column for column in _AXES if column in columns), "")
    if not axis:
        axis = "row"
        columns = {axis: tuple(float(index) for index in range(len(next(iter(columns.values()), ())))), **columns}
    return Run(
        path.name,
        path,
        axis,
        columns,
        facts=tables["run"],
        report=tables["report"],
        leakage=tables["leakage"],
        config_text=_config_text(path, tables["run"]),
        problems=tuple(problems),
    )


def _curves(folder: Path) -> Path | None:
    return next((folder / name for name in _CURVES if (folder / name).is_file()), None)


def _changed(folder: Path) -> float:
    curves = _curves(folder)
    return curves.stat().st_mtime if curves is not None else 0.0


def _read_curves(path: Path) -> dict[str, tuple[float | None, ...]]:
    try:
        rows = list(csv.DictReader(folders.read_text(path, VARIABLE).splitlines()))
    except (OSError, csv.Error) as error:
        raise RunsError(f"{path.name} of {path.parent.name} cannot be read: {error}.") from error
    names = [name for name in (rows[0] if rows else {}) if name]
    columns = {name: tuple(_number(row.get(name)) for row in rows) for name in names}
    return {name: values for name, values in columns.items() if any(value is not None for value in values)}


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text else None
    except (TypeError, ValueError):
        return None
    return value if value is not None and math.isfinite(value) else None


def _read_json(path: Path, problems: list[str]) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        values = json.loads(folders.read_text(path, VARIABLE))
    except (OSError, ValueError) as error:
        problems.append(f"{path.name} cannot be read: {error}")
        return {}
    if not isinstance(values, dict):
        problems.append(f"{path.name}: expected a table, found {type(values).__name__}")
        return {}
    return values


def _config_text(folder: Path, facts: dict[str, Any]) -> str:
    """The run's settings: a YAML file in the folder, else the table in run.json."""
    found = next(iter(sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])), None)
    if found is not None:
        try:
            return folders.read_text(found, VARIABLE)
        except OSError:
            return ""
    config = facts.get("config")
    return json.dumps(config, indent=2, ensure_ascii=False) if config else ""
