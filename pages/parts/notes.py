"""The examiner's remarks on a case, an exhibit or one frame of it."""

from __future__ import annotations

import streamlit as st

from detector.cases import Note
from detector.errors import FramewitnessError
from pages.parts import address, markup, navigation, services
from pages.parts.address import Place


def show(case_id: str, exhibit_id: str | None = None) -> None:
    """The list of notes, and the form that adds one. On an exhibit a note can refer to the frame shown."""
    listed = services.current().store.notes(case_id, exhibit_id)
    for note in listed:
        _show_note(note)
    if not listed:
        markup.note("No notes yet.")
    _show_form(case_id, exhibit_id)


def _show_note(note: Note) -> None:
    with st.container(border=True, gap="small"):
        st.text(note.text)
        about = "" if note.track_id is None else f" · track {note.track_id}"
        moment = "" if note.pts is None else f" · PTS {note.pts}"
        with st.container(horizontal=True, vertical_alignment="center"):
            markup.note(f"{note.author or 'no author'} · {note.created_at:%Y-%m-%d %H:%M} UTC{about}{moment}")
            if note.exhibit_id is not None and note.pts is not None:
                place = Place(case=note.case_id, exhibit=note.exhibit_id, track=note.track_id, pts=note.pts)
                navigation.link("examine", "Show this frame", place, icon=":material/frame_inspect:")


def _show_form(case_id: str, exhibit_id: str | None) -> None:
    scope = exhibit_id or case_id
    with st.form(f"note_{scope}", clear_on_submit=True, border=True):
        text = st.text_area("New note", key=f"note_text_{scope}", height=90, max_chars=5000)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            author = st.text_input("Author", key=f"note_author_{scope}", max_chars=120, width=260)
            on_frame = exhibit_id is not None and st.checkbox(
                "Refer to the frame shown above", value=True, key=f"note_frame_{scope}"
            )
            sent = st.form_submit_button("Add note", icon=":material/add_comment:")
    if not sent:
        return
    if not text.strip():
        markup.problem("Nothing was added", "A note needs some text.")
        return
    here = address.read() if on_frame else Place()
    try:
        services.current().store.add_note(
            case_id, text.strip(), exhibit_id=exhibit_id, track_id=here.track, pts=here.pts, author=author.strip()
        )
    except FramewitnessError as error:
        markup.problem("The note was not saved", str(error))
        return
    st.rerun()
