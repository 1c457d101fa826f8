"""The logits of two models on the same files, against each other."""

from __future__ import annotations

from collections.abc import Mapping

import plotly.graph_objects as go

from detector.evidence.text import revealed
from detector.measurement.thresholds import Thresholds
from pages.parts.compare.score_files import ScoredSet
from pages.parts.shared.markup import escaped

_LABELS = ((False, "genuine", "circle", "#0072B2"), (True, "manipulated", "triangle-up", "#D55E00"))
_LINE = {"width": 1, "dash": "dash", "color": "rgba(128,140,152,.8)"}


def figure(scored: ScoredSet, first: str, second: str, limits: Mapping[str, Thresholds]) -> go.Figure:
    """A point a file, `first` across and `second` upwards, its truth by symbol and colour; each model's thresholds as
    lines where they are known."""
    figure = go.Figure()
    across, upwards = scored.column(first), scored.column(second)
    names = [escaped(name) for name in scored.files["file"]]
    for fake, word, symbol, colour in _LABELS:
        chosen = scored.fake == fake
        figure.add_scatter(
            x=across[chosen],
            y=upwards[chosen],
            mode="markers",
            name=word,
            marker={"symbol": symbol, "color": colour, "size": 8, "opacity": 0.75},
            hoverinfo="text",
            hovertext=[
                f"{name}<br>{word}<br>{escaped(first)} {x:+.2f} · {escaped(second)} {y:+.2f}"
                for name, x, y, own in zip(names, across, upwards, chosen, strict=True)
                if own
            ],
        )
    for model, draw in ((first, figure.add_vline), (second, figure.add_hline)):
        if model in limits:
            for logit in (limits[model].no_manipulation_logit, limits[model].likely_manipulated_logit):
                draw(**{"x" if model == first else "y": logit}, line=_LINE)
    figure.update_layout(
        height=460,
        margin={"l": 60, "r": 10, "t": 34, "b": 48},
        dragmode=False,
        hovermode="closest",
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )
    for update, model in ((figure.update_xaxes, first), (figure.update_yaxes, second)):
        update(title={"text": f"{revealed(model)}, logit", "font": {"size": 11}}, zeroline=False, fixedrange=True)
    return figure
