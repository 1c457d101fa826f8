"""Several cards side by side, row by row of what was measured."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from detector.analysis.kinds import kind_of
from detector.evidence.text import revealed
from detector.registry import ModelCard
from pages.parts.models.model_card import file_size
from pages.parts.shared import markup, measurement_table
from pages.parts.shared.wording import size_text


def show(cards: Sequence[ModelCard]) -> None:
    """Facts and measured rows of at least two cards; a dash where one was not measured on what another was."""
    if len(cards) < 2:
        markup.empty("compare", "Nothing to compare with", "Choose at least one other model above.")
        return
    titles = [card.name for card in cards]
    rows: list[tuple[str, list[str]]] = [
        ("kind", [kind_of(card).title for card in cards]),
        ("parameters", [f"{card.parameters:,}" for card in cards]),
        ("file size", [_size(card) for card in cards]),
        ("input", [kind_of(card).input_text(card) for card in cards]),
    ]
    measurement_table.show_text("", titles, rows)
    measurement_table.compare(titles, [card.results.measurements for card in cards])
    markup.note(
        "Each figure is its card's own. Two are comparable only where the row names the same data and the counts "
        "agree; overlapping intervals do not tell two models apart."
    )


def choose(offered: Sequence[ModelCard], first: ModelCard) -> tuple[ModelCard, ...]:
    """`first` and whichever others the user picks, in the order of the list."""
    others = {card.model_id: card for card in offered if card.model_id != first.model_id}
    chosen = st.multiselect(
        "Compare with",
        list(others),
        default=list(others)[:2],
        format_func=lambda model_id: revealed(others[model_id].name),
        key=f"models_compare_{first.model_id}",
    )
    return (first, *(others[model_id] for model_id in chosen))


def _size(card: ModelCard) -> str:
    size = file_size(card)
    return "missing" if size is None else size_text(size).split(" (")[0]
