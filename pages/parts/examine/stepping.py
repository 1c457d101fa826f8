"""Moving through the frames: buttons that also answer to the arrow keys, one frame or ten at a time."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from pages.parts.shared.readings import nearest, step

STEPS = (
    (-10, "10 back", ":material/keyboard_double_arrow_left:", "Shift+Left"),
    (-1, "Back", ":material/chevron_left:", "Left"),
    (1, "Next", ":material/chevron_right:", "Right"),
    (10, "10 on", ":material/keyboard_double_arrow_right:", "Shift+Right"),
)


def show(moments: tuple[int, ...], pts: int, on_move: Callable[[int], None], *, view: str = "") -> None:
    """Four buttons around the position; `on_move` receives the PTS to go to. `moments` must not be empty. Fragments
    that can follow each other on a page need a `view` each: a key pressed would go to the one that is gone."""
    here = nearest(moments, pts)
    for by, label, icon, shortcut in STEPS:
        at_end = (here == 0 and pts <= moments[0]) if by < 0 else (here == len(moments) - 1 and pts >= moments[-1])
        st.button(
            label,
            icon=icon,
            shortcut=shortcut,
            disabled=at_end,
            key=f"{view}step_{by}",
            on_click=on_move,
            args=(step(moments, pts, by),),
        )
