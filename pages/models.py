"""Models: every installed model's card, which of them an analysis uses, and how they compare."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from detector.analysis.kinds import kind_of
from detector.errors import ModelError
from detector.registry import ModelCard, standing
from pages.parts.models import model_card, model_choice, model_comparison
from pages.parts.shared import address, markup, preferences


def render() -> None:
    """Show the page: the installed models and the chosen one's card."""
    try:
        cards, default = model_choice.cards(), model_choice.default_ids()
    except ModelError as error:
        markup.problem("The installed models cannot be listed", str(error))
        return
    if not cards:
        markup.empty("deployed_code", "No model is installed", "docs/command-line.md says how to train one.")
        return
    known = {card.model_id: card for card in cards}
    wanted = address.read().model
    left, right = st.columns([2, 6], gap="large")
    shown = known.get(wanted or "") or known.get(next(iter(default), "")) or cards[0]
    with left.container(key="model_list"):
        for title, group in model_choice.grouped(cards, default).items():
            markup.heading(title, str(len(group)))
            for card in group:
                _show_line(card, chosen=card is shown)
    with right:
        if wanted is not None and wanted not in known:
            markup.problem("There is no such model", f"{wanted} is not installed; {shown.name} is shown instead.")
        _show_model(shown, cards, default)


def _show_line(card: ModelCard, *, chosen: bool) -> None:
    with st.container(border=True, gap=None, key=f"model_line_{card.model_id}"):
        st.button(
            markup.plain(card.name),
            key=f"open_model_{card.model_id}",
            type="tertiary",
            icon=":material/arrow_right:" if chosen else f":material/{kind_of(card).icon}:",
            on_click=lambda: address.go(replace(address.read(), model=card.model_id)),
            help=markup.plain(f"{card.title} ({card.model_id})"),
        )
        markup.states(model_card.standing_marks(card))
        markup.note(kind_of(card).title)


def _show_model(card: ModelCard, cards: tuple[ModelCard, ...], default: tuple[str, ...]) -> None:
    about, actions = st.columns([5, 3], vertical_alignment="center")
    with about:
        markup.title(card.name, kind_of(card).about or kind_of(card).title)
    with actions.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center", gap="small"):
        _offer_default(card, cards, default)
        verify = st.button(
            "Verify",
            icon=":material/verified_user:",
            key="models_verify",
            help="Read the weights anew: file, SHA-256, every key and shape, and the models it builds on; and whether "
            "card and weights are those that were shipped.",
        )
    if verify:
        _verify(card)
    parts = {**model_card.PARTS, "Compare": lambda one: model_comparison.show(model_comparison.choose(cards, one))}
    for tab, show in zip(st.tabs(list(parts), key="model_part", on_change="rerun"), parts.values(), strict=True):
        if tab.open:  # the others are drawn once they are opened: to draw an ensemble takes loading it
            with tab:
                show(card)


def _offer_default(card: ModelCard, cards: tuple[ModelCard, ...], default: tuple[str, ...]) -> None:
    """Add the model to one's own default, or take it out; the shipped default stays one click away."""
    own = preferences.default_models()
    names = {one.model_id: one.name for one in cards}
    inside = card.model_id in default
    alone = inside and len(default) == 1

    def change() -> None:
        ids = tuple(one for one in default if one != card.model_id) if inside else (*default, card.model_id)
        preferences.keep_default_models(ids)

    if own:
        st.button(
            "Shipped default",
            icon=":material/undo:",
            key="models_default_reset",
            on_click=lambda: preferences.keep_default_models(()),
            help=f"Your own default: {markup.plain('; '.join(names.get(one, one) for one in own))}. Go back to the one "
            "shipped with the program.",
        )
    st.button(
        "Leave out by default" if inside else "Use by default",
        icon=":material/remove_circle:" if inside else ":material/add_circle:",
        key="models_default",
        disabled=alone,
        on_click=change,
        help="At least one model has to be in the default set."
        if alone
        else "Whether the Analyse page chooses this model unless told otherwise. Kept on this machine.",
    )


def _verify(card: ModelCard) -> None:
    with st.spinner("Reading the weights…"):
        from detector.registry import verify_model  # imports torch

        try:
            verify_model(card.model_id)
        except ModelError as error:
            markup.problem("This model does not verify; it will not be used", str(error))
            return
    fit = f"The weights have the card's SHA-256 ({card.weights_sha256[:16]}…) and fit the architecture key by key."
    found = standing(card)
    if found in ("changed", "unsigned"):
        markup.problem("This model is not known to be the one shipped", f"{fit} {model_card.STANDINGS[found]}")
    else:
        markup.outcome("verified_user", "var(--fw-blue)", "Verified", f"{fit} {model_card.STANDINGS[found]}")
