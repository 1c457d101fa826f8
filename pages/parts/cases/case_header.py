"""The chosen case in a few lines, with what can be done to the whole of it."""

from __future__ import annotations

import streamlit as st

from detector.cases import Case
from detector.errors import StoreError
from pages.parts.cases import verification
from pages.parts.shared import markup, services
from pages.parts.shared.case_words import STATUS

_PROBLEM = "star_problem"


def show(case: Case, who: str, *, withheld: int) -> None:
    """Title and state at the left; star and verification at the right, its outcome below, and that the scores of
    `withheld` exhibits are held back."""
    about, actions = st.columns([2, 3], vertical_alignment="center")
    with about:
        markup.title(case.title, f"{case.reference} · {case.examiner or 'no examiner named'}")
    with actions.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center", gap="small"):
        star(case, who)
        asked = verification.button()
    marks = [(STATUS[case.status][1], "var(--fw-faint)", STATUS[case.status][0])]
    if case.blind_first:
        marks.append(("visibility_off", "var(--fw-faint)", "Blind first"))
    marks += [("sell", "var(--fw-faint)", tag) for tag in case.tags]
    markup.states(marks)
    if case.status == "archived":
        markup.outcome(
            "inventory_2",
            "var(--fw-faint)",
            "Archived",
            f"Reason: {case.status_reason}. Nothing was deleted, and nothing is added until it is reopened (Details).",
        )
    elif case.status_reason:
        markup.note(f"Reason for the status: {case.status_reason}")
    if withheld:
        markup.note(
            f"The scores of {withheld} exhibit{'' if withheld == 1 else 's'} are held back until you record your "
            "opinion; until then exports leave them out for you, and the case bundle, which holds them, is not offered."
        )
    if asked:
        verification.run(case, who)
    verification.show(case)
    verification.show_findings(case, who)


def star(case: Case, who: str) -> None:
    """One's own star on the case: set, or taken away again."""
    mine = who in case.favourite_of
    st.button(
        "Starred" if mine else "Star",
        icon=":material/star:" if mine else ":material/star_border:",
        key=f"star_{case.case_id}",
        type="tertiary",
        on_click=_star,
        args=(case.case_id, not mine, who),
        help="Your own mark; the list can be filtered by it.",
    )
    if problem := st.session_state.pop(_PROBLEM, None):
        markup.problem("The star was not changed", problem)


def _star(case_id: str, starred: bool, who: str) -> None:
    try:
        services.current().store.metadata.set_favourite(case_id, starred, author=who)
    except StoreError as error:
        st.session_state[_PROBLEM] = str(error)
