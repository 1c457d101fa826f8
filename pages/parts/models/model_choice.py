"""The models on offer: their cards in brief and the choice of which to run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from detector.analysis.kinds import kind_of
from detector.analysis.strength import thresholds_in_force
from detector.analysis.types import Analysis, ModelResult
from detector.errors import ModelError
from detector.evidence.text import revealed
from detector.registry import ModelCard, Thresholds, available_models, default_model_ids
from pages.parts.models import model_card
from pages.parts.shared import markup, navigation, preferences
from pages.parts.shared.address import Place

_DEFAULT, _ONE, _SEVERAL = "default", "one", "several"
_WORDS = {_DEFAULT: "The default set", _ONE: "One model", _SEVERAL: "Several models"}


def cards() -> tuple[ModelCard, ...]:
    """Every installed model's card, ensembles first. Raises ModelError for a broken card."""
    return tuple(sorted(available_models(), key=lambda card: kind_of(card).rank))


def card_of(result: ModelResult) -> ModelCard | None:
    """The installed card of a result's model; None where it is not there or of other weights."""
    same = (card for card in cards() if card.weights_sha256 == result.weights_sha256)
    return next((card for card in same if card.model_id == result.model_id), None)


def names_of(model_ids: Sequence[str]) -> list[str]:
    """The names of installed models; the id of one that is not installed, or where the models cannot be listed."""
    try:
        known = {card.model_id: card.name for card in cards()}
    except ModelError:
        known = {}
    return [known.get(model_id, model_id) for model_id in model_ids]


def decisions(analysis: Analysis) -> dict[str, Thresholds]:
    """Decision thresholds of the analysis's models, for those whose installed weights are still the same; of the one
    that decided by a laboratory's policy those that were in force."""
    known = {card.model_id: card for card in cards()}
    return {
        result.model_id: thresholds_in_force(result.model_id, known[result.model_id].thresholds, analysis.calibration)
        for result in analysis.models
        if result.model_id in known and known[result.model_id].weights_sha256 == result.weights_sha256
    }


def default_ids() -> tuple[str, ...]:
    """One's own default as far as it is installed, else the shipped one. Raises ModelError."""
    installed = {card.model_id for card in cards()}
    own = tuple(model_id for model_id in preferences.default_models() if model_id in installed)
    return own or default_model_ids()


def grouped(offered: Sequence[ModelCard], default: Sequence[str]) -> dict[str, list[ModelCard]]:
    """The models as a list shows them: the default set in its own order, what its ensembles are made of, the rest."""
    known = {card.model_id: card for card in offered}
    first = [model_id for model_id in default if model_id in known]
    members = [model_id for name in first for model_id in _members(known[name]) if model_id in known]
    second = [model_id for model_id in dict.fromkeys(members) if model_id not in first]
    rest = [model_id for model_id in known if model_id not in first and model_id not in second]
    groups = {"The default set": first, "Its members": second, "Other models": rest}
    return {title: [known[model_id] for model_id in ids] for title, ids in groups.items() if ids}


def _members(card: ModelCard) -> list[str]:
    return [str(member["model_id"]) for member in card.inputs.get("members", ())]


def preselected(models: Mapping[str, str], least: int) -> list[str]:
    """What a comparison of `models` (name -> model id, the newest first) opens with: the ensemble of the default set
    and its members, each once, and of the rest as many as make `least` in all; in their own order."""
    wanted = _fused_by_default()
    first: dict[str, str] = {}
    for name, model_id in models.items():
        if model_id in wanted:
            first.setdefault(model_id, name)
    chosen = set(first.values())
    rest = [name for name in models if name not in chosen]
    chosen.update(rest[: max(0, least - len(chosen))])
    return [name for name in models if name in chosen]


def _fused_by_default() -> set[str]:
    """The ensembles of the default set with their members; none where the installed models cannot be listed."""
    try:
        known, default = {card.model_id: card for card in cards()}, default_ids()
    except ModelError:
        return set()
    members = {name: _members(known[name]) for name in default if name in known}
    return {id_ for name, own in members.items() if own for id_ in (name, *own)}


def choose(key: str = "analyse") -> tuple[str, ...]:
    """Let the user pick the default set, one model or several, each with what was measured about it; the widgets' keys
    begin with `key`."""
    try:
        offered = {card.model_id: card for card in cards()}
        default = default_ids() if offered else ()
    except ModelError as error:
        markup.problem("The installed models cannot be listed", str(error))
        return ()
    if not offered:
        markup.empty("deployed_code", "No model is installed", "docs/command-line.md says how to train one.")
        return ()
    ways = [_DEFAULT, _ONE, _SEVERAL] if len(offered) > 1 else [_DEFAULT]
    way = st.radio(
        "Models",
        ways,
        format_func=lambda name: _WORDS[name],
        captions=[
            markup.plain("; ".join(offered[model_id].name for model_id in default)),
            "One model alone.",
            "Where they disagree, the conclusion says so.",
        ][: len(ways)],
        key=f"{key}_models",
        horizontal=True,
    )
    chosen = default if way == _DEFAULT else _pick(way, offered, default, key)
    telling, beside = _deciding_first([offered[model_id] for model_id in chosen])
    for card in telling:
        markup.note(f"{card.name}. {kind_of(card).title} · {model_card.headline(card)}")
    if beside:
        markup.note(f"Without a vote in the score: {'; '.join(card.name for card in beside)}.")
    navigation.link(
        "models", "Cards of the models: what each was measured on", Place(), icon=":material/deployed_code:"
    )
    return chosen


def _deciding_first(chosen: Sequence[ModelCard]) -> tuple[list[ModelCard], list[ModelCard]]:
    """Those whose figures say what a conclusion is worth, and those that it leaves out: beside an ensemble none but its
    members counts."""
    fusing = [card for card in chosen if kind_of(card).fuses]
    if not fusing:
        return list(chosen), []
    members = {model_id for card in fusing for model_id in _members(card)}
    return fusing, [card for card in chosen if card not in fusing and card.model_id not in members]


def _pick(way: str, offered: Mapping[str, ModelCard], default: Sequence[str], key: str) -> tuple[str, ...]:
    def name(model_id: str) -> str:
        return revealed(offered[model_id].name)

    if way == _ONE:
        return (st.selectbox("Model", list(offered), format_func=name, key=f"{key}_one", label_visibility="collapsed"),)
    return tuple(
        st.multiselect(
            "Several models",
            list(offered),
            default=[model_id for model_id in default if model_id in offered],
            format_func=name,
            key=f"{key}_several",
            label_visibility="collapsed",
        )
    )
