"""The script that Streamlit runs for every session: the frame around the pages and the way between them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import streamlit as st

from detector import __version__
from pages import analyse, analyses, calibration, cases, compare, examine, glossary, models, training, validation
from pages.parts.shared import actor, markup, navigation, scripts, style
from pages.parts.shared.navigation import PageName

# A named icon would be fetched from the network.
_PICTURES = Path(__file__).parent / "parts"


# Narrow windows have room for the way of an exhibit alone: what is known of the models opens as one menu.
_WORK, _MODELS = "", "About the models"


class _Entry(NamedTuple):
    render: Callable[[], None]
    title: str
    icon: str
    section: str = _MODELS


_PAGES: dict[PageName, _Entry] = {
    "analyse": _Entry(analyse.render, "Analyse", ":material/upload_file:", _WORK),
    "examine": _Entry(examine.render, "Examine", ":material/frame_inspect:", _WORK),
    "compare": _Entry(compare.render, "Compare", ":material/compare:", _WORK),
    "cases": _Entry(cases.render, "Cases", ":material/folder_open:", _WORK),
    "calibration": _Entry(calibration.render, "Calibration", ":material/straighten:"),
    "models": _Entry(models.render, "Models", ":material/deployed_code:"),
    "training": _Entry(training.render, "Training runs", ":material/monitoring:"),
    "validation": _Entry(validation.render, "Validation", ":material/verified:"),
    "analyses": _Entry(analyses.render, "Analyses", ":material/query_stats:"),
    "glossary": _Entry(glossary.render, "Glossary", ":material/menu_book:"),
}


def main(first: PageName | None = None) -> None:
    """Draw the page that the address names. The bare address leads to Analyse, or shows `first`."""
    st.set_page_config(
        page_title="Framewitness",
        page_icon=str(_PICTURES / "favicon.svg"),
        layout="wide",
        menu_items={"About": f"Framewitness {__version__}. Nothing leaves this machine."},
    )
    st.logo(str(_PICTURES / "logo.svg"), size="medium")
    style.apply()
    pages = {
        name: st.Page(entry.render, title=entry.title, icon=entry.icon, url_path=name, default=name == first)
        for name, entry in _PAGES.items()
    }
    listed = {
        section: [pages[name] for name, entry in _PAGES.items() if entry.section == section]
        for section in (_WORK, _MODELS)
    }
    if first is None:
        # Streamlit serves its default page at the bare address only: were Analyse the default, /analyse would not be
        # found.
        listed[_WORK].append(st.Page(_start, title="Framewitness", url_path="start", default=True, visibility="hidden"))
    navigation.register(pages)
    page = st.navigation(listed, position="top")
    with st.container(key="page_head"):
        markup.page_heading(page.title)
        scripts.run(scripts.LANDMARKS)
        # Charts are drawn in the colours of the theme that the browser names with each run of this script.
        st.button("Draw again in this theme", key="theme_changed")
        scripts.run(scripts.KEEP_THEME)
    actor.show()
    page.run()


def _start() -> None:
    navigation.go("analyse", {name: st.query_params[name] for name in st.query_params})


# A spawned worker imports the parent's main module under another name; only Streamlit runs it as __main__.
if __name__ == "__main__":
    main()
