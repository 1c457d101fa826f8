"""Bookmarks: frames, face tracks and exhibits that someone wants to find again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import streamlit as st

from detector.cases import Bookmark, Case, Exhibit, Note
from detector.errors import StoreError
from pages.parts.player import component
from pages.parts.player.component import Shown
from pages.parts.shared import address, markup, navigation, scripts, services
from pages.parts.shared.address import Place
from pages.parts.shared.wording import clock

_TO_TOP = "marks_to_top"


def on_frames(exhibit: Exhibit) -> tuple[Shown, ...]:
    """Every bookmark and note on a frame of the exhibit, annotations left out, by time."""
    store = services.current().store
    found: list[tuple[str, Bookmark | Note]] = [
        ("Bookmark", one) for one in store.metadata.bookmarks(exhibit.case_id, exhibit.exhibit_id)
    ]
    found += [("Note", one) for one in store.notes(exhibit.case_id, exhibit.exhibit_id) if not one.annotation]
    marks = [Shown(kind, one.author, one.text, one.pts, one.track_id) for kind, one in found if one.pts is not None]
    return tuple(sorted(marks, key=lambda mark: mark.pts))


def toggle(exhibit: Exhibit, who: str, track_id: int | None, pts: int, *, view: str = "") -> None:
    """A button that bookmarks the frame shown, or takes the bookmarks of it away. For use in a fragment; `view` as in
    `stepping.show`."""
    metadata = services.current().store.metadata
    here = [one for one in metadata.bookmarks(exhibit.case_id, exhibit.exhibit_id) if one.pts == pts]
    if not st.button(
        "Bookmarked" if here else "Bookmark",
        icon=":material/bookmark_remove:" if here else ":material/bookmark_add:",
        shortcut="b",
        key=f"{view}bookmark_frame",
        help="Take the bookmark of this frame away" if here else "Bookmark this frame",
    ):
        return
    try:
        for one in here:
            metadata.remove_bookmark(one.bookmark_id, author=who)
        if not here:
            metadata.add_bookmark(exhibit.exhibit_id, track_id=track_id, pts=pts, author=who)
    except StoreError as error:
        markup.problem("The bookmark was not changed", str(error))
        return
    st.rerun()


def show(case: Case, exhibits: Sequence[Exhibit], who: str, *, jump: bool) -> None:
    """The bookmarks of these exhibits. With `jump` each leads to its frame on this page, else to Examine."""
    store = services.current().store
    named = {exhibit.exhibit_id: exhibit for exhibit in exhibits}
    listed = [one for one in store.metadata.bookmarks(case.case_id) if one.exhibit_id in named]
    markup.heading("Bookmarks", str(len(listed)) if listed else "")
    for one in listed:
        _show_one(one, named[one.exhibit_id], who, jump=jump, fixed=case.status == "archived")
    if not listed:
        markup.note("No bookmarks yet. On Examine, press Bookmark below a frame, or B.")


def add_form(exhibit: Exhibit, who: str, here: Place) -> None:
    """Bookmark the frame `here`, its track or the exhibit, with a word on why."""
    ways = {"exhibit": Place()}
    if here.pts is not None:
        ways = {"the frame shown above": Place(track=here.track, pts=here.pts), **ways}
    if here.track is not None:
        ways[f"track {here.track}"] = Place(track=here.track)
    key = f"mark_{exhibit.exhibit_id}"
    with (
        st.form(f"{key}_form", clear_on_submit=True, border=True),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        way = st.selectbox("Bookmark", list(ways), key=f"{key}_way", width=230)
        text = st.text_input("Why", key=f"{key}_text", max_chars=500)
        sent = st.form_submit_button("Add bookmark", icon=":material/bookmark_add:", key=f"{key}_send")
    if not sent:
        return
    place = ways[way]
    try:
        services.current().store.metadata.add_bookmark(
            exhibit.exhibit_id, track_id=place.track, pts=place.pts, text=text, author=who
        )
    except StoreError as error:
        markup.problem("The bookmark was not set", str(error))
        return
    st.rerun()


def jump_to(track_id: int | None, pts: int | None) -> None:
    """Show this frame on the page at hand, from its top."""
    here = address.read()
    component.lead()
    address.go(replace(here, track=here.track if track_id is None else track_id, pts=here.pts if pts is None else pts))
    to_top()


def to_top() -> None:
    """Bring the page's top into view when it is drawn anew."""
    st.session_state[_TO_TOP] = True


def follow_jump() -> None:
    """After a jump from a list at the foot of the page, bring its top into view."""
    # A place of its own at every run: were elements to shift, the tabs below would forget which of them is open.
    with st.container(key="marks_jump"):
        if st.session_state.pop(_TO_TOP, False):
            count = st.session_state["marks_jumps"] = st.session_state.get("marks_jumps", 0) + 1
            scripts.run(scripts.SCROLL_TO_TOP, turn=count)


def place_text(track_id: int | None, pts: int | None, time_base: Fraction) -> str:
    """e.g. "frame at 00:01.250 (PTS 640) · track 2"."""
    parts = []
    if pts is not None:
        parts.append(f"frame at {clock(float(pts * time_base))} (PTS {pts})")
    if track_id is not None:
        parts.append(f"track {track_id}")
    return " · ".join(parts)


def _show_one(one: Bookmark, exhibit: Exhibit, who: str, *, jump: bool, fixed: bool) -> None:
    place = place_text(one.track_id, one.pts, exhibit.evidence.video.time_base) or "the whole exhibit"
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"mark_{one.bookmark_id}"):
        title = place if jump else f"{exhibit.reference} · {place}"
        markup.stated(title, one.text, f"{one.author} · {one.created_at:%Y-%m-%d %H:%M} UTC")
        if not jump:
            to = Place(case=one.case_id, exhibit=one.exhibit_id, track=one.track_id, pts=one.pts)
            navigation.link("examine", "Show", to, icon=":material/frame_inspect:")
        elif one.pts is not None or one.track_id is not None:
            st.button(
                "Show",
                icon=":material/frame_inspect:",
                key=f"jump_{one.bookmark_id}",
                type="tertiary",
                on_click=jump_to,
                args=(one.track_id, one.pts),
            )
        if fixed or not st.button(
            "Remove", icon=":material/bookmark_remove:", key=f"unmark_{one.bookmark_id}", type="tertiary"
        ):
            return
        try:
            services.current().store.metadata.remove_bookmark(one.bookmark_id, author=who)
        except StoreError as error:
            markup.problem("The bookmark was not removed", str(error))
            return
        st.rerun()
