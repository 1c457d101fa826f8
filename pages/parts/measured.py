"""What a card's results say, whatever their nesting: measured rows, other tables, loose facts, reliability.

Cards differ in what was measured, so nothing here names a data set: a table with an AUC in it is a measurement, its
path of names says of what, and what is not there is absent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from detector.registry import ModelCard

_MAIN = (("videos", "all"), ("held_out_crops",))
_RATES = ("accuracy", "f1", "precision", "recall")
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measured row. `auc` in [0, 1] with its 95 % interval where the card has one; `rates` are further metrics,
    `counts` whole numbers (genuine, manipulated, …)."""

    path: Path
    auc: float
    interval: tuple[float, float] | None
    rates: dict[str, float]
    counts: dict[str, int]

    @property
    def name(self) -> str:
        return words(self.path[-1])

    @property
    def group(self) -> str:
        return " · ".join(words(part) for part in self.path[:-1])

    @property
    def inverted(self) -> bool:
        """Worse than chance: the model ranks manipulated material below genuine material."""
        return self.auc < 0.5


@dataclass(frozen=True, slots=True)
class OtherTable:
    """Rows that are no measurement of AUC, e.g. genuine scores by source: `rows` of name and value a column."""

    path: Path
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Any, ...]], ...]


@dataclass(frozen=True, slots=True)
class Bin:
    """Scores between `low` and `high`: their mean `predicted`, the share `observed` that was manipulated, among `n`."""

    predicted: float
    observed: float
    n: int
    interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Reliability:
    """`facts` are what stands beside the bins: calibration error, Brier score, on which data."""

    path: Path
    bins: tuple[Bin, ...]
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """A card's results, sorted out. Order is the card's own."""

    measurements: tuple[Measurement, ...]
    tables: tuple[OtherTable, ...]
    facts: tuple[tuple[str, str], ...]
    reliability: tuple[Reliability, ...]

    @classmethod
    def of(cls, card: ModelCard) -> Measured:
        found = list(_walk((), card.results))
        return cls(
            tuple(item for item in found if isinstance(item, Measurement)),
            tuple(item for item in found if isinstance(item, OtherTable)),
            tuple((name, text) for item in found if isinstance(item, tuple) for name, text in [item]),
            tuple(item for item in found if isinstance(item, Reliability)),
        )

    def groups(self) -> dict[str, list[Measurement]]:
        grouped: dict[str, list[Measurement]] = {}
        for row in self.measurements:
            grouped.setdefault(row.group, []).append(row)
        return grouped

    @property
    def main(self) -> Measurement | None:
        """The row that stands for the card in a list: all videos, else single pictures, else the first one."""
        known = {row.path: row for row in self.measurements}
        preferred = (known[path] for path in _MAIN if path in known)
        return next(preferred, self.measurements[0] if self.measurements else None)


def words(name: str) -> str:
    return name.replace("_", " ")


def counts_text(row: Measurement) -> str:
    """e.g. "89 genuine, 22 manipulated"; an empty text where the card does not say."""
    return ", ".join(f"{number:,} {words(name)}" for name, number in row.counts.items())


def auc_text(row: Measurement) -> str:
    """e.g. "0.51 (0.37 to 0.66)"."""
    interval = "" if row.interval is None else f" ({row.interval[0]:.2f} to {row.interval[1]:.2f})"
    return f"{row.auc:.2f}{interval}"


def _walk(path: Path, values: Mapping[str, Any]) -> Iterator[Measurement | OtherTable | Reliability | tuple[str, str]]:
    if _is_number(values.get("auc")) and path:
        yield _measurement(path, values)
        for name, value in values.items():
            if isinstance(value, Mapping):
                yield from _walk((*path, name), value)
        return
    if (bins := _bins(values)) is not None:
        rest = {name: value for name, value in values.items() if name != "bins"}
        yield Reliability(path, bins, tuple(_facts((), rest)))
        return
    children = {name: value for name, value in values.items() if isinstance(value, Mapping)}
    if path and children and len(children) == len(values) and (table := _table(path, children)) is not None:
        yield table
        return
    alike = _alike(children)
    if len(alike) > 1 and path and (table := _table(path, alike)) is not None:
        yield table
        values = {name: value for name, value in values.items() if name not in alike}
    for name, value in values.items():
        if name == "auc" and isinstance(value, Mapping):
            for of, auc in value.items():
                if _is_number(auc):
                    yield Measurement((*path, of), float(auc), None, {}, {})
        elif isinstance(value, Mapping):
            yield from _walk((*path, name), value)
        else:
            yield from _facts(path, {name: value})


def _measurement(path: Path, values: Mapping[str, Any]) -> Measurement:
    numbers = {name: value for name, value in values.items() if _is_number(value) and name != "auc"}
    return Measurement(
        path,
        float(values["auc"]),
        _pair(values.get("auc_95")),
        {name: float(value) for name, value in numbers.items() if name in _RATES or not isinstance(value, int)},
        {name: value for name, value in numbers.items() if isinstance(value, int) and name not in _RATES},
    )


def _bins(values: Mapping[str, Any]) -> tuple[Bin, ...] | None:
    listed = values.get("bins")
    if not isinstance(listed, Sequence) or not listed or not all(isinstance(item, Mapping) for item in listed):
        return None
    if not all(_is_number(item.get(name)) for item in listed for name in ("predicted", "observed", "n")):
        return None
    return tuple(
        Bin(float(item["predicted"]), float(item["observed"]), int(item["n"]), _pair(item.get("observed_95")))
        for item in listed
    )


def _table(path: Path, children: Mapping[str, Mapping[str, Any]]) -> OtherTable | None:
    if any("auc" in row or any(isinstance(value, Mapping) for value in row.values()) for row in children.values()):
        return None
    columns = tuple(dict.fromkeys(name for row in children.values() for name in row))
    rows = tuple((name, tuple(row.get(column) for column in columns)) for name, row in children.items())
    return OtherTable(path, columns, rows)


def _alike(children: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Siblings of plain values under the same names, e.g. what was called what among genuine and among fake clips."""
    plain = {
        name: row
        for name, row in children.items()
        if row and "auc" not in row and all(not isinstance(value, (Mapping, list)) for value in row.values())
    }
    first = next(iter(plain.values()), {})
    return {name: row for name, row in plain.items() if row.keys() == first.keys()}


def _facts(path: Path, values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        label = " · ".join(words(part) for part in (*path, name))
        if isinstance(value, Mapping):
            yield from _facts((*path, name), value)
        elif isinstance(value, (list, tuple)):
            if value:
                yield label, ", ".join(number_text(item) for item in value)
        else:
            yield label, number_text(value)


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


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
