"""The models on offer: their cards in brief and the choice of which to run."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from detector.analysis.types import Analysis
from detector.errors import ModelError
from detector.registry import Decision, ModelCard, available_models, default_model_ids
from pages.parts import markup, model_card, navigation, preferences
from pages.parts.address import Place
from pages.parts.wording import KIND_ORDER, KINDS

_DEFAULT, _SEVERAL = "*default", "*several"
_WORDS = {_DEFAULT: "The default set", _SEVERAL: "Several models"}


def cards() -> tuple[ModelCard, ...]:
    """Every installed model's card, ensembles first. Raises ModelError for a broken card."""
    order = list(KIND_ORDER)
    return tuple(sorted(available_models(), key=lambda card: order.index(card.kind) if card.kind in order else 99))


def decisions(analysis: Analysis) -> dict[str, Decision]:
    """Decision thresholds of the analysis's models, for those whose installed weights are still the same."""
    known = {card.model_id: card for card in cards()}
    return {
        result.model_id: known[result.model_id].decision
        for result in analysis.models
        if result.model_id in known and known[result.model_id].weights_sha256 == result.weights_sha256
    }


def default_ids() -> tuple[str, ...]:
    """One's own default as far as it is installed, else the shipped one. Raises ModelError."""
    installed = {card.model_id for card in cards()}
    own = tuple(model_id for model_id in preferences.default_models() if model_id in installed)
    return own or default_model_ids()


def choose() -> tuple[str, ...]:
    """Let the user pick the default set, one model or several; each with what was measured about it."""
    try:
        offered = {card.model_id: card for card in cards()}
        default = default_ids() if offered else ()
    except ModelError as error:
        markup.problem("The installed models cannot be listed", str(error))
        return ()
    if not offered:
        markup.empty("deployed_code", "No model is installed", "See the README on how to import or train one.")
        return ()
    options = [_DEFAULT, *offered, _SEVERAL] if len(offered) > 1 else [_DEFAULT]
    captions = [_default_caption([offered[model_id] for model_id in default])]
    if len(offered) > 1:
        captions += [_caption(card) for card in offered.values()]
        captions.append("Where they disagree, the conclusion says so.")
    chosen = st.radio(
        "Models",
        options,
        format_func=lambda option: markup.plain(offered[option].title) if option in offered else _WORDS[option],
        captions=captions,
        key="analyse_models",
    )
    navigation.link(
        "models", "Cards of the models: what each was measured on", Place(), icon=":material/deployed_code:"
    )
    if chosen == _DEFAULT:
        return default
    if chosen != _SEVERAL:
        return (chosen,)
    picked = st.multiselect(
        "Several models",
        list(offered),
        default=[model_id for model_id in default if model_id in offered],
        format_func=lambda model_id: offered[model_id].title,
        key="analyse_several",
        label_visibility="collapsed",
    )
    return tuple(picked)


def _default_caption(chosen: Sequence[ModelCard]) -> str:
    if len(chosen) == 1:
        return f"{markup.plain(chosen[0].title)} · {_caption(chosen[0])}"
    return markup.plain(", ".join(card.model_id for card in chosen))


def _caption(card: ModelCard) -> str:
    return markup.plain(f"{KINDS.get(card.kind, card.kind)} · {model_card.headline(card)}")
