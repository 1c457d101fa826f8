"""What a card's results say, whatever their nesting: measured rows, other tables, loose facts, reliability.

Cards differ in what was measured, so nothing here names a data set: a table with an AUC in it is a measurement, its
path of names says of what, and what is not there is absent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from detector.registry import ModelCard

# What stands for a card in a list: of each line the first that the card has.
_MAIN: Final = (
    (("cross_validated", "videos", "all"), ("videos", "all")),
    (("cross_validated", "crops"), ("held_out_crops",)),
    (("unseen_people_by_folds", "auc_against_genuine", "shifted by 0.2 to 1.2 s", "logit"),),
    (("synthesised_clips", "model"),),
)
_MANY_GROUPS = 4
_SHORT = 16
_RATES = ("accuracy", "f1", "precision", "recall")
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measured row. `auc` in [0, 1] with its 95 % interval where the card has one, None where there was too little
    to measure it on; `rates` are further metrics, `counts` whole numbers (genuine, manipulated, …)."""

    path: Path
    auc: float | None
    interval: tuple[float, float] | None
    rates: dict[str, float]
    counts: dict[str, int]

    @property
    def inverted(self) -> bool:
        """Worse than chance: the model ranks manipulated material below genuine material."""
        return self.auc is not None and self.auc < 0.5


@dataclass(frozen=True, slots=True)
class OtherTable:
    """Rows that are no measurement of AUC, e.g. genuine scores by source: `rows` of name and value a column."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Any, ...]], ...]


@dataclass(frozen=True, slots=True)
class Bin:
    """Some of the scores: their mean, and the share among those `rows` that was manipulated."""

    score: float
    manipulated: float
    rows: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """`facts` are what stands beside the bins: calibration error, Brier score, on which data."""

    path: Path
    bins: tuple[Bin, ...]
    facts: tuple[tuple[str, str], ...]


class Fact(NamedTuple):
    """A single measured value and where it stands in the card."""

    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class Measured:
    """A card's results, sorted out. Order is the card's own; a fact is where it stands, its name last, and its text."""

    measurements: tuple[Measurement, ...]
    tables: tuple[OtherTable, ...]
    facts: tuple[Fact, ...]
    reliability: tuple[Reliability, ...]

    @classmethod
    def of(cls, card: ModelCard) -> Measured:
        """The measured figures of a card."""
        found = list(_walk((), card.results))
        return cls(
            tuple(item for item in found if isinstance(item, Measurement)),
            tuple(item for item in found if isinstance(item, OtherTable)),
            tuple(item for item in found if isinstance(item, Fact)),
            tuple(item for item in found if isinstance(item, Reliability)),
        )

    def groups(self) -> dict[Path, list[Measurement]]:
        """Rows that stand together, by the path they share; many small groups side by side are one."""
        beside: dict[Path, set[Path]] = {}
        for row in self.measurements:
            beside.setdefault(row.path[:-2], set()).add(row.path[:-1])
        grouped: dict[Path, list[Measurement]] = {}
        for row in self.measurements:
            merged = len(row.path) > 2 and len(beside[row.path[:-2]]) >= _MANY_GROUPS
            grouped.setdefault(row.path[: -2 if merged else -1], []).append(row)
        return grouped

    def fact_groups(self) -> dict[Path, list[tuple[str, str]]]:
        """Facts by where they stand."""
        grouped: dict[Path, list[tuple[str, str]]] = {}
        for fact in self.facts:
            grouped.setdefault(fact.path[:-1], []).append((words(fact.path[-1]), fact.text))
        return grouped

    @property
    def main(self) -> tuple[Measurement, ...]:
        """The rows that stand for the card in a list: videos, pictures, the model's own task; else the first."""
        known = {row.path: row for row in self.measurements if row.auc is not None}
        found = [next((known[path] for path in paths if path in known), None) for paths in _MAIN]
        return tuple(row for row in found if row is not None) or tuple(known.values())[:1]


def place(path: Path) -> str:
    """The place of a figure in words."""
    return " · ".join(words(part) for part in path)


def words(name: str) -> str:
    """A key as people read it: "called_genuine" -> "called genuine"; a file's or a source's name stays as it is."""
    return name.replace("_", " ") if name.isidentifier() and not name.isupper() else name


def auc_text(row: Measurement) -> str:
    """e.g. "0.51 (0.37 to 0.66)"; an en dash where it was not measured."""
    if row.auc is None:
        return "–"
    interval = "" if row.interval is None else f" ({row.interval[0]:.2f} to {row.interval[1]:.2f})"
    return f"{row.auc:.2f}{interval}"


