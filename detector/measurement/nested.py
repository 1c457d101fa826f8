"""Results as cards of version 0.1 had them, nested tables of whatever was measured, read into today's types.

Those cards differ in what was measured, so nothing here names a data set: a table with an AUC in it is a measurement,
its path of names says of what, and what is not there is absent.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from detector.measurement.results import Bin, Calibration, DataPath, Fact, Measurement, Results, Table
from detector.measurement.wording import words

_SHORT: Final = 16
_RATES: Final = ("accuracy", "f1", "precision", "recall")
_INTERVALS: Final = ("auc_95", "interval_95")
_WITHOUT: Final = "without_genuine_source"
_RENAMED: Final = {"beside_peers": "beside_baselines"}


@dataclass(frozen=True, slots=True)
class _Bins:
    """A calibration where it stood, before it is put to the measurement of the same data."""

    data: DataPath
    calibration: Calibration


def read_nested(results: Mapping[str, Any]) -> Results:
    """Raises ValueError for a number out of its range."""
    found = list(_walk((), {_RENAMED.get(name, name): value for name, value in _without_nan(results).items()}))
    calibrations = {item.data[:-1]: item.calibration for item in found if isinstance(item, _Bins)}
    rows: list[Measurement | Table | Fact] = []
    for item in found:
        if isinstance(item, Measurement) and item.what == "auc":
            on = next((data for data in (item.data, item.data[:-1]) if data in calibrations), None)
            if on is not None and item.data in (on, (*on, "all")):
                item = replace(item, calibration=calibrations.pop(on))
        if not isinstance(item, _Bins):
            rows.append(item)
    rows += [Measurement(data, each.ece, "ece", calibration=each) for data, each in calibrations.items()]
    return Results.joined(rows)


def _without_nan(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """NaN, which some cards held and JSON does not know, is nothing."""
    if isinstance(value, Mapping):
        return {str(name): _without_nan(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _walk(
    path: DataPath, values: Mapping[str, Any], n_real: int | None = None
) -> Iterator[Measurement | Table | Fact | _Bins]:
    """`n_real`: how many genuine samples a table around this one counts, against which its rows are measured."""
    n_real = values["genuine"] if isinstance(values.get("genuine"), int) else n_real
    if path and "auc" in values and (values["auc"] is None or _is_number(values["auc"])):
        yield _measurement(path, values, n_real)
        yield from _more_aucs(path, values)
        values = {name: value for name, value in values.items() if isinstance(value, Mapping) and name[:4] != "auc_"}
    elif (bins := _bins(values)) is not None:
        ece = values.get("ece")
        yield _Bins(path, Calibration(_share(ece) if _is_number(ece) else None, bins))
        yield from (Fact((*path, name), value) for name, value in values.items() if name not in ("ece", "bins"))
        return
    elif path and path[-1] == _WITHOUT:
        yield from (Measurement((*path, name), _share(value)) for name, value in values.items())
        return
    elif _has_auc_by_name(values):
        for name, value in values["auc"].items():
            yield Measurement((*path, name), _share(value), n_real=n_real, n_fake=values.get("manipulated"))
        values = {name: value for name, value in values.items() if name not in ("auc", "genuine", "manipulated")}
    elif path and (table := _table(path, values)) is not None:
        yield table
        return
    alike = _alike(values)
    if path and len(alike) > 1 and (table := _table(path, alike)) is not None:
        first = {name.partition("_")[0] for name in alike}
        yield replace(table, data=(*path, *first)) if len(first) == 1 else table
        values = {name: value for name, value in values.items() if name not in alike}
    yield from _single(path, values, n_real)


def _single(
    path: DataPath, values: Mapping[str, Any], n_real: int | None
) -> Iterator[Measurement | Table | Fact | _Bins]:
    """The content of a table that is no measurement itself, piece by piece."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _walk((*path, name), value, n_real)
        elif _is_number(value) and (interval := _pair(values.get(f"{name}_95"))) is not None:
            yield Measurement(path, float(value), name, interval)
        elif value == [] or (name.endswith("_95") and _is_number(values.get(name[:-3]))):
            continue
        elif isinstance(value, list) and all(isinstance(item, Mapping) and "file" in item for item in value):
            columns = tuple(name for name in value[0] if name != "file")
            yield Table(
                (*path, name),
                columns,
                tuple((str(item["file"]), tuple(item.get(column) for column in columns)) for item in value),
            )
        else:
            yield Fact((*path, name), tuple(_plain_text(item) for item in value) if isinstance(value, list) else value)


