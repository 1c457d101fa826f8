"""Compare: models side by side, on one exhibit frame by frame, and on a data set whose truth is known."""

from __future__ import annotations

import streamlit as st

from detector.errors import StoreError
from pages.parts.compare import exhibit_choice, side_by_side
from pages.parts.shared import actor, address, markup

_EXHIBIT, _SET = "One exhibit", "A data set"


def render() -> None:
    """Show the page: the chosen models on the chosen exhibit, or on the files of an evaluation."""
    who = actor.required()
    if not who:
        return
    what = st.segmented_control(
        "Compare on",
        [_EXHIBIT, _SET],
        default=_SET if address.read().evaluation else _EXHIBIT,
        required=True,
        key="compare_on",
        label_visibility="collapsed",
    )
    try:
        if what == _SET:
            from pages.parts.compare import data_set  # its measures take half a second to import

            data_set.show()
            return
        exhibit = exhibit_choice.choose(who)
        if exhibit is not None:
            side_by_side.show(exhibit, who)
    except StoreError as error:
        markup.problem("This exhibit cannot be compared", str(error))