def _walk(path: Path, values: Mapping[str, Any]) -> Iterator[Measurement | OtherTable | Reliability | Fact]:
    if path and "auc" in values and (values["auc"] is None or _is_number(values["auc"])):
        yield _measurement(path, values)
        values = {name: value for name, value in values.items() if isinstance(value, Mapping)}
    elif (bins := _bins(values)) is not None:
        rest = {name: value for name, value in values.items() if name != "bins"}
        yield Reliability(path, bins, tuple((name, number_text(value)) for name, value in rest.items()))
        return
    elif path and (table := _table(path, values)) is not None:
        yield table
        return
    alike = _alike(values)
    if path and len(alike) > 1 and (table := _table(path, alike)) is not None:
        first = {name.partition("_")[0] for name in alike}
        yield replace(table, path=(*path, *first)) if len(first) == 1 else table
        values = {name: value for name, value in values.items() if name not in alike}
    for name, value in values.items():
        if not path and name == "auc" and isinstance(value, Mapping):
            yield from (Measurement((of,), float(auc), None, {}, {}) for of, auc in value.items())
        elif isinstance(value, Mapping):
            yield from _walk((*path, name), value)
        elif value != []:
            yield Fact((*path, name), _text(value))


def _measurement(path: Path, values: Mapping[str, Any]) -> Measurement:
    numbers = {name: value for name, value in values.items() if _is_number(value) and name != "auc"}
    auc = values["auc"]
    return Measurement(
        path,
        None if auc is None else float(auc),
        _pair(values.get("auc_95") or values.get("interval_95")),
        {name: float(value) for name, value in numbers.items() if name in _RATES or not isinstance(value, int)},
        {name: value for name, value in numbers.items() if isinstance(value, int) and name not in _RATES},
    )


def _bins(values: Mapping[str, Any]) -> tuple[Bin, ...] | None:
    listed = values.get("bins")
    if not isinstance(listed, Sequence) or not listed or not all(isinstance(item, Mapping) for item in listed):
        return None
    if not all(_is_number(item.get(name)) for item in listed for name in ("score", "manipulated", "rows")):
        return None
    return tuple(Bin(float(item["score"]), float(item["manipulated"]), int(item["rows"])) for item in listed)


def _table(path: Path, values: Mapping[str, Any]) -> OtherTable | None:
    """A table of rows that are alike, or of one short value a name; None for anything else."""
    if len(values) > 1 and all(_is_short(value) for value in values.values()):
        return OtherTable(path, ("",), tuple((name, (value,)) for name, value in values.items()))
    rows = {name: _level(row) for name, row in values.items() if isinstance(row, Mapping)}
    if not rows or len(rows) < len(values) or any(not _plain(row) for row in rows.values()):
        return None
    columns = tuple(dict.fromkeys(name for row in rows.values() for name in row))
    if len(rows) > 1 and len(columns) > 2 * min(len(row) for row in rows.values()):
        return None  # rows that have little in common are no table
    return OtherTable(
        path, columns, tuple((name, tuple(row.get(column) for column in columns)) for name, row in rows.items())
    )


def _level(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row whose values are in part small tables of numbers, with these spread out: BG · called, BG · mean logit."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping) and value and all(item is None or _is_number(item) for item in value.values()):
            if "genuine" in value and _is_number(value.get("auc")):
                return dict(row)  # that is a measurement with its counts
            flat |= {f"{words(name)} · {words(inner)}": item for inner, item in value.items()}
        else:
            flat[name] = value
    return flat


def _alike(values: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Siblings of plain values under the same names, e.g. what was called what among genuine and among fake clips."""
    plain = {name: row for name, row in values.items() if isinstance(row, Mapping) and _plain(row)}
    first = next(iter(plain.values()), {})
    return {name: row for name, row in plain.items() if row.keys() == first.keys()}


def _plain(row: Mapping[str, Any]) -> bool:
    return bool(row) and "auc" not in row and not any(isinstance(value, (Mapping, list)) for value in row.values())


def _text(value: Any) -> str:
    if not isinstance(value, (list, tuple)):
        return number_text(value)
    if isinstance(value[0], Mapping):
        return "; ".join(" · ".join(number_text(part) for part in item.values()) for item in value)
    return ", ".join(number_text(item) for item in value)


def number_text(value: Any) -> str:
    """A value for the eye: floats with four significant digits, whole numbers grouped, nothing as an en dash."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _pair(value: Any) -> tuple[float, float] | None:
    if isinstance(value, Sequence) and len(value) == 2 and all(_is_number(item) for item in value):
        return float(value[0]), float(value[1])
    return None


def _is_short(value: Any) -> bool:
    return value is None or _is_number(value) or (isinstance(value, str) and len(value) <= _SHORT)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
