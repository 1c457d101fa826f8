"""The examiner's remarks on a case, an exhibit, or a frame, a box on one or an interval of it."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from detector.cases import Case, Exhibit, Note
from detector.errors import FramewitnessError
from detector.evidence.text import revealed
from pages.parts.examine import bookmarks
from pages.parts.examine.annotations import MOST_CHARS, ask_words, by_numbers, place_words
from pages.parts.shared import markup, navigation, services
from pages.parts.shared.address import NOWHERE, Place


def show(
    case: Case, who: str, exhibits: Mapping[str, Exhibit], *, exhibit: Exhibit | None = None, here: Place = NOWHERE
) -> None:
    """The notes, newest first, and the forms that add one: on the case, or on `exhibit` and the frame `here` of it."""
    found = services.current().store.notes(case.case_id, exhibit.exhibit_id if exhibit else None, withdrawn=True)
    listed = [note for note in found if note.withdrawn_at is None]
    markup.heading("Notes", str(len(listed)) if listed else "")
    fixed = case.status == "archived"
    if not fixed:
        _show_form(case, who, exhibit, here)
        if exhibit is not None:
            by_numbers(exhibit, who, here)
    for note in reversed(listed):
        _show_note(note, exhibits.get(note.exhibit_id or ""), "" if fixed else who, jump=exhibit is not None)
    if not listed:
        markup.note("No notes yet.")
    if gone := [note for note in found if note.withdrawn_at is not None]:
        with st.expander(f"Earlier words and withdrawn notes ({len(gone)})"):
            for note in reversed(gone):
                place = _place(note, exhibits.get(note.exhibit_id or ""), jump=exhibit is not None)
                ended = f"until {note.withdrawn_at:%Y-%m-%d %H:%M} UTC, by {note.withdrawn_by}"
                made = f"{note.author} · {note.created_at:%Y-%m-%d %H:%M} UTC"
                markup.stated(place.capitalize(), note.text, f"{made} · {ended}")


def _place(note: Note, exhibit: Exhibit | None, *, jump: bool) -> str:
    """What a note is on, in words; the exhibit is named where the list is not of one (`jump`)."""
    if exhibit is None:
        return "on the case"
    parts = ["" if jump else exhibit.reference, place_words(note, exhibit)]
    return "on " + (" · ".join(filter(None, parts)) or "the exhibit")


def _show_note(note: Note, exhibit: Exhibit | None, who: str, *, jump: bool) -> None:
    """One note, with the way to its place; and, where `who` is named, to revise or withdraw it."""
    place = _place(note, exhibit, jump=jump)
    with st.container(border=True, gap="small"):
        st.text(revealed(note.text, lines=True))
        revised = " · revised" if note.previous_id else ""
        markup.note(f"{note.author} · {note.created_at:%Y-%m-%d %H:%M} UTC · {place}{revised}")
        with st.container(horizontal=True, vertical_alignment="center"):
            if who:
                _offer_changes(note, place, who)
            if note.exhibit_id is None or note.pts is None:
                return
            if jump:
                st.button(
                    "Show this frame",
                    icon=":material/frame_inspect:",
                    key=f"jump_{note.note_id}",
                    type="tertiary",
                    on_click=bookmarks.jump_to,
                    args=(note.track_id, note.pts),
                )
            else:
                to = Place(case=note.case_id, exhibit=note.exhibit_id, track=note.track_id, pts=note.pts)
                navigation.link("examine", "Show this frame", to, icon=":material/frame_inspect:")


def _offer_changes(note: Note, place: str, who: str) -> None:
    store = services.current().store
    if st.button("Edit", icon=":material/edit:", key=f"revise_{note.note_id}", type="tertiary"):
        ask_words(
            "Edit the note",
            place,
            lambda text: text == note.text or store.revise_note(note.note_id, text, author=who),
            note.text,
        )
    if st.button(
        "Withdraw",
        icon=":material/undo:",
        key=f"withdraw_{note.note_id}",
        type="tertiary",
        help="Take the note out of the lists; it stays in the record",
    ):
        try:
            store.withdraw_note(note.note_id, author=who)
        except FramewitnessError as error:
            markup.problem("The note was not withdrawn", str(error))
            return
        st.rerun()


def _show_form(case: Case, who: str, exhibit: Exhibit | None, here: Place) -> None:
    scope = exhibit.exhibit_id if exhibit else case.case_id
    with st.form(f"note_{scope}", clear_on_submit=True, border=True):
        text = st.text_area("New note", key=f"note_text_{scope}", height=90, max_chars=MOST_CHARS)
        with st.container(horizontal=True, vertical_alignment="center"):
            on_frame = here.pts is not None and st.checkbox(
                "Refer to the frame shown above", value=True, key=f"note_frame_{scope}"
            )
            sent = st.form_submit_button("Add note", icon=":material/add_comment:", key=f"note_send_{scope}")
    if not sent:
        return
    if not text.strip():
        markup.problem("Nothing was added", "A note needs some text.")
        return
    about = here if on_frame else NOWHERE
    try:
        services.current().store.add_note(
            case.case_id,
            text.strip(),
            exhibit_id=exhibit.exhibit_id if exhibit else None,
            track_id=about.track,
            pts=about.pts,
            author=who,
        )
    except FramewitnessError as error:
        markup.problem("The note was not saved", str(error))
        return
    st.rerun()
