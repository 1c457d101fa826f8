"""The models on offer: their cards in brief and the choice of which to run."""

from __future__ import annotations

import streamlit as st

from detector.analysis.types import Analysis
from detector.errors import ModelError
from detector.registry import Decision, ModelCard, available_models, default_model_ids
from pages.parts import markup


def cards() -> tuple[ModelCard, ...]:
    return available_models()


def decisions(analysis: Analysis) -> dict[str, Decision]:
    """Decision thresholds of the analysis's models, for those whose installed weights are still the same."""
    known = {card.model_id: card for card in cards()}
    return {
        result.model_id: known[result.model_id].decision
        for result in analysis.models
        if result.model_id in known and known[result.model_id].weights_sha256 == result.weights_sha256
    }


def choose() -> tuple[str, ...]:
    """Let the user pick models; the defaults are chosen. Shows each chosen model's card in brief."""
    try:
        offered = {card.model_id: card for card in cards()}
    except ModelError as error:
        st.error(str(error), icon=":material/error:")
        return ()
    if not offered:
        markup.empty("deployed_code", "No model is installed", "See the README on how to import or train one.")
        return ()
    chosen = st.multiselect(
        "Models",
        list(offered),
        default=[model_id for model_id in default_model_ids() if model_id in offered],
        format_func=lambda model_id: offered[model_id].title,
        key="analyse_models",
        help="Every chosen model scores every face. Where they disagree, the conclusion says so.",
    )
    for model_id in chosen:
        with st.expander(f"About this model: {markup.plain(offered[model_id].title)}"):
            show_card(offered[model_id])
    return tuple(chosen)


def show_card(card: ModelCard) -> None:
    """What a model is, what it was trained on, how it scored, and where it should not be trusted."""
    rows = [
        ("Model", card.model_id),
        ("Kind", card.kind),
        ("Crop", f"{card.crop.size_px} px, margin {card.crop.margin:g}, alignment {card.crop.alignment}"),
        ("Licence", card.licence),
        ("Weights SHA-256", card.weights_sha256),
    ]
    markup.facts(rows, mono=("Model", "Weights SHA-256"))
    for title, values in (("Training", card.training), ("Results", card.results)):
        flat = markup.flatten(values)
        if flat:
            markup.heading(title)
            markup.facts(flat)
    if card.limits:
        markup.heading("Limits")
        markup.bullets(card.limits)
