"""The case that the evidence belongs to: one there is, or a new one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import streamlit as st

from detector.evidence.text import revealed
from pages.parts.shared import address, markup, services

_NEW = "new"
_NEXT = "analyse_case_next"
_SAMPLE_TITLE = "Sample clips"
_LISTED = 200


@dataclass(frozen=True, slots=True)
class CaseChoice:
    """`case_id` None means: create one of `title`, `reference`, `examiner` when the analysis is started. `blind_first`
    makes the case hold scores back; it never takes that away from one that does."""

    case_id: str | None
    title: str = ""
    reference: str = ""
    examiner: str = ""
    blind_first: bool = False

    def resolve(self, who: str) -> str:
        """The id of the chosen case, created now by `who` if it is new. Raises StoreError."""
        store = services.current().store
        case_id = self.case_id
        if case_id is None:
            title = self.title.strip() or f"Case of {datetime.now(UTC):%Y-%m-%d}"
            named = {"reference": self.reference.strip(), "examiner": self.examiner.strip() or who}
            case_id = store.create_case(title, **named, author=who).case_id
        if self.blind_first:
            store.metadata.set_blind_first(case_id, True, author=who)
        return case_id


def keep(case_id: str) -> None:
    """Have the next file go to this case unless the user chooses another."""
    st.session_state[_NEXT] = case_id


def sample_case(who: str) -> str:
    """The id of the case that holds the shipped samples, created when first needed."""
    store = services.current().store
    found = (item.case.case_id for item in store.cases(_SAMPLE_TITLE) if item.case.title == _SAMPLE_TITLE)
    return next(found, None) or store.create_case(_SAMPLE_TITLE, author=who).case_id


def choose(who: str) -> CaseChoice:
    """The widgets; creates nothing. A new case is the default: evidence cannot be taken out of a wrong one."""
    summaries = {item.case.case_id: item.case for item in services.current().store.cases(limit=_LISTED)}
    options = [_NEW, *summaries]
    wanted = st.session_state.pop(_NEXT, None)
    if wanted in options:
        st.session_state["analyse_case"] = wanted
    elif "analyse_case" not in st.session_state and address.read().case in options:
        st.session_state["analyse_case"] = address.read().case

    def describe(option: str) -> str:
        if option == _NEW:
            return "A new case"
        return revealed(f"{summaries[option].reference} · {summaries[option].title}")

    chosen = st.selectbox(
        "Case",
        options,
        format_func=describe,
        key="analyse_case",
    )
    if chosen != _NEW:
        if summaries[chosen].blind_first:
            markup.note("This case holds scores back until an opinion on the exhibit is recorded.")
            return CaseChoice(case_id=chosen)
        return CaseChoice(case_id=chosen, blind_first=_ask_blind(chosen))
    title = st.text_input("Title", key="analyse_case_title", max_chars=200, placeholder="What the case is about")
    left, right = st.columns(2)
    reference = left.text_input("Reference", key="analyse_case_reference", max_chars=80, placeholder="given if empty")
    examiner = right.text_input("Examiner", key="analyse_case_examiner", max_chars=120, placeholder=who)
    blind_first = _ask_blind(_NEW)
    markup.note("The case is created when the analysis starts.")
    return CaseChoice(case_id=None, title=title, reference=reference, examiner=examiner, blind_first=blind_first)


def _ask_blind(option: str) -> bool:
    return st.toggle(
        "Blind first: an opinion before scores",
        key=f"analyse_blind_{option}",
        help="The case then holds the scores, heatmaps and conclusion of each exhibit back from each person until they "
        "have recorded an opinion on it.",
    )
