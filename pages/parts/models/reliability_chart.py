"""Reliability of a model's scores: predicted against observed, with the number of cases behind it."""

from __future__ import annotations

import plotly.graph_objects as go

from detector.measurement.results import Calibration
from pages.parts.shared.wording import REFERENCE

_BLUE = "#0072B2"


def figure(calibration: Calibration) -> go.Figure:
    """Points on the diagonal say what they mean; a larger point rests on more cases."""
    figure = go.Figure()
    bins = calibration.bins
    most = max(item.rows for item in bins) or 1
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"width": 1, "dash": "dash", "color": REFERENCE},
        hoverinfo="skip",
    )  # fmt: skip
    figure.add_scatter(
        x=[item.score for item in bins],
        y=[item.fake_share for item in bins],
        mode="lines+markers",
        line={"width": 1.5, "color": _BLUE},
        marker={"color": _BLUE, "size": [7 + 11 * (item.rows / most) ** 0.5 for item in bins]},
        hovertemplate=[
            f"score {item.score:.2f}<br>{item.fake_share:.2f} manipulated, n {item.rows:,}<extra></extra>"
            for item in bins
        ],
    )
    figure.update_layout(
        height=320,
        width=420,
        margin={"l": 52, "r": 10, "t": 8, "b": 42},
        showlegend=False,
        dragmode=False,
        hovermode="closest",
    )
    axis = {"range": [-0.03, 1.03], "tickvals": [0, 0.25, 0.5, 0.75, 1], "zeroline": False, "fixedrange": True}
    figure.update_xaxes(**axis, title={"text": "mean score", "font": {"size": 11}, "standoff": 4})
    figure.update_yaxes(**axis, title={"text": "share manipulated", "font": {"size": 11}, "standoff": 4})
    return figure
