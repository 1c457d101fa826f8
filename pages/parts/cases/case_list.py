"""The cases that were asked for, a page at a time, each with the texts in which the words were found."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from detector.cases import CaseSummary, ExhibitLine, Hit
from pages.parts.cases import case_filter
from pages.parts.shared import address, markup, navigation, services, thumbnails
from pages.parts.shared.address import Place
from pages.parts.shared.case_words import HIT, STATUS
from pages.parts.shared.wording import LABELS

PER_PAGE = 20
_HITS_A_CASE = 3
_PICTURES = 4
Strips = list[tuple[DeltaGenerator, tuple[ExhibitLine, ...]]]
# The places in which words are found by the line of the case itself.
_PLAIN_TO_SEE = {"case"}


def show(who: str) -> Strips:
    """Search, filters and the page of cases. Four queries, however many cases there are. Returns the places of the
    pictures of each case's first exhibits, for `fill`."""
    store = services.current().store
    wanted = case_filter.choose(store.facets(), who)
    page = int(st.session_state.get("cases_page", 0))
    found = store.history(
        wanted.search, wanted.filter, order=wanted.order, limit=PER_PAGE, offset=page * PER_PAGE, reader=who
    )
    if not found.total:
        _show_nothing(asked=bool(wanted.search or wanted.active))
        return []
    first = page * PER_PAGE + 1
    last = first + len(found.summaries) - 1
    markup.heading("Cases", f"{first:,} to {last:,} of {found.total:,}" if found.total > PER_PAGE else str(found.total))
    hits: dict[str, list[Hit]] = {}
    if wanted.search:
        for hit in store.search(
            wanted.search, wanted=wanted.filter, limit=(page + 1) * PER_PAGE * _HITS_A_CASE, reader=who
        ):
            if hit.kind not in _PLAIN_TO_SEE:
                hits.setdefault(hit.case.case_id, []).append(hit)
    # Evidence is shown to nobody whom the log cannot name.
    pictured = [one.case.case_id for one in found.summaries] if who else []
    first_exhibits = store.first_exhibits(pictured, _PICTURES, reader=who)
    strips: Strips = []
    for summary in found.summaries:
        case_id = summary.case.case_id
        place = _show_line(summary, who, hits.get(case_id, [])[:_HITS_A_CASE])
        strips.append((place, first_exhibits.get(case_id, ())))
        if strips[-1][1]:
            with place:
                markup.pictures([thumbnails.kept(one.sha256, one.shown_record) for one in strips[-1][1]])
    if found.total > PER_PAGE:
        with st.container(horizontal=True, horizontal_alignment="distribute"):
            _turn("Previous", page - 1, disabled=page == 0, icon=":material/chevron_left:")
            _turn("Next", page + 1, disabled=last >= found.total, icon=":material/chevron_right:")
    return strips


def fill(strips: Strips) -> None:
    """Make the pictures that are lacking, once the rest of the page is there."""
    store = services.current().store
    for place, lines in strips:
        if all(thumbnails.kept(one.sha256, one.shown_record) for one in lines):
            continue
        made = [thumbnails.picture(store.exhibit(one.exhibit_id), one.shown_record) for one in lines]
        with place:
            markup.pictures(made)


def _turn(label: str, to: int, *, disabled: bool, icon: str) -> None:
    st.button(
        label,
        icon=icon,
        disabled=disabled,
        key=f"cases_{label.lower()}",
        on_click=lambda: st.session_state.update(cases_page=to),
    )


def _show_nothing(*, asked: bool) -> None:
    if asked:
        markup.empty("search_off", "No case matches", "Try a part of a word, fewer words or fewer filters.")
        return
    markup.empty("folder_open", "No cases yet", "A case is created with its first analysis, or beside here.")
    navigation.link("analyse", "Go to Analyse", Place(), icon=":material/upload_file:")


def _show_line(summary: CaseSummary, who: str, hits: list[Hit]) -> DeltaGenerator:
    """The line of a case; returns the place of its pictures."""
    case = summary.case
    chosen = address.read().case == case.case_id
    with st.container(border=True, gap=None, key=f"case_line_{case.case_id}"):
        st.button(
            markup.plain(f"{case.reference} · {case.title}"),
            key=f"open_{case.case_id}",
            type="tertiary",
            icon=":material/arrow_right:" if chosen else f":material/{STATUS[case.status][1]}:",
            on_click=lambda: address.go(Place(case=case.case_id)),
        )
        marks = [("star", "#E69F00", "Starred")] if who in case.favourite_of else []
        if case.status != "open":
            marks.append((STATUS[case.status][1], "var(--fw-faint)", STATUS[case.status][0]))
        counts: dict[tuple[str, str, str], int] = {}
        for label in summary.labels:
            mark = (LABELS[label].icon, LABELS[label].colour, LABELS[label].word)
            counts[mark] = counts.get(mark, 0) + 1
        marks += [
            (icon, colour, word if number == 1 else f"{number} × {word}")
            for (icon, colour, word), number in counts.items()
        ]
        if summary.labels_withheld:
            marks.append(("visibility_off", "var(--fw-faint)", f"{summary.labels_withheld} held back"))
        if summary.signed:
            marks.append(("draw", "var(--fw-blue)", "Signed"))
        markup.states(marks)
        about = [_count(summary.exhibit_count, "exhibit"), case.examiner, *(f"#{tag}" for tag in case.tags)]
        markup.note(" · ".join([*filter(None, about), f"{case.updated_at:%Y-%m-%d %H:%M} UTC"]))
        pictures = st.empty()
        for hit in hits:
            markup.note(f"{HIT.get(hit.kind, hit.kind)}: “{' '.join(hit.excerpt.split())}”")
    return pictures


def _count(number: int, one: str) -> str:
    return f"{number:,} {one if number == 1 else one + 's'}"
