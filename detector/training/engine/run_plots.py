"""The plots of a training report, in Okabe-Ito colours."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
_MEASURES: Final = {
    "auc": (BLUE, "-"),
    "f1": (ORANGE, "--"),
    "precision": (GREEN, "-."),
    "recall": (PURPLE, ":"),
}


def draw_plots(metrics: pd.DataFrame, samples: pd.DataFrame, report: dict[str, Any], run_dir: Path) -> dict[str, str]:
    """Write the plots below `run_dir/report`; returns name -> path relative to `run_dir`."""
    folder = run_dir / "report"
    folder.mkdir(exist_ok=True)
    drawn = {}
    for name, draw in (
        ("loss", lambda axes: _loss(axes, metrics, report["best_epoch"])),
        ("metrics", lambda axes: _metrics(axes, metrics, report["best_epoch"])),
        ("learning_rate", lambda axes: _learning_rate(axes, metrics)),
        ("confusion", lambda axes: _confusion(axes, report["confusion"])),
        ("scores", lambda axes: _scores(axes, samples)),
    ):
        # Without pyplot: it keeps global state and may look for a display.
        figure = Figure(figsize=(6.4, 4), layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure.add_subplot())
        figure.savefig(folder / f"{name}.png", dpi=110)
        drawn[name] = f"report/{name}.png"
    return drawn


def _loss(axes: Axes, metrics: pd.DataFrame, best: int) -> None:
    axes.plot(metrics["epoch"], metrics["train_loss"], color=SKY, ls="--", label="training")
    axes.plot(metrics["epoch"], metrics["validation_loss"], color=BLUE, label="validation")
    _mark_best(axes, best)
    axes.set(xlabel="epoch", ylabel="loss")
    axes.legend()


def _metrics(axes: Axes, metrics: pd.DataFrame, best: int) -> None:
    for name, (colour, style) in _MEASURES.items():
        axes.plot(metrics["epoch"], metrics[name], color=colour, ls=style, label=name)
    axes.axhline(0.5, color="0.6", lw=0.8)
    _mark_best(axes, best)
    axes.set(xlabel="epoch", ylabel="validation", ylim=(0, 1.02))
    axes.legend()


def _learning_rate(axes: Axes, metrics: pd.DataFrame) -> None:
    axes.plot(metrics["epoch"], metrics["learning_rate"], color=BLUE)
    axes.set(xlabel="epoch", ylabel="learning rate", yscale="log")


def _confusion(axes: Axes, confusion: dict[str, int]) -> None:
    table = np.array(
        [
            [confusion["true_genuine"], confusion["false_manipulated"]],
            [confusion["false_genuine"], confusion["true_manipulated"]],
        ]
    )
    share = table / np.maximum(table.sum(1, keepdims=True), 1)
    axes.imshow(share, cmap="cividis", vmin=0, vmax=1)
    for row in range(2):
        for column in range(2):
            colour = "black" if share[row, column] > 0.5 else "white"
            text = f"{table[row, column]}\n{share[row, column]:.0%}"
            axes.text(column, row, text, ha="center", va="center", color=colour)
    axes.set(
        xticks=[0, 1], xticklabels=["genuine", "manipulated"], xlabel="called",
        yticks=[0, 1], yticklabels=["genuine", "manipulated"], ylabel="is",
    )  # fmt: skip


def _scores(axes: Axes, samples: pd.DataFrame) -> None:
    low, high = (float(end) for end in np.quantile(samples["logit"], [0.005, 0.995]))
    if low == high:
        low, high = low - 1, high + 1
    edges = np.linspace(low, high, 41).tolist()
    for label, name, colour, style in ((0, "genuine", BLUE, "-"), (1, "manipulated", VERMILION, "--")):
        values = samples.loc[samples["label"] == label, "logit"].clip(edges[0], edges[-1])
        axes.hist(values, bins=edges, histtype="step", color=colour, ls=style, label=f"{name} ({len(values)})")
    axes.axvline(0, color="0.6", lw=0.8)
    axes.set(xlabel="logit, validation samples at the best epoch", ylabel="samples")
    axes.legend()


def _mark_best(axes: Axes, best: int) -> None:
    axes.axvline(best, color=VERMILION, lw=1, ls=":", label=f"epoch kept ({best})")
