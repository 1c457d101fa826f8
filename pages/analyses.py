"""Analyses of the specialists: a folder that `analyses run` wrote as a dashboard, and two of them side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import streamlit as st

from pages.parts.analyses import analysis_files, panels
from pages.parts.analyses.analysis_files import Analyses
from pages.parts.shared import address, folders, markup
from pages.parts.shared.folders import FolderError

_COMMAND = "python -m detector analyses run --data data --out analyses writes such a folder."


def render() -> None:
    """Show the page: the analyses in a folder of this machine."""
    with st.container(horizontal=True, gap="medium"):
        text = _choose("Folder of analyses", "analyses", folders.named_folder(analysis_files.VARIABLE))
        beside = _choose("Compare with another folder", "beside", "")
    if not text:
        markup.empty(
            "query_stats",
            "No folder of analyses",
            "Type the path of a folder above, or start the program with "
            f"{analysis_files.VARIABLE} set to one. {_COMMAND}",
        )
        return
    found = _read(text, "These analyses cannot be shown")
    if found is None:
        return
    _show(found, _read(beside, "The other analyses cannot be shown") if beside else None)


def _choose(label: str, name: str, otherwise: str) -> str:
    """The folder typed in, else the address's, else `otherwise`."""
    key = f"{name}_folder"
    if key not in st.session_state:
        st.session_state[key] = getattr(address.read(), name) or otherwise
    change: Callable[[], None] = lambda: address.go(replace(address.read(), **{name: st.session_state[key] or None}))  # noqa: E731
    return st.text_input(
        label, key=key, placeholder="/path/to/analyses", icon=":material/folder:", on_change=change
    ).strip()


def _read(text: str, title: str) -> Analyses | None:
    try:
        return analysis_files.read(text)
    except FolderError as error:
        markup.problem(title, str(error))
        return None


def _show(found: Analyses, other: Analyses | None) -> None:
    data = found.data
    markup.title(
        f"Specialists on {data.folder}",
        f"{data.clips.real} genuine and {data.clips.fake} manipulated clips ({data.use}), called at score 0.5 · "
        f"{found.folder}",
    )
    for problem in found.problems:
        markup.problem("A file of these analyses is left out", problem)
    if found.lists > 1:
        markup.problem(
            "Files of several runs",
            "The files in this folder were made from different lists of clips. Run analyses run again into it.",
        )
    overview, model, clips, roadmap, compare = st.tabs(["Overview", "Specialist", "Clips", "Roadmap", "Compare"])
    with overview:
        panels.show_overview(found)
    with model:
        panels.show_model(found)
    with clips:
        panels.show_clips(found)
    with roadmap:
        panels.show_roadmap(found.roadmap)
    with compare:
        if other is None:
            markup.empty("compare", "Nothing to compare with", "Name another folder of analyses above.")
        else:
            panels.show_beside(found, other)
