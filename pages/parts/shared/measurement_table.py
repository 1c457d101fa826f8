"""Measured rows as tables: a name, the AUC on a line from 0 to 1 with its interval and chance marked, counts, rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from detector.measurement.results import Measurement, Table
from detector.measurement.wording import (
    NOT_TOLD_FROM_CHANCE,
    TOO_FEW,
    WORSE_THAN_CHANCE,
    number_text,
    place,
    remark,
    sizes_text,
    value_text,
    words,
)
from pages.parts.shared import markup
from pages.parts.shared.markup import escaped

_MANY_COLUMNS, _SEVERAL = 5, 3
_ICONS = {
    WORSE_THAN_CHANCE: ("swap_vert", "#D55E00"),
    NOT_TOLD_FROM_CHANCE: ("casino",),
    TOO_FEW: ("groups",),
}
_INTERVAL = "AUC, 95 % interval"


def show(rows: Sequence[Measurement], *, below: int = 0) -> None:
    """One group of measurements, each named by its path from `below` on. An AUC worse than chance is named, and so is a
    row of too few to judge by; several rows that say nothing but their numbers share the last line."""
    bare = [row for row in rows if row.too_few and not row.counts]
    rows = [row for row in rows if len(bare) < _SEVERAL or row not in bare]
    sizes = [name for name, field in (("genuine", "n_real"), ("manipulated", "n_fake")) if any(_has(rows, field))]
    counts = list(dict.fromkeys(name for row in rows for name in row.counts))
    rates = list(dict.fromkeys(name for row in rows for name in row.rates))
    intervals = any(row.interval is not None for row in rows)
    heads = ["", _INTERVAL if intervals else "AUC", *sizes, *counts, *rates]
    body = []
    for row in rows:
        numbers = {"genuine": row.n_real, "manipulated": row.n_fake, **row.counts, **row.rates}
        cells = [
            f'<th scope="row">{escaped(place(row.data[below:]))}{_remark(row)}</th>',
            _measure(row),
            *[_number(numbers.get(name)) for name in (*sizes, *counts, *rates)],
        ]
        body.append(f"<tr>{''.join(cells)}</tr>")
    if len(bare) >= _SEVERAL:
        names = " · ".join(f"{place(row.data[below:])} ({row.n_fake or 0})" for row in bare)
        body.append(
            f'<tr><td colspan="{len(heads)}" class="fw-note">{markup.icon("groups")} {TOO_FEW}, with the number '
            f"of manipulated ones: {escaped(names)}</td></tr>"
        )
    _table(heads, body)


def _has(rows: Sequence[Measurement], field: str) -> list[bool]:
    return [getattr(row, field) is not None for row in rows]


def show_other(table: Table) -> None:
    """Show a table of other figures."""
    body = [
        f'<tr><th scope="row">{escaped(words(name))}</th>{"".join(_number(value) for value in values)}</tr>'
        for name, values in table.rows
    ]
    _table(["", *table.columns], body, style="fw-narrow" if len(table.columns) < _MANY_COLUMNS else "")


def show_counts(title: str, values: Mapping[str, int]) -> None:
    """Names with whole numbers and each one's bar, the largest first, and the sum."""
    most = max(values.values()) or 1
    body = [
        f'<tr><th scope="row">{escaped(name)}</th><td><div class="fw-count"><i style="width:{100 * count / most:.1f}%">'
        f'</i></div></td><td class="fw-num">{count:,}</td></tr>'
        for name, count in sorted(values.items(), key=lambda item: -item[1])
    ]
    _table([f"{title}: {sum(values.values()):,}", "", ""], body)


def show_properties(rows: Sequence[Mapping[str, Any]]) -> None:
    """Plain properties of training samples, each alone against the label; one that predicts it has an icon and a
    word."""
    body = []
    for row in rows:
        name = str(row.get("name"))
        warns = f'<div class="fw-note">{markup.icon("warning", "#D55E00")} predicts the label</div>'
        measured = row_of({**row, "auc_95": [row.get("low"), row.get("high")]})
        body.append(
            f'<tr><th scope="row">{escaped(words(name))}{warns if row.get("warns") else ""}</th>'
            f"{_measure(measured) if measured else '<td>–</td>'}"
            f'<td class="fw-note">{escaped(str(row.get("direction") or ""))}</td>'
            + "".join(_number(row.get(key)) for key in ("mean_genuine", "mean_manipulated", "known"))
            + "</tr>"
        )
    _table(["", _INTERVAL, "", "mean, genuine", "mean, manipulated", "known"], body)


