"""Whether this was seen before in any case: the same file, alike pictures, files of the same kind of encoder."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from detector.cases import Exhibit, Match
from detector.cases.similarity import ALIKE_BITS
from detector.errors import StoreError
from pages.parts.shared import markup, navigation, services
from pages.parts.shared.address import Place

_FIRST_SHOWN = 10


def banner(exhibit: Exhibit) -> None:
    """One line where the store holds the same file, or alike pictures, elsewhere; nothing where it does not. Compares
    what is on record only: no file is read."""
    try:
        found = services.current().store.similarity.seen_before(exhibit.exhibit_id, decode=False)
    except StoreError:
        return  # the page itself says what is wrong with the record
    # Pictures of the same bytes are alike, which says nothing more.
    same = {one.exhibit_id for one in found.same_file}
    alike = [one for one in found.alike_pictures if one.exhibit_id not in same]
    told = [_where("the same file", found.same_file, exhibit)] if same else []
    told += [_where("alike pictures", alike, exhibit)] if alike else []
    if told:
        markup.states([("content_copy", "var(--fw-blue)", f"Seen before: {'; '.join(told)}. More under Seen before.")])


def _where(what: str, matches: Sequence[Match], exhibit: Exhibit) -> str:
    """The first match by its case and file name, and how many more."""
    more = len(matches) - 1
    others = f" and {more} more {'exhibit' if more == 1 else 'exhibits'}" if more else ""
    where = "this case" if matches[0].case_id == exhibit.case_id else matches[0].case_reference
    return f"{what} in {where} ({matches[0].file_name}){others}"


def show(exhibit: Exhibit, *, withheld: bool) -> None:
    """Three groups of matches, each with what it can mean. Asked for by a button the first time, since frames have to
    be decoded; from then on it stays for this session."""
    key = f"seen_before_{exhibit.exhibit_id}"
    if not st.session_state.get(key):
        markup.note(
            "Compares this exhibit with every other one in the store: its SHA-256, perceptual hashes of up to 16 of "
            "its frames, and what its container says about the program that wrote it."
        )
        st.button(
            "Look for it in all cases",
            icon=":material/manage_search:",
            key=f"{key}_ask",
            on_click=lambda: st.session_state.update({key: True}),
        )
        return
    try:
        with st.spinner("Comparing…", show_time=False):
            found = services.current().store.similarity.seen_before(exhibit.exhibit_id)
    except StoreError as error:
        markup.problem("It could not be compared", str(error))
        return
    if withheld and (found.same_file or found.alike_pictures):
        markup.outcome(
            "visibility_off",
            "var(--fw-faint)",
            "Mind the links",
            "Scores of the same file may be shown in the other cases. The log would then say that your opinion here "
            "was not blind.",
        )
    markup.heading("The same file", _many(len(found.same_file)))
    _list(found.same_file, f"{key}_same", lambda _: "byte for byte, by SHA-256")
    if not found.same_file:
        markup.note("In no other case.")
    markup.heading("Alike pictures", _many(len(found.alike_pictures)))
    _list(
        found.alike_pictures,
        f"{key}_alike",
        lambda one: (
            f"{one.frames_alike} of {one.frames_compared} frames alike, the nearest {one.closest_bits} of 64 bits apart"
        ),
    )
    if found.problem:
        markup.note(f"Not compared: {found.problem}")
    else:
        none = "" if found.alike_pictures else "None. "
        markup.note(
            f"{none}Two frames or more differ in at most {ALIKE_BITS} of 64 bits. A reason to look, not a finding: "
            "people filmed alike before a plain wall can match, a crop or a mirror image goes unnoticed."
        )
    if found.not_compared:
        _offer_missing(found.not_compared, key)
    markup.heading(
        "Same encoder fingerprint", f"{found.fingerprint_count:,} of {found.exhibits_in_store:,} exhibits bear this one"
    )
    _list(found.same_encoder, f"{key}_family", lambda _: "same container, encoder and stream parameters")
    with st.expander("What makes up the fingerprint", type="compact"):
        markup.facts(found.fingerprint)
    markup.note(
        "Written by the same kind of encoder with the same parameters. Every copy of a common phone or messenger "
        "writes the same, so the more exhibits bear it, the less it says."
    )


def _list(matches: Sequence[Match], key: str, how: Callable[[Match], str]) -> None:
    shown = matches
    if len(matches) > _FIRST_SHOWN and not st.toggle(f"Show all {len(matches)}", key=f"{key}_all"):
        shown = matches[:_FIRST_SHOWN]
    for one in shown:
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"{key}_{one.exhibit_id}"):
            about = f"{how(one)} · SHA-256 {one.sha256[:16]}…"
            markup.stated(f"{one.case_reference} · {one.file_name}", "", about)
            place = Place(case=one.case_id, exhibit=one.exhibit_id)
            navigation.within("Examine", place, key=f"{key}_open_{one.exhibit_id}", icon=":material/frame_inspect:")


def _offer_missing(number: int, key: str) -> None:
    """Take the frame hashes that are missing, for as long as it takes; stopping keeps what was taken."""
    with st.container(horizontal=True, vertical_alignment="center"):
        what = "One exhibit has" if number == 1 else f"{number:,} exhibits have"
        markup.note(f"{what} no frame hashes yet and could not be compared by pictures.")
        asked = st.button("Take them now", icon=":material/fingerprint:", key=f"{key}_missing")
    if not asked:
        return
    bar = st.progress(0.0, text="Reading frames…")
    similarity, taken = services.current().store.similarity, 0
    try:
        while step := similarity.fingerprint_missing(limit=1):
            taken += step
            bar.progress(min(1.0, taken / number), text=f"Reading frames: {taken:,} of {number:,} exhibits")
    except StoreError as error:
        markup.problem("Not all frames were read", str(error))
        return
    st.rerun()


def _many(number: int) -> str:
    return f"{number} found" if number else ""
