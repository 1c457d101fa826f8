"""The case's own entries, to be changed; and the way into the archive and out of it."""

from __future__ import annotations

import streamlit as st

from detector.cases import CURRENT, Case
from detector.errors import StoreError
from detector.evidence.text import revealed
from pages.parts.shared import markup, services
from pages.parts.shared.case_words import STATUS


def show(case: Case, who: str) -> None:
    """Two columns: the form of entries, and the archive."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        if case.status == "archived":
            markup.note("An archived case cannot be changed. Reopen it first.")
        else:
            _edit(case, who)
        markup.facts(
            [
                ("Case id", case.case_id),
                ("Created", f"{case.created_at:%Y-%m-%d %H:%M:%S} UTC"),
                ("Last changed", f"{case.updated_at:%Y-%m-%d %H:%M:%S} UTC"),
                ("Starred by", ", ".join(case.favourite_of) or "nobody"),
            ],
            mono=("Case id",),
        )
    with right:
        if case.status == "archived":
            _reopen(case, who)
        else:
            _archive(case, who)


def _edit(case: Case, who: str) -> None:
    tags_known = [tag for tag, _ in services.current().store.facets().tags]
    # Whatever was changed elsewhere meanwhile must show: a widget keeps its first value under one key.
    key = f"edit_{case.case_id}_{case.updated_at:%H%M%S%f}"
    with st.form(key, border=False):
        title = st.text_input("Title", case.title, max_chars=200, key=f"{key}_title")
        left, right = st.columns(2)
        reference = left.text_input("Reference number", case.reference, max_chars=80, key=f"{key}_reference")
        examiner = right.text_input("Examiner in charge", case.examiner, max_chars=120, key=f"{key}_examiner")
        status = left.selectbox(
            "Status",
            CURRENT,
            index=CURRENT.index(case.status),
            format_func=lambda value: STATUS[value][0],
            key=f"{key}_status",
        )
        reason = right.text_input(
            "Reason for the status", case.status_reason, max_chars=300, key=f"{key}_reason", placeholder="optional"
        )
        laboratory = left.text_input("Laboratory", case.laboratory, max_chars=200, key=f"{key}_laboratory")
        client = right.text_input("Client", case.client, max_chars=200, key=f"{key}_client")
        question = st.text_area(
            "Question put by the client",
            case.question,
            max_chars=2000,
            height=80,
            key=f"{key}_question",
            placeholder="in the client's words; printed on page 1 of the report",
        )
        tags = st.multiselect(
            "Tags",
            sorted({*tags_known, *case.tags}),
            default=list(case.tags),
            format_func=revealed,
            accept_new_options=True,
            key=f"{key}_tags",
            placeholder="choose or type",
        )
        blind = st.toggle(
            "Blind first: hold scores back from each person until they have recorded an opinion of their own",
            case.blind_first,
            key=f"{key}_blind",
        )
        sent = st.form_submit_button("Save", icon=":material/save:", type="primary", key=f"{key}_save")
    if not sent:
        return
    store = services.current().store
    try:
        store.update_case(case.case_id, title=title, reference=reference, examiner=examiner, author=who)
        store.metadata.set_mandate(case.case_id, laboratory=laboratory, client=client, question=question, author=who)
        if (status, reason.strip()) != (case.status, case.status_reason):
            store.metadata.set_status(case.case_id, status, reason=reason, author=who)
        store.metadata.set_tags(case.case_id, tags, author=who)
        store.metadata.set_blind_first(case.case_id, blind, author=who)
    except StoreError as error:
        markup.problem("Not everything was saved", str(error))
        return
    st.rerun()


def _archive(case: Case, who: str) -> None:
    markup.heading("Archive")
    markup.note(
        "Takes the case out of the lists. Nothing of it is deleted: cases, exhibits and log entries never are. It can "
        "be found by the status filter and reopened."
    )
    with st.form(f"archive_{case.case_id}", border=False):
        reason = st.text_input("Reason, kept in the log", key=f"archive_reason_{case.case_id}", max_chars=500)
        sent = st.form_submit_button(
            "Archive the case", icon=":material/inventory_2:", key=f"archive_do_{case.case_id}"
        )
    if sent:
        _change(case, who, reason, archive=True)


def _reopen(case: Case, who: str) -> None:
    markup.heading("Reopen")
    with st.form(f"reopen_{case.case_id}", border=False):
        reason = st.text_input("Reason, kept in the log", key=f"reopen_reason_{case.case_id}", max_chars=500)
        sent = st.form_submit_button("Reopen the case", icon=":material/unarchive:", key=f"reopen_do_{case.case_id}")
    if sent:
        _change(case, who, reason, archive=False)


def _change(case: Case, who: str, reason: str, *, archive: bool) -> None:
    metadata = services.current().store.metadata
    try:
        (metadata.archive if archive else metadata.reopen)(case.case_id, reason, author=who)
    except StoreError as error:
        markup.problem("The case was not archived" if archive else "The case was not reopened", str(error))
        return
    st.rerun()
