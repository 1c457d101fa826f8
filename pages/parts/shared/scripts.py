"""The scripts that pages run, each a constant: the Content-Security-Policy allows exactly these by their hashes.

What changes from run to run goes into a data attribute beside the script, where nothing in it can be code.
"""

from __future__ import annotations

from html import escape

import streamlit as st

SET_COOKIE = (
    "for (const one of document.querySelectorAll('[data-fw-cookie]'))"
    " document.cookie = one.dataset.fwCookie + '; path=/; SameSite=Strict';"
)
SCROLL_TO_TOP = "document.querySelector('.stMain')?.scrollTo({top: 0});"
ALL = (SET_COOKIE, SCROLL_TO_TOP)


def run(script: str, *, cookie: str = "", turn: int = 0) -> None:
    """Run one of `ALL` in the browser: with `cookie` (name=value) for `SET_COOKIE`, again for each new `turn`."""
    if script not in ALL:
        raise ValueError("Expected one of the scripts in ALL: the browser refuses any other.")
    given = f' data-fw-cookie="{escape(cookie)}"' if cookie else ""
    st.html(f'<span hidden data-fw-turn="{turn}"{given}></span><script>{script}</script>', unsafe_allow_javascript=True)
