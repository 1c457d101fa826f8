"""An exhibit that was put into the wrong case: the way to file it in another, and where those went that were."""

from __future__ import annotations

import streamlit as st

from detector.cases import Case, CaseFilter, Exhibit
from detector.errors import StoreError
from detector.evidence.text import revealed
from pages.parts.shared import address, markup, services
from pages.parts.shared.address import Place

_LISTED = 200


def offer(exhibit: Exhibit, who: str) -> None:
    """A form with the case to file it in and the reason; it says what goes along and that both logs tell of it."""
    wanted = CaseFilter(statuses=("open", "in_review"))
    others = {
        one.case.case_id: one.case
        for one in services.current().store.cases(limit=_LISTED, wanted=wanted)
        if one.case.case_id != exhibit.case_id
    }
    key = f"refile_{exhibit.exhibit_id}"
    with st.popover("File in another case…", icon=":material/drive_file_move:", key=key):
        if not others:
            markup.note("There is no other open case. Create it first.")
            return
        markup.note(
            "For an exhibit that was put into the wrong case. Its analyses, opinions, notes and bookmarks go with it. "
            "The logs of both cases say what went where, when, why and under whose name; nothing is deleted."
        )
        with st.form(f"{key}_form", border=False, enter_to_submit=False):
            to = st.selectbox(
                "Case that it belongs to",
                list(others),
                index=None,
                format_func=lambda one: revealed(f"{others[one].reference} · {others[one].title}"),
                key=f"{key}_to",
                placeholder="choose a case",
            )
            reason = st.text_input("Reason, kept in both logs", key=f"{key}_reason", max_chars=500)
            sent = st.form_submit_button("File it there", icon=":material/drive_file_move:", key=f"{key}_do")
        if not sent:
            return
        if to is None:
            markup.problem("Nothing was changed", "Choose the case that the exhibit belongs to.")
            return
        try:
            services.current().store.refile(exhibit.exhibit_id, to, reason, author=who)
        except StoreError as error:
            markup.problem("It was not filed there", str(error))
            return
    address.go(Place(case=to, exhibit=exhibit.exhibit_id))
    st.rerun()


def show_gone(case: Case) -> None:
    """The exhibits that were filed in other cases, with where and why; nothing where there are none."""
    gone = services.current().store.refilings(case.case_id)
    if gone:
        markup.heading("Filed in other cases")
        for one in gone:
            markup.note(one.sentence)
