"""Chosen files on their way into a case and the queue: progress while they are stored, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NoReturn

import streamlit as st
from streamlit.runtime.scriptrunner import RerunException, StopException

from detector.errors import StoreError
from detector.settings import AnalysisSettings
from pages.parts.analyse import case_choice, followed
from pages.parts.shared import intake, markup, navigation, services
from pages.parts.shared.address import Place
from pages.parts.shared.intake import Named, Refusal, Storing

_OUTCOMES = "analyse_outcomes"
_TELL_BYTES = 16 * 2**20
_IN_FULL = 3


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of one start: how many files were filed in which case, and the others with their reasons."""

    filed: int
    case_id: str | None
    refusals: tuple[Refusal, ...]
    repeated: tuple[Refusal, ...]

    @property
    def others(self) -> bool:
        """Whether any file was not filed."""
        return bool(self.refusals or self.repeated)


class _Progress:
    """Tells which file is being stored. A click elsewhere would end the run of the page in the middle of a file, and
    leave the rest where it was: it waits until all are stored."""

    def __init__(self) -> None:
        self._bar = st.progress(0.0)
        self._told: tuple[int, int] | None = None
        self.interruption: RerunException | StopException | None = None

    def __call__(self, storing: Storing) -> None:
        at = (storing.number, storing.read_bytes // _TELL_BYTES)
        if self.interruption is not None or at == self._told:
            return
        self._told = at
        size_bytes = storing.file.size_bytes
        part = min(1.0, storing.read_bytes / size_bytes) if size_bytes else 0.0
        read = f" · {storing.read_bytes / 2**20:,.0f} of {size_bytes / 2**20:,.0f} MiB" if at[1] else ""
        said = f"Storing and hashing {storing.number} of {storing.total}: {markup.plain(storing.file.name)}{read}"
        try:
            self._bar.progress((storing.number - 1 + part) / storing.total, said)
        except (RerunException, StopException) as interruption:
            self.interruption = interruption


@dataclass(frozen=True, slots=True)
class Filed:
    """The case that files went to, None where none was taken in; and what was asked for meanwhile."""

    case_id: str | None
    interruption: RerunException | StopException | None

    def go_on(self) -> NoReturn:
        """Draw the page anew, or do what was asked for while files were stored."""
        if self.interruption is not None:
            raise self.interruption
        st.rerun()


def file_and_queue(
    named: Named, resolve_case: Callable[[], str], model_ids: tuple[str, ...], settings: AnalysisSettings, who: str
) -> Filed:
    """Store the files, make them exhibits and queue their analyses, and keep what came of it for `show_outcome`. To be
    followed by `go_on`, with nothing drawn before that."""
    progress = _Progress()
    queued = intake.queue(named.files, resolve_case, model_ids, settings, who, progress)
    followed.remember(queued.job_ids)
    # Of earlier starts only what was refused is still told.
    told = [replace(outcome, filed=0) for outcome in st.session_state.get(_OUTCOMES, []) if outcome.others]
    new = _Outcome(len(queued.job_ids), queued.case_id, (*named.refusals, *queued.refusals), queued.repeated)
    st.session_state[_OUTCOMES] = [*told, new]
    return Filed(queued.case_id, progress.interruption)


def show_outcome() -> None:
    """What came of the last starts: where files were filed, and which were not, until that is dismissed."""
    outcomes: list[_Outcome] = st.session_state.get(_OUTCOMES, [])
    if not outcomes:
        return
    for outcome in outcomes:
        if outcome.filed and outcome.case_id is not None:
            _show_filed(outcome.filed, outcome.case_id)
        for title, others in (("Not examined", outcome.refusals), ("Not queued twice", outcome.repeated)):
            if len(others) <= _IN_FULL:
                for other in others:
                    markup.problem(f"{title}: {other.name}", other.reason)
            else:
                with st.expander(f"{title}: {len(others)} files", icon=":material/error:", expanded=True):
                    markup.bullets(f"{other.name}: {other.reason}" for other in others)
    st.button("Dismiss", icon=":material/close:", key="analyse_dismiss", type="tertiary", on_click=_dismiss)


def _show_filed(count: int, case_id: str) -> None:
    try:
        case = services.current().store.case(case_id)
    except StoreError:
        return
    files = f"{count} file{'s were' if count != 1 else ' was'}"
    with st.container(horizontal=True, vertical_alignment="center"):
        markup.states([("task_alt", "#0072B2", f"{files} filed into {case_choice.name(case)}")])
        navigation.link("cases", "Case", Place(case=case_id), icon=":material/folder_open:")


def _dismiss() -> None:
    st.session_state.pop(_OUTCOMES, None)
