"""Statements of people on an exhibit: opinions, with what they had been shown by then, and the truth learned later."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from detector.cases import TRUTHS, VERDICTS, Case, Exhibit, Opinion
from detector.errors import StoreError
from pages.parts.shared import markup, services, withholding
from pages.parts.shared.case_words import TRUTH, VERDICT


def show(case: Case, exhibit: Exhibit, who: str) -> None:
    """Opinions at the left, ground truth at the right; both listed newest first."""
    left, right = st.columns(2, gap="large")
    with left:
        markup.heading("Opinions")
        show_opinions(exhibit)
        if case.status != "archived":
            opinion_form(exhibit, who)
    with right:
        show_truth(exhibit, who)


def show_truth(exhibit: Exhibit, who: str, *, then: Callable[[], None] = lambda: None) -> None:
    """The truths recorded of the exhibit, newest first, and the form that adds to it; `then` is called when it did,
    before the page is drawn anew."""
    markup.heading("Ground truth", "learned later")
    _show_truths(exhibit)
    _truth_form(exhibit, who, then)


def show_opinions(exhibit: Exhibit) -> None:
    """Show the opinions on an exhibit, newest first; those of others only to whom its scores may be shown."""
    opinions = services.current().store.statements.opinions(exhibit.case_id, exhibit.exhibit_id)
    if opinions and withholding.is_withheld(exhibit.exhibit_id):
        others = "One opinion of another" if len(opinions) == 1 else f"{len(opinions)} opinions of others"
        markup.note(f"{others} {'is' if len(opinions) == 1 else 'are'} shown once you have recorded yours.")
        return
    for opinion in reversed(opinions):
        with st.container(border=True, gap="small", key=f"opinion_{opinion.opinion_id}"):
            markup.stated(
                VERDICT[opinion.verdict],
                opinion.text,
                f"{opinion.author} · {opinion.created_at:%Y-%m-%d %H:%M} UTC · {_seen_before_it(opinion)}",
            )
    if not opinions:
        markup.note("No opinion yet.")


def opinion_form(exhibit: Exhibit, who: str, *, then: Callable[[], None] = lambda: None) -> None:
    """A plain form: one of three verdicts, and the reasons; `then` is called when an opinion was recorded, before the
    page is drawn anew."""
    store = services.current().store
    # A key of its own for each opinion, so that the form is empty after one was recorded and kept where it was not.
    key = f"opinion_{exhibit.exhibit_id}_{len(store.statements.opinions(exhibit.case_id, exhibit.exhibit_id))}"

    def record() -> None:
        # A callback, so that who leaves the page at once has recorded it all the same: the next page stops this one.
        verdict, text = st.session_state[f"{key}_verdict"], st.session_state[f"{key}_text"]
        if verdict is None:
            why = ("Nothing was recorded", "Choose one of the three; “Cannot tell” is an opinion too.")
            st.session_state[f"{key}_refused"] = why
            return
        try:
            store.statements.give_opinion(exhibit.exhibit_id, verdict, text, author=who)
        except StoreError as error:
            st.session_state[f"{key}_refused"] = ("The opinion was not recorded", str(error))
            return
        then()

    with st.form(f"{key}_form", border=True):
        st.radio(
            "In my opinion the face or voice in this exhibit is",
            VERDICTS,
            index=None,
            format_func=VERDICT.__getitem__,
            horizontal=True,
            key=f"{key}_verdict",
        )
        st.text_area("What I see that speaks for it", height=110, max_chars=5000, key=f"{key}_text")
        st.form_submit_button(
            f"Record as the opinion of {markup.plain(who)}",
            icon=":material/how_to_reg:",
            key=f"{key}_send",
            on_click=record,
        )
    if refused := st.session_state.pop(f"{key}_refused", None):
        markup.problem(*refused)


def _seen_before_it(opinion: Opinion) -> str:
    if opinion.blind and not opinion.analyses_before:
        return "before anything was analysed"
    if opinion.blind:
        return "blind: the log shows no scores of this file to the author before"
    return "after the author was shown scores of this file"


def _show_truths(exhibit: Exhibit) -> None:
    truths = services.current().store.statements.truths(exhibit.case_id, exhibit.exhibit_id)
    for place, truth in enumerate(reversed(truths)):
        with st.container(border=True, gap="small", key=f"truth_{truth.truth_id}"):
            how = f"{truth.source}\n{truth.method}" if truth.method else truth.source
            counts = "counts" if place == 0 else "superseded"
            markup.stated(TRUTH[truth.truth], how, f"{truth.author} · {truth.created_at:%Y-%m-%d %H:%M} UTC · {counts}")
    if not truths:
        markup.note("Not known. Once it is, record it here: later calibrations of the models can use it.")


def _truth_form(exhibit: Exhibit, who: str, then: Callable[[], None]) -> None:
    key = f"truth_{exhibit.exhibit_id}"
    with st.form(f"{key}_form", border=True, clear_on_submit=True):
        truth = st.radio(
            "The exhibit turned out to be", TRUTHS, index=None, format_func=TRUTH.__getitem__, horizontal=True,
            key=f"{key}_truth",
        )  # fmt: skip
        source = st.text_input(
            "How this is known", key=f"{key}_source", max_chars=500, placeholder="a confession, the original recording…"
        )
        method = st.text_input(
            "How it was made, where known", key=f"{key}_method", max_chars=200, placeholder="face swap, lip-sync…"
        )
        sent = st.form_submit_button("Record what is known", icon=":material/fact_check:", key=f"{key}_send")
    if not sent:
        return
    if truth is None:
        markup.problem("Nothing was recorded", "Choose what the exhibit turned out to be.")
        return
    try:
        services.current().store.statements.record_truth(exhibit.exhibit_id, truth, source, method=method, author=who)
    except StoreError as error:
        markup.problem("The ground truth was not recorded", str(error))
        return
    then()
    st.rerun()
