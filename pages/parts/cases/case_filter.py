"""The filter of the list of cases: words, and a panel of conditions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import cast, get_args

import streamlit as st

from detector.analysis.types import Label
from detector.cases import CURRENT, STATUSES, CaseFilter, Facets
from detector.cases.types import Order, Status
from detector.evidence.text import revealed
from pages.parts.shared.case_words import STATUS
from pages.parts.shared.wording import LABELS

_ORDERS: dict[Order, str] = {
    "activity": "Last changed first",
    "created": "Newest first",
    "reference": "By reference",
    "title": "By title",
}
_KEYS = ("status", "tags", "examiner", "labels", "since", "until", "mine")


@dataclass(frozen=True, slots=True)
class Wanted:
    """`active` counts the filters that are set, the order aside."""

    search: str
    filter: CaseFilter
    order: Order
    active: int


def choose(facets: Facets, who: str) -> Wanted:
    """The widgets. `who` is whose stars count; without a name there are none to filter by."""
    search = st.text_input(
        "Search",
        key="cases_search",
        placeholder="words in titles, notes, file names…, or a SHA-256",
        icon=":material/search:",
        on_change=first_page,
    )
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        active = _active(st.session_state)
        with st.popover(f"Filters ({active})" if active else "Filters", icon=":material/filter_list:"):
            found = _panel(facets, who)
        order = st.selectbox(
            "Order",
            list(_ORDERS),
            format_func=_ORDERS.__getitem__,
            key="cases_order",
            label_visibility="collapsed",
            on_change=first_page,
            width=190,
        )
        if active:
            st.button("Clear", icon=":material/close:", key="cases_clear", type="tertiary", on_click=_clear)
    return Wanted(search.strip(), found, order, active)


def first_page() -> None:
    """A changed question: its answers are shown from the first."""
    st.session_state["cases_page"] = 0


def _panel(facets: Facets, who: str) -> CaseFilter:
    counts = dict(facets.statuses)
    statuses = st.pills(
        "Status",
        STATUSES,
        selection_mode="multi",
        default=list(CURRENT),
        format_func=lambda status: f"{STATUS[status][0]} ({counts.get(status, 0):,})",
        key="cases_status",
        on_change=first_page,
    )
    tags = st.multiselect(
        "Tags, all of them",
        [tag for tag, _ in facets.tags],
        format_func=revealed,
        key="cases_tags",
        on_change=first_page,
    )
    examiner = st.selectbox(
        "Examiner",
        [name for name, _ in facets.examiners],
        index=None,
        format_func=revealed,
        key="cases_examiner",
        placeholder="anyone",
        on_change=first_page,
    )
    labels = st.multiselect(
        "Conclusion of an exhibit, any of them",
        get_args(Label),
        format_func=lambda label: LABELS[label].word,
        key="cases_labels",
        on_change=first_page,
        help="Conclusions that are held back until you record your opinion are not found.",
    )
    left, right = st.columns(2)
    since = left.date_input("Created from", value=None, key="cases_since", format="YYYY-MM-DD", on_change=first_page)
    until = right.date_input("up to", value=None, key="cases_until", format="YYYY-MM-DD", on_change=first_page)
    mine = st.toggle("Only those I starred", key="cases_mine", disabled=not who, on_change=first_page)
    return CaseFilter(
        statuses=cast("tuple[Status, ...]", tuple(statuses) or STATUSES),
        tags=tuple(tags),
        examiner=examiner or "",
        labels=tuple(labels),
        favourite_of=who if mine else "",
        created_from=_midnight(since),
        created_before=_midnight(until, days=1),
    )


def _midnight(day: object, days: int = 0) -> datetime | None:
    if not isinstance(day, date):
        return None
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=days)


def _active(state: object) -> int:
    values = {name: state.get(f"cases_{name}") for name in _KEYS}  # type: ignore[attr-defined]
    status = values.pop("status")
    return sum(bool(value) for value in values.values()) + (status is not None and set(status) != set(CURRENT))


def _clear() -> None:
    for name in _KEYS:
        st.session_state.pop(f"cases_{name}", None)
    first_page()
