"""Exhibits as a list with pictures: what each is, what was found and said of it, and how far its examination is.

A page of it is one query. What takes longer, pictures and times that are not known yet, is filled in once everything
else is there, and kept for the next time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast, get_args

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from detector.cases import ExhibitFilter, ExhibitLine, ExhibitPage
from detector.cases.exhibit_list import FINDINGS, ExhibitOrder, ExhibitState, Finding
from detector.evidence.text import revealed
from detector.report.wording import count
from pages.parts.shared import address, look_at, markup, navigation, services, thumbnails, view_log
from pages.parts.shared.address import Place
from pages.parts.shared.case_words import EXHIBIT_STATE, VERDICT
from pages.parts.shared.wording import LABELS, clock, score_text

PER_PAGE = 25
_FEW = 5  # so many are seen at a glance: nothing to sort or filter
_ORDERS: dict[ExhibitOrder, str] = {
    "number": "By case and number",
    "added": "Newest first",
    "verdict": "By verdict and score",
    "state": "By state",
    "file_name": "By file name",
    "duration": "Longest first",
    "examiner": "By examiner",
}
_OTHER: dict[Finding, tuple[str, str, str]] = {
    "withheld": ("visibility_off", "var(--fw-faint)", "Held back until your opinion"),
    "none": ("remove", "var(--fw-faint)", "No conclusion yet"),
}


@dataclass(frozen=True, slots=True)
class _Row:
    """A drawn row: its place, and what it tells."""

    place: DeltaGenerator
    line: ExhibitLine


@st.fragment
def show(wanted: ExhibitFilter, who: str, *, key: str) -> None:
    """The list, with search, filters, order and groups above it where it is longer than a glance. A row leads to
    Examine, its button to the exhibit's details. Whoever is told conclusions is put into the log."""
    store = services.current().store
    every = store.exhibit_page(wanted, limit=1, reader=who)
    order: ExhibitOrder = "number" if wanted.case_id else "added"
    grouped = False
    if every.total > _FEW:
        wanted, order, grouped = _choose(wanted, every, key)
    start = PER_PAGE * int(st.session_state.get(f"{key}_page", 0))
    page = store.exhibit_page(wanted, order=order, grouped=grouped, limit=PER_PAGE, offset=start, reader=who)
    if not page.lines:
        markup.empty("search_off", "No exhibit matches", "Try a part of a word, or fewer filters.")
        return
    view_log.record_list(who, {one.exhibit_id: one.case_id for one in page.lines if one.shown_record})
    rows: list[_Row] = []
    heading: Finding | None = None
    for line in page.lines:
        if grouped and line.finding != heading:
            heading = line.finding
            markup.heading(_words(line.finding)[2], count(page.counts[heading], "exhibit"))
        rows.append(_Row(_draw(line, key, one_case=wanted.case_id is not None), line))
    _turn(page, start, key)
    _fill(rows, one_case=wanted.case_id is not None)


def _choose(wanted: ExhibitFilter, every: ExhibitPage, key: str) -> tuple[ExhibitFilter, ExhibitOrder, bool]:
    def first_page() -> None:
        st.session_state[f"{key}_page"] = 0

    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        words = st.text_input(
            "Search in these exhibits",
            key=f"{key}_words",
            placeholder="file name, reference, description, SHA-256",
            icon=":material/search:",
            on_change=first_page,
            width=300,
        )
        states = st.multiselect(
            "State",
            get_args(ExhibitState),
            format_func=lambda state: EXHIBIT_STATE[cast("ExhibitState", state)][0],
            key=f"{key}_states",
            placeholder="any",
            on_change=first_page,
            width=240,
        )
        order = st.selectbox(
            "Order",
            list(_ORDERS),
            index=list(_ORDERS).index("number" if wanted.case_id else "added"),
            format_func=_ORDERS.__getitem__,
            key=f"{key}_order",
            on_change=first_page,
            width=190,
        )
        examiner = None if wanted.case_id else _choose_examiner(key, first_page)
        grouped = st.toggle("Group by verdict", key=f"{key}_grouped", on_change=first_page)
    findings = st.pills(
        "Verdict",
        [finding for finding in FINDINGS if every.counts.get(finding)],
        selection_mode="multi",
        format_func=lambda finding: f"{_words(finding)[2]} ({every.counts[finding]:,})",
        key=f"{key}_findings",
        on_change=first_page,
        label_visibility="collapsed",
    )
    wanted = replace(
        wanted, words=words, states=tuple(states), findings=tuple(findings), examiner=examiner or wanted.examiner
    )
    return wanted, order, grouped


