"""One model's card as an examiner reads it: what it is, what it was trained on, what was measured, where it fails."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from detector.analysis.types import sigmoid
from detector.errors import FramewitnessError
from detector.registry import ModelCard, weights_dir
from pages.parts import architecture, block_diagram, markup, measured_table, reliability_chart, services
from pages.parts.measured import Measured, counts_text, words
from pages.parts.wording import KINDS, size_text

_DRAWING_PX = 460
_LONG = {"ece": "Expected calibration error", "brier": "Brier score"}


def show(card: ModelCard) -> None:
    """The whole card, section by section; a section without content is left out."""
    with st.container(horizontal=True, gap="large"):
        with st.container(width=_DRAWING_PX + 10):
            markup.heading("Architecture")
            drawn = architecture.diagram(card, _shares(card))
            dark = st.context.theme.type == "dark"
            markup.drawing(block_diagram.svg(drawn, dark=dark, width_px=_DRAWING_PX), drawn.in_words())
        with st.container(width="stretch", key=f"model_facts_{card.model_id}"):
            _show_facts(card)
            _show_limits(card)
    measured = Measured.of(card)
    _show_results(measured)
    _show_calibration(card, measured)
    _show_training(card)


def file_size(card: ModelCard) -> int | None:
    """Bytes of the weights file, None where it is missing."""
    path = weights_dir() / card.weights_file
    return path.stat().st_size if path.is_file() else None


def _show_facts(card: ModelCard) -> None:
    markup.heading("Facts")
    size = file_size(card)
    decision = card.decision
    rows = [
        ("Model", card.model_id),
        ("Kind", KINDS.get(card.kind, card.kind)),
        ("Parameters", f"{card.parameters:,}"),
        ("Input", _input_text(card)),
        ("Likely manipulated from", _threshold(decision.likely_manipulated_logit)),
        ("No manipulation found to", _threshold(decision.no_manipulation_logit)),
        ("Thresholds set on", decision.basis),
        ("Weights", card.weights_file),
        ("File size", "missing" if size is None else size_text(size)),
        ("Weights SHA-256", card.weights_sha256),
        ("Licence", card.licence),
    ]
    markup.facts(rows, mono=("Model", "Weights", "Weights SHA-256"))


def _threshold(logit: float) -> str:
    return f"{sigmoid(logit):.3f} (logit {logit:+.2f})"


def _input_text(card: ModelCard) -> str:
    crop = card.crop
    if card.kind == "ensemble":
        return f"the scores of {len(card.inputs.get('members', []))} members"
    picture = f"{crop.size_px} × {crop.size_px} px, margin {100 * crop.margin:.0f} %, alignment {crop.alignment}"
    if card.kind == "sequence":
        return f"features of {card.inputs.get('trunk', 'its trunk')}, which reads {picture}"
    return picture


def _show_limits(card: ModelCard) -> None:
    if card.limits:
        markup.heading("Limits")
        markup.bullets(card.limits)


def _show_results(measured: Measured) -> None:
    if not (measured.measurements or measured.tables or measured.facts):
        markup.heading("Results")
        markup.empty(
            "straighten", "Nothing measured", "This card carries no results, so nothing is known of its errors."
        )
        return
    for group, rows in measured.groups().items():
        markup.heading(f"Results · {group}" if group else "Results", "95 % intervals · dashed: chance")
        measured_table.show(rows)
    for table in measured.tables:
        markup.heading("Results · " + " · ".join(words(part) for part in table.path))
        measured_table.show_other(table)
    if measured.facts:
        markup.heading("How it was measured" if measured.measurements else "Results")
        markup.facts(measured.facts)


def _show_calibration(card: ModelCard, measured: Measured) -> None:
    markup.heading("Calibration", "does a score of 0.8 mean 8 in 10?")
    if not measured.reliability:
        markup.note(
            "Not calibrated. Its scores order faces from less to more suspicious; they are not probabilities, and a "
            "score of 0.8 does not mean that 8 in 10 such faces are manipulated."
        )
        return
    with st.container(horizontal=True, gap="large"):
        for index, reliability in enumerate(measured.reliability):
            with st.container(width=440):
                st.plotly_chart(
                    reliability_chart.figure(reliability),
                    key=f"reliability_{card.model_id}_{index}",
                    width="content",
                    config={"displayModeBar": False},
                )
                measured_on = " · ".join(words(part) for part in reliability.path[:-1])
                markup.note(
                    f"Measured on {measured_on}. Points on the dashed line mean what they say; above it more was "
                    "manipulated than the score tells, below it less. Genuine and manipulated weigh alike, however "
                    "many there were of each. Larger points rest on more cases."
                )
                markup.facts([(_LONG.get(name, name), value) for name, value in reliability.facts])


def _show_training(card: ModelCard) -> None:
    if not card.training:
        return
    markup.heading("Training")
    counted = {name: value for name, value in card.training.items() if _is_counts(value)}
    loose = {name: value for name, value in card.training.items() if name not in counted}
    with st.container(horizontal=True, gap="large"):
        with st.container(width=520):
            markup.facts(markup.flatten(loose))
        with st.container(width=430):
            for name, values in counted.items():
                measured_table.show_counts(words(name), values)


def _is_counts(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(item, int) for item in value.values())


def _shares(card: ModelCard) -> tuple[float, ...]:
    """An ensemble's shares with every member present and undecided; empty where they cannot be had."""
    members = card.inputs.get("members", [])
    if card.kind != "ensemble" or not members:
        return ()
    import numpy as np

    try:
        model = services.model(card.model_id, card.weights_sha256)
        shares = model.fuse(np.zeros((1, len(members))), np.ones((1, len(members)), bool))[1][0]
    except FramewitnessError:
        return ()
    return tuple(float(share) for share in shares)


def headline(card: ModelCard) -> str:
    """The one figure that stands for the card, with its data and size, or that there is none."""
    row = Measured.of(card).main
    if row is None:
        return "nothing measured"
    text = f"AUC {row.auc:.2f}"
    if row.interval is not None:
        text += f" ({row.interval[0]:.2f} to {row.interval[1]:.2f})"
    counts = counts_text(row)
    return f"{text} on {' · '.join(words(part) for part in row.path)}{f', {counts}' if counts else ''}"
