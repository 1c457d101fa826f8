"""Typed figures of what was measured of a model: cards hold them; pages, reports and commands read them alike.

A card's file has them as {"measurements": […], "tables": […], "facts": […]}, each with `data`, the path of names that
says on which data it was measured, e.g. ["videos", "per_generator", "wav2lip"]. Cards of version 0.1 had nested tables
instead; `Results.read` reads both (see `detector.measurement.nested`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

CUES_ON_VIDEOS: Final = "cues_on_whole_manipulations"
PER_CUE: Final = "per_cue"
"""Below a pool of clips of real generators, what each of several specialists makes of it."""
LEAST_FOR_AUC: Final = 3  # of either label; below that an AUC says nothing
CHANCE: Final = 0.5
_MANY_GROUPS: Final = 4

DataPath = tuple[str, ...]
Cell = str | int | float | bool | None


class Bin(NamedTuple):
    """Some of the scores: their mean, and the share among those `rows` that is fake."""

    score: float
    fake_share: float
    rows: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """Expected calibration error in 0..1, None where only the bins are known, and the bins it is taken over."""

    ece: float | None
    bins: tuple[Bin, ...]


class RocPoint(NamedTuple):
    """A point of a ROC curve: both rates 0..1 at one threshold."""

    false_positive_rate: float
    true_positive_rate: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measured figure. `data` says on which data, `what` is "auc" or the name of another share.

    `value` lies in 0..1, None where there was too little to measure it on; `interval` holds its 95 %. `n_real` and
    `n_fake` are the samples of either label, None where the card does not say; `rates` are further shares (accuracy,
    f1, precision, recall), `counts` further whole numbers (people, rows without a score). An AUC of fewer than three a
    side is not kept, whoever measured it.

    Raises ValueError for numbers that are not finite or out of range.
    """

    data: DataPath
    value: float | None
    what: str = "auc"
    interval: tuple[float, float] | None = None
    n_real: int | None = None
    n_fake: int | None = None
    rates: Mapping[str, float] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    calibration: Calibration | None = None
    roc: tuple[RocPoint, ...] = ()

    def __post_init__(self) -> None:
        name = " · ".join((*self.data, self.what))
        shares = [share for share in (self.value, *(self.interval or ())) if share is not None]
        if not all(0 <= share <= 1 for share in shares):
            raise ValueError(f"{name}: expected a value and an interval in 0..1, found {shares}")
        if not all(math.isfinite(rate) for rate in self.rates.values()):
            raise ValueError(f"{name}: expected finite rates")
        if self.too_few:
            nothing: dict[str, Any] = {"value": None, "interval": None, "rates": {}, "calibration": None, "roc": ()}
            for part, value in nothing.items():
                object.__setattr__(self, part, value)

    @property
    def too_few(self) -> bool:
        """Whether either side has fewer samples than an AUC needs."""
        known = [count for count in (self.n_real, self.n_fake) if count is not None]
        return self.what == "auc" and bool(known) and min(known) < LEAST_FOR_AUC

    @property
    def worse_than_chance(self) -> bool:
        """Whether fake material is ranked below real, and chance does not explain it: the interval lies wholly below
        one half."""
        return self.what == "auc" and self.interval is not None and self.interval[1] < CHANCE

    @property
    def not_told_from_chance(self) -> bool:
        """Whether it is an AUC whose interval holds one half."""
        return self.what == "auc" and self.interval is not None and self.interval[0] <= CHANCE <= self.interval[1]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows that are no measurement of a share, e.g. how many clips were called what: cells of `columns` by row name."""

    data: DataPath
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]

    @classmethod
    def of_values(cls, data: DataPath, values: Mapping[str, Cell]) -> Table:
        """One value a name, in a column without a heading."""
        return cls(data, ("",), tuple((name, (value,)) for name, value in values.items()))

    def cell(self, row: str, column: str = "") -> Cell:
        """Raises KeyError where there is no such row or column."""
        try:
            return dict(self.rows)[row][self.columns.index(column)]
        except ValueError as error:
            raise KeyError(column) from error


@dataclass(frozen=True, slots=True)
class Fact:
    """A loose value with its unit: text, a number, or several; its name is the last of `data`."""

    data: DataPath
    value: Cell | tuple[Cell, ...]
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Results:
    """All that a card says was measured, each sort in the card's own order."""

    measurements: tuple[Measurement, ...] = ()
    tables: tuple[Table, ...] = ()
    facts: tuple[Fact, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.measurements or self.tables or self.facts)

    @classmethod
    def joined(cls, parts: Sequence[Measurement | Table | Fact | Results]) -> Results:
        """Single figures and other results put together, in the order given."""
        single = [
            item
            for part in parts
            for item in ((*part.measurements, *part.tables, *part.facts) if isinstance(part, Results) else (part,))
        ]
        return cls(
            tuple(item for item in single if isinstance(item, Measurement)),
            tuple(item for item in single if isinstance(item, Table)),
            tuple(item for item in single if isinstance(item, Fact)),
        )

    def __getitem__(self, data: DataPath) -> Measurement:
        """The AUC on these data. Raises KeyError where none was measured."""
        if (found := self.find(*data)) is None:
            raise KeyError(data)
        return found

    def table(self, *data: str) -> Table:
        """Raises KeyError where there is none."""
        if (found := next((table for table in self.tables if table.data == data), None)) is None:
            raise KeyError(data)
        return found

    def find(self, *data: str, what: str = "auc") -> Measurement | None:
        """The measurement on these data, None where there is none."""
        return next((row for row in self.measurements if row.data == data and row.what == what), None)

    def on_real_videos(self, cue: str | None = None) -> Measurement | None:
        """The model, or one of its specialists, on deepfake videos against genuine ones of people it never saw."""
        if cue is not None and (own := self.find(CUES_ON_VIDEOS, cue, "videos")) is not None:
            return own
        return self.find("videos", "held_out_genuine")

    def under(self, *data: str) -> Results:
        """All figures whose path begins so."""
        return self._kept(lambda path: path[: len(data)] == data)

    def updated(self, newer: Results) -> Results:
        """These results, but for what `newer` has something to say about: the same first names."""
        known = {item.data[0] for item in _items(newer)}
        return Results.joined([self._kept(lambda path: path[0] not in known), newer])

    def _kept(self, wanted: Callable[[DataPath], bool]) -> Results:
        return Results.joined([item for item in _items(self) if wanted(item.data)])

    def below(self, *data: str) -> Results:
        """These results with `data` put before every path."""
        return Results.joined([replace(item, data=(*data, *item.data)) for item in _items(self)])

    def groups(self) -> dict[DataPath, list[Measurement]]:
        """AUCs that stand together, by the path they share; many small groups side by side are one."""
        rows = [row for row in self.measurements if row.what == "auc"]
        beside: dict[DataPath, set[DataPath]] = {}
        for row in rows:
            beside.setdefault(row.data[:-2], set()).add(row.data[:-1])
        grouped: dict[DataPath, list[Measurement]] = {}
        for row in rows:
            merged = len(row.data) > 2 and len(beside[row.data[:-2]]) >= _MANY_GROUPS
            grouped.setdefault(row.data[: -2 if merged else -1], []).append(row)
        return grouped

    def numbers(self) -> dict[str, float | int | bool]:
        """Every number under the name that it is called by, to be compared with another's."""
        found: dict[str, Any] = {}
        for row in self.measurements:
            own: dict[str, Any] = {row.what: row.value, "genuine": row.n_real, "manipulated": row.n_fake}
            low_high = dict(zip((f"{row.what}_95_low", f"{row.what}_95_high"), row.interval or (), strict=False))
            own |= {**low_high, **row.rates, **row.counts}
            if row.calibration is not None:
                own["ece"] = row.calibration.ece
            found |= {".".join((*row.data, name)): value for name, value in own.items()}
        for table in self.tables:
            found |= {
                ".".join(filter(None, (*table.data, name, column))): cell
                for name, cells in table.rows
                for column, cell in zip(table.columns, cells, strict=True)
            }
        found |= {".".join(fact.data): fact.value for fact in self.facts}
        return {name: value for name, value in found.items() if isinstance(value, int | float)}

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Results:
        """From a card's JSON, of today or of version 0.1. Raises ValueError with every problem, one a line."""
        from detector.measurement.nested import read_nested

        if values.keys() - _READERS.keys() or not all(isinstance(part, list) for part in values.values()):
            return read_nested(values)
        problems: list[str] = []
        parts = [
            item for name, reader in _READERS.items() for item in _read(name, reader, values.get(name, []), problems)
        ]
        if problems:
            raise ValueError("\n".join(problems))
        return cls.joined(parts)

    def as_json(self) -> dict[str, list[dict[str, Any]]]:
        """The form that `read` reads; what is not known is left out."""
        tables = [
            {
                "data": list(table.data),
                "columns": list(table.columns),
                "rows": {n: list(cells) for n, cells in table.rows},
            }
            for table in self.tables
        ]
        facts = [
            {
                "data": list(fact.data),
                "value": list(fact.value) if isinstance(fact.value, tuple) else fact.value,
                **({"unit": fact.unit} if fact.unit else {}),
            }
            for fact in self.facts
        ]
        return {"measurements": [_measurement_json(row) for row in self.measurements], "tables": tables, "facts": facts}


