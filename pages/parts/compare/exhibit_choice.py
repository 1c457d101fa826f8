"""Which exhibit to compare models on: a case that holds analyses, and a file of it."""

from __future__ import annotations

import streamlit as st

from detector.cases import Case, Exhibit
from detector.evidence.text import revealed
from pages.parts.shared import address, markup, navigation, services, view_log, withholding
from pages.parts.shared.address import NOWHERE, Place

_CASES = 200


def choose(who: str) -> Exhibit | None:
    """The exhibit that the address names, or the newest there is; None where there is none or its scores are held back,
    with what to do. Raises StoreError for an address that the store does not hold."""
    left, right = st.columns(2, gap="small")
    with left:
        case = _choose_case()
    if case is None:
        markup.empty(
            "compare", "Nothing to compare yet", "Analyse a file with two models or more; they meet here side by side."
        )
        navigation.link("analyse", "Go to Analyse", NOWHERE, icon=":material/upload_file:")
        return None
    withheld = withholding.withheld(case)
    with right:
        exhibit = _choose_exhibit(case, withheld)
    if exhibit is None:
        markup.empty("hourglass_empty", "Not analysed yet", "No exhibit of this case has an analysis: see Analyse.")
        return None
    if exhibit.exhibit_id in withheld:
        view_log.record(who, case.case_id, exhibit_id=exhibit.exhibit_id)
        markup.outcome(
            "visibility_off",
            "var(--fw-faint)",
            withholding.WORDS,
            "This case asks for opinions before scores. Record yours on Examine; models can be compared after that.",
        )
        navigation.link("examine", "Go to Examine", Place(exhibit=exhibit.exhibit_id), icon=":material/frame_inspect:")
        return None
    place = address.read()
    if place.exhibit is None:  # what is clicked from here on stays with this exhibit, whatever is newest later
        address.go(Place(exhibit=exhibit.exhibit_id, track=place.track, pts=place.pts))
    return exhibit


def _choose_case() -> Case | None:
    """The case of the address, else the one with the newest activity that holds an analysis; None without any."""
    store, place = services.current().store, address.read()
    cases = {one.case.case_id: one.case for one in store.cases(limit=_CASES) if one.analysis_count}
    named = _named_case(place)
    if named is not None:
        cases = {named: store.case(named), **cases}
    if not cases:
        return None
    current = named or next(iter(cases))
    key = f"compare_case_{current}"
    st.selectbox(
        "Case",
        list(cases),
        index=list(cases).index(current),
        format_func=lambda case_id: revealed(f"{cases[case_id].reference} · {cases[case_id].title}"),
        key=key,
        on_change=lambda: address.go(Place(case=st.session_state[key])),
    )
    return cases[current]


def _named_case(place: Place) -> str | None:
    store = services.current().store
    if place.exhibit is not None:
        return store.exhibit(place.exhibit).case_id
    return store.record(place.record).case_id if place.record is not None else place.case


def _choose_exhibit(case: Case, withheld: frozenset[str]) -> Exhibit | None:
    store, place = services.current().store, address.read()
    analysed = {record.exhibit_id for record in store.analyses(case_id=case.case_id)}
    exhibits = {one.exhibit_id: one for one in store.exhibits(case.case_id) if one.exhibit_id in analysed}
    named = place.exhibit
    if named is None and place.record is not None:
        named = store.record(place.record).exhibit_id
    if named is not None and named not in exhibits:
        return None
    if not exhibits:
        return None
    current = named or next((one for one in exhibits if one not in withheld), next(iter(exhibits)))

    def describe(exhibit_id: str) -> str:
        held = " · scores held back" if exhibit_id in withheld else ""
        return revealed(f"{exhibits[exhibit_id].reference} · {exhibits[exhibit_id].file_name}{held}")

    key = f"compare_exhibit_{current}"
    st.selectbox(
        "Exhibit",
        list(exhibits),
        index=list(exhibits).index(current),
        format_func=describe,
        key=key,
        on_change=lambda: address.go(Place(case=case.case_id, exhibit=st.session_state[key])),
    )
    return exhibits[current]
