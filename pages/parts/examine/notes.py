"""The examiner's remarks on a case, an exhibit or one frame of it."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from detector.cases import Case, Exhibit, Note
from detector.errors import FramewitnessError
from detector.evidence.text import revealed
from pages.parts.examine import bookmarks
from pages.parts.shared import markup, navigation, services
from pages.parts.shared.address import NOWHERE, Place


def show(
    case: Case, who: str, exhibits: Mapping[str, Exhibit], *, exhibit: Exhibit | None = None, here: Place = NOWHERE
) -> None:
    """The notes, newest first, and the form that adds one: on the case, or on `exhibit` and the frame `here` of it."""
    listed = services.current().store.notes(case.case_id, exhibit.exhibit_id if exhibit else None)
    markup.heading("Notes", str(len(listed)) if listed else "")
    if case.status != "archived":
        _show_form(case, who, exhibit, here)
    for note in reversed(listed):
        _show_note(note, exhibits.get(note.exhibit_id or ""), jump=exhibit is not None)
    if not listed:
        markup.note("No notes yet.")


def _show_note(note: Note, exhibit: Exhibit | None, *, jump: bool) -> None:
    place = "the case"
    if exhibit is not None:
        found = bookmarks.place_text(note.track_id, note.pts, exhibit.evidence.video.time_base)
        place = " · ".join(filter(None, ["" if jump else exhibit.reference, found])) or "the exhibit"
    with st.container(border=True, gap="small"):
        st.text(revealed(note.text, lines=True))
        with st.container(horizontal=True, vertical_alignment="center"):
            markup.note(f"{note.author} · {note.created_at:%Y-%m-%d %H:%M} UTC · on {place}")
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


def _show_form(case: Case, who: str, exhibit: Exhibit | None, here: Place) -> None:
    scope = exhibit.exhibit_id if exhibit else case.case_id
    with st.form(f"note_{scope}", clear_on_submit=True, border=True):
        text = st.text_area("New note", key=f"note_text_{scope}", height=90, max_chars=5000)
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
