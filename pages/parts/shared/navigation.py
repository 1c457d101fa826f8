"""Ways from one page to another. The router says which pages there are; each session keeps its own list of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NoReturn

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from pages.parts.shared import address
from pages.parts.shared.address import Place

PageName = Literal[
    "analyse", "examine", "compare", "cases", "calibration", "models", "training", "validation", "analyses", "glossary"
]
_KEY = "navigation_pages"


def register(pages: dict[PageName, StreamlitPage]) -> None:
    """Keep the session's pages, so that others can link to them."""
    st.session_state[_KEY] = pages


def link(page: PageName, label: str, place: Place, *, icon: str | None = None, help: str | None = None) -> None:
    """A real link, which can be opened in another tab. `label` is markdown: escape what is not ours."""
    st.page_link(st.session_state[_KEY][page], label=label, icon=icon, query_params=place.params(), help=help)


def within(label: str, place: Place, *, key: str, icon: str | None = None) -> None:
    """The way to another place of the page being drawn: of a link to the same page Streamlit shows the place, and
    leaves the browser's address as it was."""
    if st.button(label, key=key, icon=icon, type="tertiary"):
        address.go(place)
        st.rerun()


def go(page: PageName, params: Mapping[str, str]) -> NoReturn:
    """Leave the page being drawn for another."""
    st.switch_page(st.session_state[_KEY][page], query_params=dict(params))
