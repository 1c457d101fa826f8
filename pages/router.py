"""The script that Streamlit runs for every session: the frame around the pages and the way between them."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from pages import analyse, cases, examine, models, training
from pages.parts import navigation, style
from pages.parts.navigation import PageName

# A named icon would be fetched from the network.
_PICTURES = Path(__file__).parent / "parts"


def main(first: PageName = "analyse") -> None:
    """Draw the page that the address names; `first` is the one shown where it names none."""
    st.set_page_config(page_title="Framewitness", page_icon=str(_PICTURES / "favicon.svg"), layout="wide")
    st.logo(str(_PICTURES / "logo.svg"), size="medium")
    style.apply()
    pages: dict[PageName, StreamlitPage] = {
        "analyse": st.Page(
            analyse.render,
            title="Analyse",
            icon=":material/upload_file:",
            url_path="analyse",
            default=first == "analyse",
        ),
        "examine": st.Page(
            examine.render,
            title="Examine",
            icon=":material/frame_inspect:",
            url_path="examine",
            default=first == "examine",
        ),
        "cases": st.Page(
            cases.render,
            title="Cases",
            icon=":material/folder_open:",
            url_path="cases",
            default=first == "cases",
        ),
        "models": st.Page(
            models.render,
            title="Models",
            icon=":material/deployed_code:",
            url_path="models",
            default=first == "models",
        ),
        "training": st.Page(
            training.render,
            title="Training runs",
            icon=":material/monitoring:",
            url_path="training",
            default=first == "training",
        ),
    }
    navigation.register(pages)
    st.navigation(list(pages.values()), position="top").run()


# A spawned worker imports the parent's main module under another name; only Streamlit runs it as __main__.
if __name__ == "__main__":
    main()
