"""Sign-off of a case: the examiner, and a second one who is another person."""

from __future__ import annotations

import streamlit as st

from detector.cases import ROLES, Case, ExportRequest
from detector.cases.statements import Role, same_person
from detector.errors import StoreError
from pages.parts.cases import exports
from pages.parts.shared import case_words, markup, services

_STATEMENTS = {
    "examiner": "I examined the exhibits of this case as the record says, and stand for it.",
    "second_examiner": "I checked the record of this case independently and agree with it.",
}


def show(case: Case, who: str) -> None:
    """The state in a sentence, the signatures, and the form that adds one."""
    store = services.current().store
    state = store.statements.sign_off(case.case_id)
    if state.complete:
        markup.outcome("task_alt", "var(--fw-blue)", "Signed by two people", "Nothing was changed since.")
    elif state.changed_since:
        changes = ", ".join(dict.fromkeys(case_words.event(action).lower() for action in state.changed_since))
        markup.problem("The case was changed after it was signed", f"Since then: {changes}. It has to be signed again.")
    elif state.examiner is not None:
        markup.outcome("draw", "var(--fw-blue)", "Signed by the examiner", "A second examiner has not signed yet.")
    else:
        markup.empty("draw", "Not signed yet", "The examiner signs first, then a second examiner, who is someone else.")
    with st.container():  # there or not, what follows keeps its place
        exports.signed_reports(case, who)
    signatures = store.statements.signatures(case.case_id)
    for signature in reversed(signatures):
        with st.container(border=True, gap="small", key=f"signature_{signature.signature_id}"):
            markup.stated(
                case_words.ROLE[signature.role],
                signature.statement,
                f"{signature.author} · {signature.created_at:%Y-%m-%d %H:%M} UTC · stands for event "
                f"{signature.head_sequence:,}, {signature.head_hash[:16]}…",
            )
    if case.status == "archived":
        return
    second = state.examiner is not None and not same_person(state.examiner.author, who)
    with st.container(border=True):
        role: Role = st.segmented_control(
            "Sign as",
            ROLES,
            format_func=case_words.ROLE.__getitem__,
            default="second_examiner" if second else "examiner",
            required=True,
            key=f"sign_role_{case.case_id}",
        )
        with st.form(f"sign_{case.case_id}_{role}_{len(signatures)}", border=False):
            statement = st.text_input(
                "What you stand for", _STATEMENTS[role], max_chars=1000, key=f"sign_text_{case.case_id}_{role}"
            )
            with st.container(horizontal=True):
                sent_for_report = st.form_submit_button(
                    "Sign and make the report",
                    icon=":material/picture_as_pdf:",
                    type="primary",
                    key=f"sign_report_{case.case_id}",
                )
                sent = st.form_submit_button(
                    f"Verify and sign as {markup.plain(who)}", icon=":material/draw:", key=f"sign_do_{case.case_id}"
                )
        markup.note(
            "The case is verified first and signed only where everything agrees. A signature here is a statement in "
            "the log, bound by hash to the log as it is now; it is not the cryptographic signature of a key."
        )
    if not (sent or sent_for_report):
        return
    try:
        with st.spinner("Verifying…"):
            store.statements.sign(case.case_id, role, statement, author=who)
    except StoreError as error:
        markup.problem("Not signed", str(error))
        return
    if sent_for_report:
        exports.ask(ExportRequest(case.case_id, "report-full"), who)
    st.rerun()
