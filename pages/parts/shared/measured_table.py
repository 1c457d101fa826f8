"""Measured rows as tables: a name, the AUC on a line from 0 to 1 with its interval and chance marked, counts, rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import streamlit as st

from pages.parts.shared import markup
from pages.parts.shared.measured import Measurement, OtherTable, auc_text, number_text, place, words

_FEW, _MANY_COLUMNS, _SEVERAL = 5, 5, 3
_SAMPLES = {"genuine", "manipulated"}
_INTERVAL = "AUC, 95 % interval"


def show(rows: Sequence[Measurement], *, below: int = 0, few: bool = True) -> None:
    """One group of measurements, each named by its path from `below` on. An AUC below one half is named, and with `few`
    so is a row of too few to judge by; several rows that say nothing but their numbers share the last line."""
    bare = [row for row in rows if few and row.auc is None and not row.rates and set(row.counts) <= _SAMPLES]
    rows = [row for row in rows if len(bare) < _SEVERAL or row not in bare]
    counts = list(dict.fromkeys(name for row in rows for name in row.counts))
    rates = list(dict.fromkeys(name for row in rows for name in row.rates))
    intervals = any(row.interval is not None for row in rows)
    heads = ["", _INTERVAL if intervals else "AUC", *counts, *rates]
    body = []
    for row in rows:
        cells = [
            f'<th scope="row">{escape(place(row.path[below:]))}{_remark(row, few)}</th>',
            _measure(row),
            *[_number(row.counts.get(name)) for name in counts],
            *[_number(row.rates.get(name)) for name in rates],
        ]
        body.append(f"<tr>{''.join(cells)}</tr>")
    if len(bare) >= _SEVERAL:
        names = " · ".join(f"{place(row.path[below:])} ({row.counts.get('manipulated', 0)})" for row in bare)
        body.append(
            f'<tr><td colspan="{len(heads)}" class="fw-note">{markup.icon("groups")} too few to judge, with the number '
            f"of manipulated ones: {escape(names)}</td></tr>"
        )
    _table(heads, body)


def show_other(table: OtherTable) -> None:
    """Show a table of other figures."""
    body = [
        f'<tr><th scope="row">{escape(words(name))}</th>{"".join(_number(value) for value in values)}</tr>'
        for name, values in table.rows
    ]
    _table(["", *table.columns], body, style="fw-narrow" if len(table.columns) < _MANY_COLUMNS else "")


def show_counts(title: str, values: Mapping[str, int]) -> None:
    """Names with whole numbers and each one's bar, the largest first, and the sum."""
    most = max(values.values()) or 1
    body = [
        f'<tr><th scope="row">{escape(name)}</th><td><div class="fw-count"><i style="width:{100 * count / most:.1f}%">'
        f'</i></div></td><td class="fw-num">{count:,}</td></tr>'
        for name, count in sorted(values.items(), key=lambda item: -item[1])
    ]
    _table([f"{title}: {sum(values.values()):,}", "", ""], body)


def show_properties(rows: Sequence[Mapping[str, Any]]) -> None:
    """Plain properties of training samples, each alone against the label; one that predicts it has an icon and a
    word."""
    body = []
    for row in rows:
        name, auc = str(row.get("name")), row.get("auc")
        warns = f'<div class="fw-note">{markup.icon("warning", "#D55E00")} predicts the label</div>'
        measured = None
        if isinstance(auc, (int, float)):
            ends = (row.get("low"), row.get("high"))
            interval = (float(ends[0]), float(ends[1])) if all(isinstance(end, (int, float)) for end in ends) else None  # type: ignore[arg-type]
            measured = Measurement((name,), float(auc), interval, {}, {})
        body.append(
            f'<tr><th scope="row">{escape(words(name))}{warns if row.get("warns") else ""}</th>'
            f"{_measure(measured) if measured else '<td>–</td>'}"
            f'<td class="fw-note">{escape(str(row.get("direction") or ""))}</td>'
            + "".join(_number(row.get(key)) for key in ("mean_genuine", "mean_manipulated", "known"))
            + "</tr>"
        )
    _table(["", _INTERVAL, "", "mean, genuine", "mean, manipulated", "known"], body)


