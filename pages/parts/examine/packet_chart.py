"""The size of each coded picture over time, by its type: an encoder's beat, and where it breaks."""

from __future__ import annotations

import plotly.graph_objects as go

from detector.evidence.forensics.types import Series
from pages.parts.shared.wording import clock, ink

_HEIGHT_PX = 240
# Colour and shape both tell the type.
_STYLES = {
    "I": ("Coded on its own (I)", "#D55E00", "diamond", 9),
    "P": ("Predicted (P)", "#0072B2", "circle", 5),
    "B": ("Predicted from both sides (B)", "#E69F00", "triangle-up", 5),
    "?": ("Type not read", "#7F7F7F", "x", 5),
}


def figure(series: Series) -> go.Figure:
    """One point a packet, or the largest of several; a logarithmic scale, since keyframes are many times larger."""
    figure = go.Figure()
    times = series.pts_s or tuple(float(number) for number in range(len(series.size_bytes)))
    for letter, (name, colour, symbol, size_px) in _STYLES.items():
        chosen = [index for index, kind in enumerate(series.types) if kind == letter]
        if not chosen:
            continue
        figure.add_scatter(
            x=[times[index] for index in chosen],
            y=[series.size_bytes[index] for index in chosen],
            name=name,
            mode="markers",
            marker={"color": ink(colour), "symbol": symbol, "size": size_px, "line": {"width": 0}},
            hovertemplate=[
                f"{clock(times[index]) if series.pts_s else f'picture {index}'}<br>{letter} · "
                f"{series.size_bytes[index]:,} bytes<extra></extra>"
                for index in chosen
            ],
        )
    figure.update_layout(
        height=_HEIGHT_PX,
        margin={"l": 64, "r": 10, "t": 8, "b": 38},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "font": {"size": 11}},
        dragmode=False,
        hovermode="closest",
    )
    figure.update_xaxes(
        title={"text": "seconds" if series.pts_s else "packet", "font": {"size": 11}, "standoff": 4},
        zeroline=False,
        fixedrange=True,
    )
    figure.update_yaxes(
        type="log", title={"text": "bytes", "font": {"size": 11}, "standoff": 4}, zeroline=False, fixedrange=True
    )
    return figure
