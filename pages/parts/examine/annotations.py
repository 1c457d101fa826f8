"""Annotations: notes with a box drawn on a frame, or an interval of time marked, on the player or by numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from detector.cases import Exhibit, Note, NotePlace
from detector.errors import FramewitnessError, StoreError
from pages.parts.shared import markup, services
from pages.parts.shared.address import Place
from pages.parts.shared.wording import clock

MOST_CHARS = 5000
_BOX, _INTERVAL = "Box on this frame", "Interval of time"


def on_player(exhibit: Exhibit) -> tuple[Note, ...]:
    """The annotations of an exhibit that stand, by time, for the player to draw: each with a box (`box_xyxy_px`: left,
    top, right, bottom in pixels of the displayed frame), an interval (`pts` to `end_pts`), or both."""
    found = [note for note in services.current().store.notes(exhibit.case_id, exhibit.exhibit_id) if note.annotation]
    return tuple(sorted(found, key=lambda note: note.pts or 0))


def ask(exhibit: Exhibit, who: str, gesture: Mapping[str, Any]) -> None:
    """Ask for the words of what `who` drew on the player, and keep them as an annotation. `gesture` is as `place_of`
    takes it."""
    try:
        place = place_of(exhibit, gesture)
    except StoreError as error:
        markup.problem("Nothing was marked", str(error))
        return
    ask_words("Annotation", place_words(place, exhibit), lambda text: _keep(exhibit, who, place, text))


def place_of(exhibit: Exhibit, gesture: Mapping[str, Any]) -> NotePlace:
    """The place that a gesture of the player means: `kind` "box" with `box_xyxy` (pixels of the displayed frame; what
    lies outside it is cut off) on the frame `pts`, or "interval" from `pts` to `end_pts`; `track` may be None.
    Raises StoreError for anything else."""
    video = exhibit.evidence.video
    try:
        track = gesture.get("track")
        place = NotePlace(exhibit.exhibit_id, None if track is None else int(track), int(gesture["pts"]))
        if gesture["kind"] == "interval":
            first, last = sorted((int(gesture["pts"]), int(gesture["end_pts"])))
            return replace(place, pts=first, end_pts=last)
        x0, y0, x1, y1 = (float(value) for value in gesture["box_xyxy"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise StoreError("The player sent a mark that cannot be read. Draw it again.") from None
    left, right = (min(max(value, 0.0), float(video.width)) for value in sorted((x0, x1)))
    top, bottom = (min(max(value, 0.0), float(video.height)) for value in sorted((y0, y1)))
    return replace(place, box_xyxy_px=(left, top, right, bottom))


def by_numbers(exhibit: Exhibit, who: str, here: Place) -> None:
    """The same without a pointer: a box on the frame `here`, or an interval, by numbers."""
    turns = f"annotations_of_{exhibit.exhibit_id}"
    key = f"annotate_{st.session_state.setdefault(turns, 0)}_{exhibit.exhibit_id}"  # another form once one is kept
    kinds = [*([_BOX] if here.pts is not None else []), *([_INTERVAL] if exhibit.evidence.kind == "video" else [])]
    if not kinds:
        return
    with st.expander("Annotate by numbers", icon=":material/ink_selection:"):
        kind = st.radio("What to mark", kinds, key=f"{key}_kind", horizontal=True)
        with st.form(f"{key}_form", border=False):
            with st.container(horizontal=True, vertical_alignment="bottom"):
                place = _asked_interval(exhibit, here, key) if kind == _INTERVAL else _asked_box(exhibit, here, key)
            text = st.text_area("Words", key=f"{key}_text", height=90, max_chars=MOST_CHARS)
            sent = st.form_submit_button("Annotate", icon=":material/ink_selection:", key=f"{key}_send")
        if not sent:
            return
        try:
            _keep(exhibit, who, place, text)
        except FramewitnessError as error:
            markup.problem("Nothing was marked", str(error))
            return
        st.session_state[turns] += 1
        st.rerun()


def _asked_interval(exhibit: Exhibit, here: Place, key: str) -> NotePlace:
    base = exhibit.evidence.video.time_base
    at_s = float((here.pts or 0) * base)
    ends = [
        st.number_input(label, 0.0, value=at_s, step=0.1, format="%.3f", key=f"{key}_{label}", width=140)
        for label in ("From (s)", "To (s)")
    ]
    first, last = (round(end / base) for end in ends)
    return NotePlace(exhibit.exhibit_id, here.track, first, last)


def _asked_box(exhibit: Exhibit, here: Place, key: str) -> NotePlace:
    width, height = exhibit.evidence.video.width, exhibit.evidence.video.height
    sides = (("Left", width, 0), ("Top", height, 0), ("Right", width, width), ("Bottom", height, height))
    left, top, right, bottom = (
        float(st.number_input(f"{side} (px)", 0, most, value, key=f"{key}_{side}", width=110))
        for side, most, value in sides
    )
    return NotePlace(exhibit.exhibit_id, here.track, here.pts, box_xyxy_px=(left, top, right, bottom))


def place_words(note: Note | NotePlace, exhibit: Exhibit) -> str:
    """Where a note is, e.g. "a box of 110 × 120 px on the frame at 00:01.250 · track 2"; empty without such a place."""
    parts = []
    if note.pts is not None:
        at, end = (
            None if pts is None else clock(float(pts * exhibit.evidence.video.time_base))
            for pts in (note.pts, note.end_pts)
        )
        parts = [f"the frame at {at}" if end is None else f"the time from {at} to {end}"]
        if note.box_xyxy_px is not None:
            left, top, right, bottom = note.box_xyxy_px
            parts = [f"a box of {right - left:.0f} × {bottom - top:.0f} px on {parts[0]}"]
    if note.track_id is not None:
        parts.append(f"track {note.track_id}")
    return " · ".join(parts)


def ask_words(title: str, place: str, save: Callable[[str], object], text: str = "") -> None:
    """Open a dialog that asks for the words of a note at `place`, with `text` to begin with; `save` is given them and
    may raise."""

    @st.dialog(title)
    def dialog() -> None:
        markup.note(place)
        with st.form("note_words", border=False):
            words = st.text_area("Words", text, key="note_words_text", height=120, max_chars=MOST_CHARS)
            if not st.form_submit_button("Save", type="primary", icon=":material/save:", key="note_words_save"):
                return
        try:
            save(words.strip())
        except FramewitnessError as error:
            markup.problem("It was not saved", str(error))
            return
        st.rerun()

    dialog()


def _keep(exhibit: Exhibit, who: str, place: NotePlace, text: str) -> None:
    services.current().store.add_note(
        exhibit.case_id,
        text.strip(),
        exhibit_id=exhibit.exhibit_id,
        track_id=place.track_id,
        pts=place.pts,
        end_pts=place.end_pts,
        box_xyxy_px=place.box_xyxy_px,
        author=who,
    )