def show_text(corner: str, titles: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> None:
    """Plain values, one column a title."""
    body = [
        f'<tr><th scope="row">{escape(name)}</th>{"".join(f"<td>{escape(value)}</td>" for value in values)}</tr>'
        for name, values in rows
    ]
    _table([corner, *titles], body, style="fw-wide")


def compare(titles: Sequence[str], columns: Sequence[Sequence[Measurement]]) -> None:
    """One column a model, one row for whatever any of them was measured on; a dash where a card has no such row."""
    by_path = [{row.path: row for row in column} for column in columns]
    paths = list(dict.fromkeys(path for column in by_path for path in column))
    body = []
    for path in paths:
        found = [column.get(path) for column in by_path]
        name = place(path)
        cells = "".join(
            '<td class="fw-note">–</td>'
            if row is None
            else f'<td>{interval_bar(row)}<span class="fw-num">{escape(auc_text(row))}</span>{_sizes(row)}</td>'
            for row in found
        )
        body.append(f'<tr><th scope="row">{escape(name)}</th>{cells}</tr>')
    _table([_INTERVAL, *titles], body, style="fw-wide")


def interval_bar(row: Measurement) -> str:
    """The AUC between 0 and 1, its interval as a thick line, chance (one half) as a tick."""
    if row.auc is None:
        return ""
    span = ""
    if row.interval is not None:
        low, high = row.interval
        span = f'<i class="fw-span" style="left:{100 * low:.1f}%;width:{100 * (high - low):.1f}%"></i>'
    return (
        f'<div class="fw-interval" role="img" aria-label="AUC {escape(auc_text(row))}">'
        f'<i class="fw-chance"></i>{span}<b style="left:{100 * row.auc:.1f}%"></b></div>'
    )


def _measure(row: Measurement) -> str:
    return f'<td><div class="fw-measure">{interval_bar(row)}<span>{escape(auc_text(row))}</span></div></td>'


def _remark(row: Measurement, few: bool) -> str:
    remarks = []
    if row.inverted:
        remarks.append(f"{markup.icon('swap_vert', '#D55E00')} worse than chance")
    elif row.interval is not None and row.interval[0] < 0.5:
        remarks.append(f"{markup.icon('casino')} not told from chance")
    if few and row.counts and min(row.counts.get(name, _FEW) for name in ("genuine", "manipulated")) < _FEW:
        remarks.append(f"{markup.icon('groups')} too few to judge")
    return f'<div class="fw-note">{" · ".join(remarks)}</div>' if remarks else ""


def _sizes(row: Measurement) -> str:
    text = " + ".join(f"{row.counts[name]:,}" for name in ("genuine", "manipulated") if name in row.counts)
    return f'<div class="fw-note">n {text}</div>' if text else ""


def _number(value: object) -> str:
    text = f"{value:.3f}" if isinstance(value, float) else number_text(value)
    return f'<td class="fw-num">{escape(text)}</td>'


def _table(heads: Sequence[str], body: Sequence[str], *, style: str = "") -> None:
    """`heads` end with the columns of numbers, which `style` "fw-wide" has none of."""
    numbers = "" if style == "fw-wide" else ' class="fw-num"'
    cells = "".join(
        f'<th scope="col"{numbers if index and name not in ("", "AUC", _INTERVAL) else ""}>{escape(words(name))}</th>'
        for index, name in enumerate(heads)
    )
    head = f"<thead><tr>{cells}</tr></thead>" if any(heads) else ""
    st.html(
        f'<div class="fw-scroll"><table class="fw-table {style}">{head}<tbody>{"".join(body)}</tbody></table></div>'
    )