def _plain_text(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    return " · ".join(str(part) for part in value.values()) if isinstance(value, Mapping) else value


def _measurement(path: DataPath, values: Mapping[str, Any], n_real: int | None) -> Measurement:
    known = {
        name: value
        for name, value in values.items()
        if _is_number(value) and not name.startswith("auc") and f"{name}_95" not in values
    }
    n_fake = known.pop("manipulated", None)
    sizes = {"n_real": known.pop("genuine", None if n_fake is None else n_real), "n_fake": n_fake}
    return Measurement(
        path,
        _share(values["auc"]),
        interval=next((pair for name in _INTERVALS if (pair := _pair(values.get(name))) is not None), None),
        rates={name: float(value) for name, value in known.items() if name in _RATES or not isinstance(value, int)},
        counts={name: value for name, value in known.items() if isinstance(value, int) and name not in _RATES},
        **sizes,
    )


def _more_aucs(path: DataPath, values: Mapping[str, Any]) -> Iterator[Measurement]:
    """Further AUCs of the same samples or of parts of them (`auc_by_kind`); shares with an interval of their own."""
    for name, value in values.items():
        if name.startswith("auc_") and isinstance(value, Mapping):
            yield from (Measurement((*path, name[4:], inner), _share(auc)) for inner, auc in value.items())
        elif name.startswith("auc_") and name not in _INTERVALS:
            yield Measurement((*path, name[4:]), _share(value))
        elif _is_number(value) and name != "auc" and (interval := _pair(values.get(f"{name}_95"))) is not None:
            yield Measurement(path, float(value), name, interval)


def _has_auc_by_name(values: Mapping[str, Any]) -> bool:
    """One AUC a name, e.g. a specialist, on the same samples."""
    named = isinstance(values.get("auc"), Mapping) and all(v is None or _is_number(v) for v in values["auc"].values())
    return named and (values.keys() == {"auc"} or {"genuine", "manipulated"} <= values.keys())


def _bins(values: Mapping[str, Any]) -> tuple[Bin, ...] | None:
    listed = values.get("bins")
    if not isinstance(listed, Sequence) or not listed or not all(isinstance(item, Mapping) for item in listed):
        return None
    if not all(_is_number(item.get(name)) for item in listed for name in ("score", "manipulated", "rows")):
        return None
    return tuple(Bin(float(item["score"]), float(item["manipulated"]), int(item["rows"])) for item in listed)


def _table(path: DataPath, values: Mapping[str, Any]) -> Table | None:
    """A table of rows that are alike, or of one short value a name; None for anything else."""
    if len(values) > 1 and all(_is_short(value) for value in values.values()):
        return Table.of_values(path, values)
    rows = {name: _level(row) for name, row in values.items() if isinstance(row, Mapping)}
    if not rows or len(rows) < len(values) or any(not _plain(row) for row in rows.values()):
        return None
    columns = tuple(dict.fromkeys(name for row in rows.values() for name in row))
    if len(rows) > 1 and len(columns) > 2 * min(len(row) for row in rows.values()):
        return None  # rows that have little in common are no table
    return Table(
        path, columns, tuple((name, tuple(row.get(column) for column in columns)) for name, row in rows.items())
    )


def _level(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row whose values are in part small tables of numbers, with these spread out: BG · called, BG · mean logit."""
    flat: dict[str, Any] = {}
    if _has_auc_by_name(row):
        return dict(row)  # these are measurements with their counts
    for name, value in row.items():
        if isinstance(value, Mapping) and value and all(item is None or _is_number(item) for item in value.values()):
            if "genuine" in value and _is_number(value.get("auc")):
                return dict(row)
            flat |= {f"{words(name)} · {words(inner)}": item for inner, item in value.items()}
        else:
            flat[name] = value
    return flat


def _alike(values: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Siblings of plain values under the same names, e.g. what was called what among genuine and among fake clips."""
    plain = {name: row for name, row in values.items() if isinstance(row, Mapping) and _plain(row) and name != _WITHOUT}
    first = next(iter(plain.values()), {})
    return {name: row for name, row in plain.items() if row.keys() == first.keys()}


def _plain(row: Mapping[str, Any]) -> bool:
    return bool(row) and "auc" not in row and not any(isinstance(value, Mapping | list) for value in row.values())


def _pair(value: object) -> tuple[float, float] | None:
    if isinstance(value, Sequence) and len(value) == 2 and all(_is_number(item) for item in value):
        return float(value[0]), float(value[1])
    return None


def _share(value: float | None) -> float | None:
    return None if value is None else float(value)


def _is_short(value: object) -> bool:
    return value is None or _is_number(value) or (isinstance(value, str) and len(value) <= _SHORT)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
