"""Sound against mouth over time: the audio-visual model's windows, and the training-free correlation beside them."""

from __future__ import annotations

import plotly.graph_objects as go

from detector.analysis.types import ModelResult, SyncWindow, sigmoid
from pages.parts.examine import timeline
from pages.parts.shared.readings import Readings
from pages.parts.shared.wording import clock, score_text

_HEIGHT_PX = 128
_LINE = "rgba(128,140,152,.75)"


def listening(readings: Readings) -> list[ModelResult]:
    """The models that compared sound and mouth in at least one window."""
    return [model for model in readings.analysis.models if model.sync]


def figure(readings: Readings, model: ModelResult, *, current_pts: int | None) -> go.Figure:
    """Two lanes. Above, a bar a window, cividis by score 0 to 1, hatched where the model said nothing. Below, the
    correlation of lip opening and speech envelope, -1 to 1, as steps."""
    figure = go.Figure()
    scored = [window for window in model.sync if window.logit is not None]
    silent = [window for window in model.sync if window.logit is None]
    for windows, marker in (
        (scored, {"color": [sigmoid(window.logit or 0.0) for window in scored], "coloraxis": "coloraxis"}),
        (
            silent,
            {
                "color": "rgba(0,0,0,0)",
                "line": {"width": 1, "color": _LINE},
                "pattern": {"shape": "/", "size": 6, "solidity": 0.25, "fgcolor": _LINE},
            },
        ),
    ):
        if windows:
            figure.add_bar(
                base=[window.start_s for window in windows],
                x=[window.end_s - window.start_s for window in windows],
                y=[0] * len(windows),
                width=0.8,
                orientation="h",
                marker=marker,
                hovertemplate=[_words(window) for window in windows],
            )
    _add_correlation(figure, model.sync)
    if current_pts is not None:
        figure.add_vline(x=readings.pts_s(current_pts), line={"width": 1.5, "color": "rgba(213,94,0,.9)"})
    figure.update_layout(
        height=_HEIGHT_PX,
        margin={**timeline.MARGIN, "t": 4, "b": 8},
        barmode="overlay",
        dragmode=False,
        hovermode="closest",
        showlegend=False,
        coloraxis={"colorscale": "Cividis", "cmin": 0, "cmax": 1, "showscale": False},
        yaxis={"domain": [0.68, 1.0], "tickvals": [0], "ticktext": ["Windows"], "range": [-0.6, 0.6]},
        yaxis2={"domain": [0.0, 0.56], "range": [-1.08, 1.08], "tickvals": [-1, 0, 1], "anchor": "x"},
    )
    figure.update_xaxes(**timeline.time_axis(readings), showticklabels=False)
    figure.update_yaxes(showgrid=False, zeroline=False, fixedrange=True, automargin=False, tickfont={"size": 11})
    return figure


def _add_correlation(figure: go.Figure, windows: tuple[SyncWindow, ...]) -> None:
    xs: list[float | None] = []
    ys: list[float | None] = []
    text: list[str] = []
    for window in windows:
        if window.correlation is None:
            continue
        xs += [window.start_s, window.end_s, None]
        ys += [window.correlation, window.correlation, None]
        text += [_words(window), _words(window), ""]
    if xs:
        figure.add_hline(y=0, yref="y2", line={"width": 1, "dash": "dot", "color": _LINE})
        figure.add_scatter(
            x=xs, y=ys, yaxis="y2", mode="lines", line={"width": 2.5, "color": "#0072B2"}, text=text,
            hovertemplate="%{text}",
        )  # fmt: skip


def _words(window: SyncWindow) -> str:
    said = "no score" if window.logit is None else f"out of sync {score_text(sigmoid(window.logit))}"
    lines = [f"{clock(window.start_s)} to {clock(window.end_s)}", said]
    if window.correlation is not None:
        lines.append(f"lips and voice correlate at {window.correlation:+.2f}")
    if window.lag_s is not None:
        lines.append(lag_text(window.lag_s))
    return "<br>".join(lines) + "<extra></extra>"


def lag_text(lag_s: float) -> str:
    """e.g. "sound 0.12 s late"."""
    if abs(lag_s) < 0.005:
        return "sound in time"
    return f"sound {abs(lag_s):.2f} s {'late' if lag_s > 0 else 'early'}"