def _items(results: Results) -> list[Measurement | Table | Fact]:
    return [*results.measurements, *results.tables, *results.facts]


def _measurement_json(row: Measurement) -> dict[str, Any]:
    calibration = row.calibration and {
        "ece": row.calibration.ece,
        "bins": [bin_._asdict() for bin_ in row.calibration.bins],
    }
    optional = {
        "interval_95": row.interval and list(row.interval),
        "n_real": row.n_real,
        "n_fake": row.n_fake,
        "rates": dict(row.rates) or None,
        "counts": dict(row.counts) or None,
        "calibration": calibration,
        "roc": [list(point) for point in row.roc] or None,
    }
    known = {name: value for name, value in optional.items() if value is not None}
    return {"data": list(row.data), "what": row.what, "value": row.value, **known}


def _read_measurement(data: DataPath, values: dict[str, Any]) -> Measurement:
    calibration = values.pop("calibration", None)
    interval = values.pop("interval_95", None)
    return Measurement(
        data,
        values.pop("value"),
        interval=interval and (float(interval[0]), float(interval[1])),
        calibration=calibration and Calibration(calibration["ece"], tuple(Bin(**bin_) for bin_ in calibration["bins"])),
        roc=tuple(RocPoint(*point) for point in values.pop("roc", ())),
        **values,
    )


def _read_table(data: DataPath, values: dict[str, Any]) -> Table:
    columns = tuple(str(name) for name in values.pop("columns"))
    rows = tuple((str(name), tuple(cells)) for name, cells in values.pop("rows").items())
    if any(len(cells) != len(columns) for _, cells in rows):
        raise ValueError(f"expected {len(columns)} cells a row")
    return Table(data, columns, rows, **values)


def _read_fact(data: DataPath, values: dict[str, Any]) -> Fact:
    value = values.pop("value")
    return Fact(data, tuple(value) if isinstance(value, list) else value, **values)


_READERS: Final[Mapping[str, Callable[[DataPath, dict[str, Any]], Measurement | Table | Fact]]] = {
    "measurements": _read_measurement,
    "tables": _read_table,
    "facts": _read_fact,
}


def _read(
    name: str,
    reader: Callable[[DataPath, dict[str, Any]], Measurement | Table | Fact],
    listed: list[Any],
    problems: list[str],
) -> Iterator[Measurement | Table | Fact]:
    for number, values in enumerate(listed):
        try:
            rest = dict(values)
            yield reader(tuple(str(part) for part in rest.pop("data")), rest)
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            problems.append(f"results.{name}[{number}]: {error}")
