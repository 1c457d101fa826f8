"""Validation: verify the method on this installation, and the records of earlier verifications."""

from __future__ import annotations

from datetime import UTC, datetime

import streamlit as st

from detector.errors import EvidenceError, FramewitnessError
from detector.validation.files import FOLDER
from pages.parts.cases.exports import LANGUAGES
from pages.parts.shared import actor, intake, markup, services
from pages.parts.validation import records, running
from pages.parts.validation.records import Past

_POLL_S = 1.0


def render() -> None:
    """Show the page: start or resume a validation, follow it, and read the records."""
    who = actor.required()
    if not who:
        return
    markup.title(
        "Validation",
        "Verify the method on this installation before it is used (ISO/IEC 17025, 7.2.1.5): reproducibility, weights "
        "and versions, a synthesised suite, and a suite of your own beside the models' cards.",
    )
    making = running.newest()
    active = making is not None and making.active
    if making is not None:
        _follow(making)
    found = records.past(services.current().store)
    if not active:
        _form(who)
        for one in found:
            if one.written is None:
                _show_unfinished(one, who)
    _show_records([one for one in found if one.written is not None], who)


def _form(who: str) -> None:
    with st.form("validation_form", border=False):
        text = st.text_input(
            "Suite of your own (may be empty)",
            key="validation_suite",
            placeholder="/path/to/folder with real and fake in it, or a table with path and label",
            icon=":material/folder:",
        )
        language = st.selectbox(
            "Language of the PDF",
            list(LANGUAGES),
            format_func=LANGUAGES.__getitem__,
            key="validation_language",
            width=280,
        )
        sent = st.form_submit_button("Verify this installation", type="primary", icon=":material/verified:")
    markup.note("It takes about five minutes on two idle cores, and longer with a suite of your own.")
    if not sent:
        return
    try:
        supplied = suite_path(text)
    except EvidenceError as error:
        markup.problem("The suite cannot be used", str(error))
        return
    _start(f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}", supplied, who, language)
    st.rerun()


def suite_path(text: str) -> str:
    """The folder or table that was typed, "" for none. Raises EvidenceError for what is not there, and beyond the
    folder that this server may read."""
    if not text.strip():
        return ""
    path, root = intake.named_path(text), intake.path_root()
    if root is None or not path.resolve().is_relative_to(root):
        raise EvidenceError(f"Expected a path beneath {root or 'a folder that the server names'}, found {path}.")
    if not path.exists():
        raise EvidenceError(f"Expected a folder or a table at {path}, found nothing.")
    return str(path)


def _start(name: str, supplied: str, who: str, language: str) -> None:
    current = services.current()
    folder = current.home.expanduser().resolve() / FOLDER / name
    running.start(current.store, folder, supplied=supplied, examiner=who, language=language)


def _follow(making: running.Making) -> None:
    if not making.active:
        if making.stopped:
            markup.note(making.problem)
        elif making.problem:
            markup.problem("The validation came to no record", making.problem)
        return

    @st.fragment(run_every=_POLL_S)
    def progress() -> None:
        if not making.active:
            st.rerun()
        now = making.progress
        st.progress(min(1.0, now.done / max(1, now.total)))
        markup.note(
            f"{now.doing.capitalize()}: {now.done} of {now.total}" if now.total > 1 else f"{now.doing.capitalize()}…"
        )
        st.button("Stop", icon=":material/cancel:", key="validation_stop", on_click=making.cancel)

    progress()


def _show_unfinished(one: Past, who: str) -> None:
    if one.request is None:
        if one.problem:
            markup.problem(f"{one.folder.name} cannot be read", one.problem)
        return
    with st.container(horizontal=True, vertical_alignment="center", key=f"unfinished_{one.folder.name}"):
        suite = f", with {one.request.supplied}" if one.request.supplied else ""
        markup.note(f"Unfinished: begun {one.request.begun_at:%Y-%m-%d %H:%M} UTC by {one.request.examiner}{suite}.")
        st.button(
            "Go on",
            icon=":material/resume:",
            key=f"resume_{one.folder.name}",
            on_click=_start,
            args=(one.folder.name, one.request.supplied, who, one.request.language),
        )


def _show_records(found: list[Past], who: str) -> None:
    markup.heading("Records", f"{len(found)}" if found else "")
    if not found:
        markup.empty("verified", "No record yet", "A finished validation is kept here, and named in the store's log.")
        return
    named = {one.folder.name: one for one in found}
    chosen = st.selectbox("Record", list(named), format_func=lambda name: _label(named[name]), key="validation_record")
    records.show(named[chosen], put_on_record=lambda: _put_on_record(named[chosen], who))


def _label(one: Past) -> str:
    assert one.written is not None
    record = one.written.record
    examiner = f" · {record.examiner}" if record.examiner else ""
    return f"{record.finished_at:%Y-%m-%d %H:%M} UTC · {records.RESULTS[record.result][0]}{examiner}"


def _put_on_record(one: Past, who: str) -> None:
    try:
        running.put_on_record(services.current().store, one.folder, who)
    except FramewitnessError as error:
        markup.problem("It could not be put into the log", str(error))
