"""The case that the evidence belongs to: one there is, or a new one. Evidence is not taken out of a case unnoticed, so
a case is the target of the next file only where the address or the user says so."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import streamlit as st

from detector.cases import Case
from detector.errors import StoreError
from detector.evidence.text import revealed
from pages.parts.shared import address, markup, services

_NEW = "new"
_KEEP = "analyse_keep"
_KEPT = "analyse_case_kept"
_NEXT = "analyse_case_next"
_SAMPLE_TITLE = "Sample clips"
_LISTED = 200


@dataclass(frozen=True, slots=True)
class CaseChoice:
    """`case_id` None means: create one of `title`, `reference`, `examiner` when the analysis is started. `blind_first`
    makes the case hold scores back; it never takes that away from one that does. `words` name it, as in "into …"."""

    case_id: str | None
    words: str
    title: str = ""
    reference: str = ""
    examiner: str = ""
    blind_first: bool = False

    def resolve(self, who: str) -> str:
        """The id of the chosen case, created now by `who` if it is new. Raises StoreError."""
        store = services.current().store
        case_id = self.case_id
        if case_id is None:
            title = self.title.strip() or _dated_title()
            named = {"reference": self.reference.strip(), "examiner": self.examiner.strip() or who}
            case_id = store.create_case(title, **named, author=who).case_id
        if self.blind_first:
            store.metadata.set_blind_first(case_id, True, author=who)
        return case_id


def name(case: Case) -> str:
    """A case in a sentence: "FW-2026-0007 · Title"."""
    return f"{case.reference} · {case.title}"


def settle(case_id: str) -> None:
    """After files were filed in this case: have the next ones go there too where the user said so, else to a new
    case."""
    keep = st.session_state.get(_KEEP, False)
    st.session_state[_KEPT] = case_id if keep else None
    st.session_state[_NEXT] = case_id if keep else _NEW
    st.query_params.pop("case", None)


def sample_case(who: str) -> str:
    """The id of the case that holds the shipped samples, created when first needed."""
    store = services.current().store
    found = (item.case.case_id for item in store.cases(_SAMPLE_TITLE) if item.case.title == _SAMPLE_TITLE)
    return next(found, None) or store.create_case(_SAMPLE_TITLE, author=who).case_id


def choose(who: str) -> CaseChoice:
    """The widgets; creates nothing. A new case is the default."""
    cases = _offered()
    options = [_NEW, *cases]
    _take_up(options)

    def describe(option: str) -> str:
        return "A new case" if option == _NEW else revealed(name(cases[option]))

    chosen = st.selectbox("Case", options, format_func=describe, key="analyse_case", label_visibility="collapsed")
    if chosen != st.session_state.get(_KEPT):
        st.session_state[_KEPT] = None
    known = cases.get(chosen)
    with st.container(horizontal=True):
        blind_first = not (known and known.blind_first) and _ask_blind(chosen)
        _ask_to_keep()
    if known is not None:
        if known.blind_first:
            markup.note("This case holds scores back from each person until they record an opinion on the exhibit.")
        return CaseChoice(chosen, name(known), blind_first=blind_first)
    left, middle, right = st.columns([2, 1, 1])
    title = left.text_input("Title", key="analyse_case_title", max_chars=200, placeholder="What the case is about")
    reference = middle.text_input("Reference", key="analyse_case_reference", max_chars=80, placeholder="given if empty")
    examiner = right.text_input("Examiner", key="analyse_case_examiner", max_chars=120, placeholder=who)
    words = f"a new case, “{title.strip() or _dated_title()}”"
    return CaseChoice(None, words, title, reference, examiner, blind_first=blind_first)


def _offered() -> dict[str, Case]:
    """The cases of the list, and the one that the address or the session names, however old it is."""
    store = services.current().store
    cases = {item.case.case_id: item.case for item in store.cases(limit=_LISTED)}
    for case_id in (address.read().case, st.session_state.get(_KEPT)):
        if case_id is not None and case_id not in cases:
            try:
                case = store.case(case_id)
            except StoreError:  # an address may name what another store holds
                continue
            if case.status != "archived":
                cases[case_id] = case
    return cases


def _take_up(options: list[str]) -> None:
    """Set the choice before its widgets are drawn: after a start, and when the page is opened."""
    wanted = st.session_state.pop(_NEXT, None)
    if wanted == _NEW:
        # The texts named the case that was just made.
        for part in ("title", "reference", "examiner"):
            st.session_state[f"analyse_case_{part}"] = ""
        st.session_state[f"analyse_blind_{_NEW}"] = False
    if wanted is None and "analyse_case" not in st.session_state:
        wanted = address.read().case or st.session_state.get(_KEPT)
    if wanted in options:
        st.session_state["analyse_case"] = wanted


def _dated_title() -> str:
    return f"Case of {datetime.now(UTC):%Y-%m-%d}"


def _ask_to_keep() -> None:
    st.session_state.setdefault(_KEEP, st.session_state.get(_KEPT) is not None)
    keep = st.toggle(
        "Keep adding to this case",
        key=_KEEP,
        help="Off: after the start the next files go to a new case again. On: they go to this one, until it is turned "
        "off or another case is chosen.",
    )
    if not keep:
        st.session_state[_KEPT] = None


def _ask_blind(option: str) -> bool:
    return st.toggle(
        "Blind first: an opinion before scores",
        key=f"analyse_blind_{option}",
        help="The case then holds the scores, heatmaps and conclusion of each exhibit back from each person until they "
        "have recorded an opinion on it.",
    )
