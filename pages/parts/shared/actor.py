"""The person who works in this browser: whose name everything done or opened here bears in the custody log.

It is asked for once and kept until the browser is closed, in a cookie that only says whom to propose after a reload.
There is no password behind it: it is what a person states, and the log treats it so.
"""

from __future__ import annotations

from urllib.parse import quote, unquote

import streamlit as st

from pages.parts.shared import markup, scripts

COOKIE = "framewitness_examiner"
MAX_CHARS = 80
_KEY = "actor"


def name() -> str:
    """The name chosen in this session; empty until there is one."""
    if _KEY not in st.session_state:
        st.session_state[_KEY] = _tidy(unquote(st.context.cookies.get(COOKIE, "")))
    return str(st.session_state[_KEY])


def required() -> str:
    """The name; where there is none yet, the form that asks for it, and then empty: nothing that is logged may be shown
    or done."""
    who = name()
    # Its place is there in any case: were what follows to move up once there is a name, an upload begun there would be
    # lost.
    with st.container(key="actor_asked", width=640):
        if not who:
            markup.empty(
                "badge",
                "Who is working here?",
                "Whatever you open or change goes into the custody log under your name. You are asked once.",
            )
            ask("page", "Continue")
    return who


def show() -> None:
    """The name in the page's head, and the way to change it."""
    who = name()
    with st.container(key="actor_head"):
        label = markup.plain(who) or "Who is working?"
        with st.popover(label, icon=":material/badge:", help="Whom the custody log names"):
            markup.note("Everything that is opened or changed in this browser is logged under this name.")
            ask("head", "Change" if who else "Continue")
        if who and st.context.cookies.get(COOKIE) != quote(who, safe=""):
            # Percent-encoded, so nothing in a name can end the cookie.
            scripts.run(scripts.SET_COOKIE, cookie=f"{COOKIE}={quote(who, safe='')}")


def ask(place: str, label: str) -> None:
    """The form that takes down the name; `place` tells it from others of the page."""
    with st.form(f"actor_form_{place}", border=False):
        given = st.text_input("Your name", key=f"actor_name_{place}", max_chars=MAX_CHARS, placeholder="as in reports")
        # By callback: a rerun here would come before the page's other widgets are drawn, and lose what they hold.
        sent = st.form_submit_button(
            label, type="primary", key=f"actor_set_{place}", on_click=_take, args=(f"actor_name_{place}",)
        )
    if sent and not _tidy(given):
        markup.problem("No name", "Please type your name as it should stand in the log.")


def _take(key: str) -> None:
    if given := _tidy(st.session_state[key]):
        st.session_state[_KEY] = given


def _tidy(text: str) -> str:
    """One line of printable characters."""
    shown = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(shown.split())[:MAX_CHARS]