def show_text(corner: str, titles: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> None:
    """Plain values, one column a title."""
    body = [
        f'<tr><th scope="row">{escaped(name)}</th>{"".join(f"<td>{escaped(value)}</td>" for value in values)}</tr>'
        for name, values in rows
    ]
    _table([corner, *titles], body, style="fw-wide")


def compare(titles: Sequence[str], columns: Sequence[Sequence[Measurement]]) -> None:
    """One column a model, one row for whatever any of them was measured on; a dash where a card has no such row."""
    by_path = [{row.data: row for row in column if row.what == "auc"} for column in columns]
    paths = list(dict.fromkeys(path for column in by_path for path in column))
    body = []
    for path in paths:
        cells = "".join(_compared(column.get(path)) for column in by_path)
        body.append(f'<tr><th scope="row">{escaped(place(path))}</th>{cells}</tr>')
    _table([_INTERVAL, *titles], body, style="fw-wide")


def _compared(row: Measurement | None) -> str:
    if row is None:
        return '<td class="fw-note">–</td>'
    sizes = f'<div class="fw-note">{escaped(sizes_text(row))}</div>' if sizes_text(row) else ""
    return f'<td>{interval_bar(row)}<span class="fw-num">{escaped(value_text(row))}</span>{_remark(row)}{sizes}</td>'


def row_of(table: Mapping[str, Any]) -> Measurement | None:
    """A row of a run's files as a measurement; None where they hold no AUC, or none that can be one."""
    interval, accuracy = table.get("auc_95"), table.get("accuracy")
    sizes = [table.get(name) or None for name in ("genuine", "manipulated")]  # 0: against all of the other label
    try:
        return Measurement(
            (str(table.get("name")),),
            float(table["auc"]),
            interval=(float(interval[0]), float(interval[1])) if interval else None,
            n_real=sizes[0] if isinstance(sizes[0], int) else None,
            n_fake=sizes[1] if isinstance(sizes[1], int) else None,
            rates={"accuracy": float(accuracy)} if isinstance(accuracy, int | float) else {},
        )
    except (KeyError, TypeError, ValueError):
        return None


def interval_bar(row: Measurement) -> str:
    """The AUC between 0 and 1, its interval as a thick line, chance (one half) as a tick."""
    if row.value is None:
        return ""
    span = ""
    if row.interval is not None:
        low, high = row.interval
        span = f'<i class="fw-span" style="left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%"></i>'
    return (
        f'<div class="fw-interval" role="img" aria-label="AUC {escaped(value_text(row))}">'
        f'<i class="fw-chance"></i>{span}<b style="left:{100 * row.value:.1f}%"></b></div>'
    )


def _measure(row: Measurement) -> str:
    return f'<td><div class="fw-measure">{interval_bar(row)}<span>{escaped(value_text(row))}</span></div></td>'


def _remark(row: Measurement) -> str:
    said = remark(row)
    return f'<div class="fw-note">{markup.icon(*_ICONS[said])} {said}</div>' if said else ""


def _number(value: object) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else number_text(value)
    return f'<td class="fw-num">{escaped(text)}</td>'


def _table(heads: Sequence[str], body: Sequence[str], *, style: str = "") -> None:
    """`heads` end with the columns of numbers, which `style` "fw-wide" has none of."""
    numbers = "" if style == "fw-wide" else ' class="fw-num"'
    cells = "".join(
        f'<th scope="col"{numbers if index and name not in ("AUC", _INTERVAL) else ""}>{escaped(words(name))}</th>'
        if name
        else "<td></td>"
        for index, name in enumerate(heads)
    )
    named = ", ".join(words(name) for name in heads if name) or "Counts"
    head = f"<thead><tr>{cells}</tr></thead>" if any(heads) else ""
    st.html(
        markup.scrolling(
            f'<table class="fw-table {style}" aria-label="{escaped(named)}">{head}'
            f"<tbody>{''.join(body)}</tbody></table>",
            named,
        )
    )
