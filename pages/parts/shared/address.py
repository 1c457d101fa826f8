"""The user's place, as the page's address says it, so that a link leads another person to the same frame."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

NAMES = ("case", "exhibit", "record", "track", "pts", "model", "runs", "run", "analyses", "beside", "evaluation")


@dataclass(frozen=True, slots=True)
class Place:
    """Ids as the store gave them, a model's id, a folder of training runs and the name of one in it, a folder of
    analyses and another to compare it with, a folder that an evaluation wrote; None where the address does not say (or
    says something that is no number)."""

    case: str | None = None
    exhibit: str | None = None
    record: str | None = None
    track: int | None = None
    pts: int | None = None
    model: str | None = None
    runs: str | None = None
    run: str | None = None
    analyses: str | None = None
    beside: str | None = None
    evaluation: str | None = None

    def params(self) -> dict[str, str]:
        """The place as parameters of an address, those not set left out."""
        values = {name: getattr(self, name) for name in NAMES}
        return {name: str(value) for name, value in values.items() if value is not None}


NOWHERE = Place()


def read() -> Place:
    """The place that the page's address names."""
    given = st.query_params
    return Place(
        case=given.get("case"),
        exhibit=given.get("exhibit"),
        record=given.get("record"),
        track=_number(given.get("track")),
        pts=_number(given.get("pts")),
        model=given.get("model"),
        runs=given.get("runs"),
        run=given.get("run"),
        analyses=given.get("analyses"),
        beside=given.get("beside"),
        evaluation=given.get("evaluation"),
    )


def go(place: Place) -> None:
    """Put `place` in the address of the page being shown."""
    st.query_params.from_dict(place.params())


def _number(text: str | None) -> int | None:
    try:
        return None if text is None else int(text)
    except ValueError:
        return None