def _choose_examiner(key: str, on_change: Callable[[], None]) -> str | None:
    names = [name for name, _ in services.current().store.facets().examiners]
    return st.selectbox(
        "Examiner",
        names,
        index=None,
        format_func=revealed,
        key=f"{key}_examiner",
        placeholder="anyone",
        on_change=on_change,
        width=190,
    )


def _draw(line: ExhibitLine, key: str, *, one_case: bool) -> DeltaGenerator:
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"exhibit_row_{line.exhibit_id}"):
        place = st.empty()
        known = look_at.known(line.shown_record) if line.shown_record else ""
        with place:
            _tell(line, thumbnails.kept(line.sha256, line.shown_record), known or "", one_case=one_case)
        to = Place(case=line.case_id, exhibit=line.exhibit_id)
        label = f"Examine {markup.plain(line.reference)}"
        navigation.link(
            "examine", label, to, icon=":material/frame_inspect:", help=f"Open {markup.plain(line.file_name)}"
        )
        if st.button(
            "Details",
            key=f"{key}_details_{line.exhibit_id}",
            icon=":material/more_horiz:",
            type="tertiary",
            help="Facts, every analysis, reference and description, filing in another case",
        ):
            address.go(to)
            st.rerun()
    return place


def _tell(line: ExhibitLine, picture: str | None, times: str, *, one_case: bool) -> None:
    icon, colour, word = _words(line.finding)
    state, state_icon = EXHIBIT_STATE[line.state]
    score = "" if line.score is None else f"score {score_text(line.score)}"
    found = " · ".join(filter(None, [score, f"look at {times}" if times else ""]))
    markup.exhibit_row(
        picture,
        line.reference,
        line.file_name,
        line.description if one_case else " · ".join(filter(None, [line.case_reference, line.case_title])),
        [(icon, colour, word, found), (state_icon, "var(--fw-faint)", state, _opinion(line))],
        "\n".join(
            [
                "still" if line.duration_s is None else clock(line.duration_s),
                line.examiner or "no examiner",
                f"{line.added_at:%Y-%m-%d %H:%M}",
            ]
        ),
    )


def _opinion(line: ExhibitLine) -> str:
    if line.opinion is None:
        return "" if not line.opinion_count else f"{count(line.opinion_count, 'opinion')} of others"
    more = f" · {line.opinion_count - 1} more" if line.opinion_count > 1 else ""
    return f"Opinion: {VERDICT[line.opinion]} · {line.opinion_by}{more}"


def _words(finding: Finding) -> tuple[str, str, str]:
    """(icon, colour, word)."""
    if finding == "withheld" or finding == "none":
        return _OTHER[finding]
    words = LABELS[finding]
    return words.icon, words.colour, words.word


def _turn(page: ExhibitPage, start: int, key: str) -> None:
    if page.total <= PER_PAGE:
        return
    last = start + len(page.lines)

    def to(number: int) -> None:
        st.session_state[f"{key}_page"] = number

    here = start // PER_PAGE
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.button(
            "Previous", icon=":material/chevron_left:", key=f"{key}_previous", disabled=not here,
            on_click=to, args=(here - 1,),
        )  # fmt: skip
        markup.note(f"{start + 1:,} to {last:,} of {page.total:,}")
        st.button(
            "Next", icon=":material/chevron_right:", key=f"{key}_next", disabled=last >= page.total,
            on_click=to, args=(here + 1,),
        )  # fmt: skip


def _fill(rows: Sequence[_Row], *, one_case: bool) -> None:
    """Make the pictures, and read the times, that were not known, a row after another."""
    store = services.current().store
    for row in rows:
        line, record = row.line, row.line.shown_record
        lacking = thumbnails.kept(line.sha256, record) is None or (record and look_at.known(record) is None)
        if not lacking:
            continue
        picture = thumbnails.picture(store.exhibit(line.exhibit_id), record)
        times = look_at.of_record(record) if record else ""
        with row.place:
            _tell(line, picture, times, one_case=one_case)
