"""The scripts that pages run, each a constant: the Content-Security-Policy allows exactly these by their hashes.

What changes from run to run goes into a data attribute beside the script, where nothing in it can be code.
"""

from __future__ import annotations

from html import escape
from typing import Final, get_args

import streamlit as st

from pages.parts.shared.navigation import PageName

SET_COOKIE = (
    "for (const one of document.querySelectorAll('[data-fw-cookie]'))"
    " document.cookie = one.dataset.fwCookie + '; path=/; SameSite=Strict';"
)
SCROLL_TO_TOP = "document.querySelector('.stMain')?.scrollTo({top: 0});"
# What assistive technology looks for and Streamlit leaves out: the main landmark, and a link past the head as the first
# thing that Tab reaches (WCAG 2.2, 2.4.1). It is put before Streamlit's own root, which redraws only what is in it.
LANDMARKS: Final = """
const main = document.querySelector('.stMain');
if (main && !document.querySelector('.fw-skip')) {
  const skip = document.createElement('button');
  skip.className = 'fw-skip';
  skip.textContent = 'Skip to the content';
  skip.addEventListener('click', () => document.querySelector('.stMain')?.focus());
  document.body.prepend(skip);
}
if (main) { main.setAttribute('role', 'main'); main.tabIndex = -1; }
"""
# Streamlit's menu keeps Light, Dark or System under the path of the page that was loaded: the choice is meant for all.
# It doesn't run the page again, which draws charts in colours of the theme: a button that nobody sees does.
KEEP_THEME: Final = f"""
if (!window.framewitnessTheme) {{
  window.framewitnessTheme = true;
  const key = path => `stActiveTheme-${{path}}-v2`;
  const loaded = new URL(performance.getEntriesByType('navigation')[0].name).pathname;
  const base = loaded.slice(0, loaded.lastIndexOf('/') + 1);
  let kept = localStorage.getItem(key(loaded));
  document.addEventListener('click', () => setTimeout(() => {{
    const chosen = localStorage.getItem(key(loaded));
    if (!chosen || chosen === kept) return;
    kept = chosen;
    for (const page of {["", *get_args(PageName)]}) localStorage.setItem(key(base + page), chosen);
    document.querySelector('.st-key-theme_changed button')?.click();
  }}, 50));
}}
"""
ALL = (SET_COOKIE, SCROLL_TO_TOP, LANDMARKS, KEEP_THEME)


def run(script: str, *, cookie: str = "", turn: int = 0) -> None:
    """Run one of `ALL` in the browser: with `cookie` (name=value) for `SET_COOKIE`, again for each new `turn`."""
    if script not in ALL:
        raise ValueError("Expected one of the scripts in ALL: the browser refuses any other.")
    given = f' data-fw-cookie="{escape(cookie)}"' if cookie else ""
    st.html(f'<span hidden data-fw-turn="{turn}"{given}></span><script>{script}</script>', unsafe_allow_javascript=True)
