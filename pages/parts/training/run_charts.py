"""Curves of training runs: which columns belong together, and one figure for each such set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import plotly.graph_objects as go

from detector.measurement.wording import words
from pages.parts.shared.wording import REFERENCE, model_colour
from pages.parts.training.run_files import Run

_ASIDE = ("epoch", "step", "row", "minutes")
_DASHES = ("solid", "dash", "dot", "dashdot")
_HEIGHT_PX = 236
_MOST_LINES = 8


class Panel(NamedTuple):
    """One chart: its title, the columns it shows, and whether they lie between 0 and 1 or span magnitudes."""

    title: str
    columns: tuple[str, ...]
    share: bool
    logarithmic: bool


class Line(NamedTuple):
    """One line of a chart; None is a gap."""

    name: str
    x: Sequence[float | None]
    y: Sequence[float | None]


def panels(run: Run) -> list[Panel]:
    """Loss, AUC, the other measures, AUC by group, whatever is left, learning rate: those that the run has."""
    left = [name for name in run.columns if name not in _ASIDE and name != run.axis]

    def take(title: str, wanted: Sequence[str], *, share: bool = False, logarithmic: bool = False) -> Panel:
        for name in wanted:
            left.remove(name)
        return Panel(title, tuple(wanted[:_MOST_LINES]), share, logarithmic)

    found = [
        take("Loss", [name for name in left if "loss" in name and ":" not in name]),
        take("AUC", [name for name in left if name == "auc" or name.endswith("_auc")], share=True),
        take("Learning rate", [name for name in left if name == "learning_rate"], logarithmic=True),
        take("AUC by group", [name for name in left if name.startswith("auc:")], share=True),
        take("Accuracy by group", [name for name in left if name.startswith("accuracy:")], share=True),
        take(
            "Accuracy, F1, precision, recall",
            [name for name in left if name.split("_")[-1] in ("accuracy", "f1", "precision", "recall")],
            share=True,
        ),
    ]
    order = (0, 1, 5, 3, 4, 2)
    shown = [found[index] for index in order if found[index].columns]
    return shown + [Panel(words(name), (name,), False, False) for name in left]


def of_run(run: Run, panel: Panel) -> go.Figure:
    """The panel's columns over the run's epochs, the best epoch marked."""
    axis = run.columns[run.axis]
    lines = [Line(label(name), axis, run.columns[name]) for name in panel.columns]
    return figure(lines, run.axis, panel, best=run.best)


def of_runs(runs: Sequence[Run], column: str, *, over: str) -> go.Figure:
    """One column of several runs over `over` ("minutes", or each run's own axis)."""
    lines = []
    for run in runs:
        axis = run.columns.get(over) if over == "minutes" else run.columns[run.axis]
        if column in run.columns and axis is not None:
            lines.append(Line(run.name, axis, run.columns[column]))
    share = column.split(":")[0].split("_")[-1] in ("auc", "accuracy", "f1", "precision", "recall")
    return figure(lines, over, Panel(column, (column,), share, column == "learning_rate"))


def figure(lines: Sequence[Line], axis: str, panel: Panel, *, best: float | None = None) -> go.Figure:
    """A chart of lines over an axis, with the kept epoch marked."""
    figure = go.Figure()
    for index, line in enumerate(lines):
        kept = [(x, y) for x, y in zip(line.x, line.y, strict=True) if x is not None and y is not None]
        figure.add_scatter(
            x=[x for x, _ in kept],
            y=[y for _, y in kept],
            mode="lines+markers" if len(kept) < 40 else "lines",
            name=line.name,
            line={"width": 1.6, "color": model_colour(index + 2), "dash": _DASHES[index % len(_DASHES)]},
            marker={"size": 5},
            hovertemplate=f"{axis} %{{x}}<br>%{{y:.4g}}<extra>%{{fullData.name}}</extra>",
        )
    if panel.share:
        figure.add_hline(y=0.5, line={"width": 1, "dash": "dot", "color": REFERENCE})
    if best is not None:
        figure.add_vline(x=best, line={"width": 1.2, "dash": "dash", "color": "rgba(213,94,0,.9)"})
        figure.add_annotation(
            x=best, y=1, yref="paper", yanchor="top", xanchor="left", xshift=3, showarrow=False, text="best",
            font={"size": 10},
        )  # fmt: skip
    figure.update_layout(
        height=_HEIGHT_PX,
        margin={"l": 52, "r": 8, "t": 26, "b": 44},
        dragmode=False,
        hovermode="closest",
        showlegend=len(lines) > 1,
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0, "font": {"size": 10.5}},
    )
    figure.update_xaxes(title={"text": axis, "font": {"size": 11}, "standoff": 6}, zeroline=False, fixedrange=True)
    figure.update_yaxes(
        zeroline=False,
        fixedrange=True,
        type="log" if panel.logarithmic else "linear",
        exponentformat="e" if panel.logarithmic else None,
        range=[-0.02, 1.02] if panel.share else None,
    )
    return figure


def label(name: str) -> str:
    """A column as a legend names it: "auc:NAME" by its group, others in words."""
    known = {"auc": "AUC", "f1": "F1"}
    return name.partition(":")[2] or " ".join(known.get(word, word) for word in words(name).split())
