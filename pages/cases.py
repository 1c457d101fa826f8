"""Cases: find one, see and keep its record, verify it, and take it away."""

from __future__ import annotations

import streamlit as st

from detector.cases import Case, ExhibitFilter
from detector.errors import StoreError
from pages.parts.cases import (
    case_details,
    case_exhibits,
    case_header,
    case_list,
    custody_log,
    exhibit_grid,
    exports,
    sign_off,
    store_care,
)
from pages.parts.examine import bookmarks, notes
from pages.parts.shared import actor, address, markup, services, view_log, withholding
from pages.parts.shared.address import Place

_CASES, _EXHIBITS = "Cases", "All exhibits"


def render() -> None:
    """Show the page: the list of cases and the chosen one."""
    store = services.current().store
    for warning in (*store.warnings, *filter(None, [store.timestamps.problem])):
        markup.problem("The case store needs attention", warning)
    who = actor.name()
    if address.read().case is None and _choose_view(who) == _EXHIBITS:
        exhibit_grid.show(ExhibitFilter(), who, key="every_exhibit")
        return
    left, right = st.columns([5, 13], gap="large")
    strips: case_list.Strips = []
    with left:
        try:
            strips = case_list.show(who)
        except StoreError as error:
            markup.problem("The cases cannot be listed", str(error))
    with right:
        if not actor.required():
            return
        _show_right(who)
    case_list.fill(strips)


def _show_right(who: str) -> None:
    """The chosen case, or what can be done with the store."""
    case_id = address.read().case
    if case_id is None:
        store_care.show(who)
        return
    st.button(
        "Close this case",
        icon=":material/arrow_back:",
        type="tertiary",
        key="cases_close",
        on_click=lambda: address.go(Place()),
        help="Back to the store: a new case, taking in a bundle, backup",
    )
    try:
        _show_case(services.current().store.case(case_id), who)
    except StoreError as error:
        markup.problem("This case cannot be opened", str(error))


def _choose_view(who: str) -> str:
    """Cases, or the exhibits of all cases; the latter tell conclusions, which are shown to nobody without a name."""
    if not who or not services.current().store.exhibit_page(limit=0).total:
        return _CASES
    return st.segmented_control(
        "View", [_CASES, _EXHIBITS], default=_CASES, required=True, key="cases_view", label_visibility="collapsed"
    )


def _show_case(case: Case, who: str) -> None:
    store = services.current().store
    view_log.record(who, case.case_id)
    withheld = withholding.withheld(case)
    with st.container():  # however much it says, the tabs below keep their place, and the open one stays open
        case_header.show(case, who, withheld=len(withheld))
    exhibits = store.exhibits(case.case_id)
    exhibits_tab, notes_tab, sign_tab, exports_tab, details_tab, log_tab = st.tabs(
        ["Exhibits", "Notes and bookmarks", "Sign-off", "Exports", "Details", "Custody log"]
    )
    with exhibits_tab:
        case_exhibits.show(case, who, withheld)
    with notes_tab:
        left, right = st.columns(2, gap="large")
        with left:
            notes.show(case, who, {exhibit.exhibit_id: exhibit for exhibit in exhibits})
        with right:
            bookmarks.show(case, exhibits, who, jump=False)
    with sign_tab:
        sign_off.show(case, who)
    with exports_tab:
        exports.of_case(case, who, withheld=bool(withheld))
    with details_tab:
        case_details.show(case, who)
    with log_tab:
        custody_log.show(case)
