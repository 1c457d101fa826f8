"""Recomputing a case while the page says how far it is, and what came of it."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from detector.cases import Case
from detector.cases.chain import STORE_CHAIN
from detector.errors import StoreError
from pages.parts.shared import markup, services


def button() -> bool:
    """Whether a verification was asked for in this run."""
    return st.button(
        "Verify",
        icon=":material/verified_user:",
        key="cases_verify",
        help="Recompute the log's chain, the records it vouches for and the hash of every stored file.",
    )


def run(case: Case, who: str) -> None:
    """Verify and put the outcome on record and on the page, where `show` keeps it for this session."""
    names = {exhibit.exhibit_id: exhibit.reference for exhibit in services.current().store.exhibits(case.case_id)}
    bar = st.progress(0.0, text="Recomputing the log…")

    def progress(part: float, name: str) -> None:
        for exhibit_id, reference in names.items():
            name = name.replace(f"exhibit {exhibit_id}", reference)
        bar.progress(min(1.0, part), text=f"Hashing the {markup.plain(name)}…")

    try:
        outcome = services.current().store.check(case.case_id, actor=who, progress=progress)
    except StoreError as error:
        bar.empty()
        markup.problem("The case was not verified", str(error))
        return
    bar.empty()
    st.session_state[_key(case)] = (datetime.now(UTC), outcome)


def show(case: Case) -> None:
    """The last outcome of this session, with its time; nothing where there is none."""
    kept = st.session_state.get(_key(case))
    if kept is None:
        return
    at, outcome = kept
    if outcome.ok:
        markup.outcome(
            "verified_user",
            "var(--fw-blue)",
            f"Verified: everything agreed at {at:%H:%M:%S} UTC",
            f"{outcome.events_checked:,} events of the log, {outcome.records_checked:,} records and "
            f"{outcome.files_checked:,} files agree with their hashes. This check is in the log too.",
        )
        for stamp in outcome.timestamps[-1:]:
            markup.note(stamp.sentence)
    else:
        markup.problem(f"The record does not verify ({at:%H:%M:%S} UTC)", outcome.problem or "")
    for warning in outcome.warnings:
        markup.note(warning)


def show_findings(case: Case, who: str) -> None:
    """What was found changed and waits for somebody's words to it; nothing where there is none. `who` says them."""
    store = services.current().store
    for case_id, key in ((case.case_id, "finding_case"), (STORE_CHAIN, "finding_store")):
        opened = [one for one in store.findings(case_id) if one.acknowledged_by is None]
        if not opened:
            continue
        for one in opened:
            markup.problem("Something was changed behind the program's back", one.sentence)
        with st.form(f"{key}_form", border=True):
            text = st.text_area(
                "What this came from, and what was done", key=f"{key}_text", help="Kept in the log with your name."
            )
            if st.form_submit_button("Acknowledge", icon=":material/edit_note:", key=f"{key}_send"):
                try:
                    store.acknowledge(text, case_id=case_id, author=who)
                except StoreError as error:
                    markup.problem("Nothing was recorded", str(error))
                else:
                    st.rerun()


def _key(case: Case) -> str:
    return f"verified_{case.case_id}"
