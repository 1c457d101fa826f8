"""Chosen files on their way into a case and the queue: progress while they are stored, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NoReturn

import streamlit as st
from streamlit.runtime.scriptrunner import RerunException, StopException

from detector.errors import StoreError
from detector.settings import AnalysisSettings
from pages.parts.analyse import case_choice, evidence_choice, followed
from pages.parts.shared import intake, markup, navigation, services
from pages.parts.shared.address import Place
from pages.parts.shared.intake import Named, Refusal, Storing

_OUTCOMES = "analyse_outcomes"
_BATCH = "analyse_batch"
_POLL_S = 1.0
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


class _Batch:
    """The files of one start. A click elsewhere has Streamlit draw the page anew beside the run that stores them, which
    goes on without a page of its own: what it does it keeps here, where later runs find it."""

    def __init__(self, named: Named, *, settles: bool) -> None:
        self.named = named
        self.settles = settles
        self.storing: Storing | None = None
        self.outcome: _Outcome | None = None
        self.job_ids: tuple[str, ...] = ()
        self.ended = False

    @property
    def progress(self) -> tuple[float, str]:
        """The share that is stored, 0..1, and what is said of it."""
        at = self.storing
        if at is None:
            return 0.0, "Storing"
        size_bytes = at.file.size_bytes
        part = min(1.0, at.read_bytes / size_bytes) if size_bytes else 0.0
        read = f" · {at.read_bytes / 2**20:,.0f} of {size_bytes / 2**20:,.0f} MiB" if size_bytes > _TELL_BYTES else ""
        said = f"Storing and hashing {at.number} of {at.total}: {markup.plain(at.file.name)}{read}"
        return (at.number - 1 + part) / at.total, said


def file_and_queue(
    named: Named,
    resolve_case: Callable[[], str],
    model_ids: tuple[str, ...],
    settings: AnalysisSettings,
    who: str,
    *,
    settles: bool,
) -> NoReturn:
    """Store the files, make them exhibits and queue their analyses; then draw the page anew, which is to `collect` what
    came of it. `settles`: where the next files go follows from where these went."""
    bar = st.empty()
    batch = _Batch(named, settles=settles)
    # From here on whatever asks Streamlit for anything, the session's state too, could end this run.
    st.session_state[_BATCH] = batch
    stopped: list[StopException | RerunException] = []
    told: set[tuple[int, int]] = set()

    def tell(storing: Storing) -> None:
        batch.storing = storing
        at = (storing.number, storing.read_bytes // _TELL_BYTES)
        if stopped or at in told:
            return
        told.add(at)
        try:
            bar.progress(*batch.progress)
        except (StopException, RerunException) as stop:  # another run has the page now, or nobody
            stopped.append(stop)

    try:
        queued = intake.queue(named.files, resolve_case, model_ids, settings, who, tell)
        refusals = (*named.refusals, *queued.refusals)
        batch.job_ids = queued.job_ids
        batch.outcome = _Outcome(len(queued.job_ids), queued.case_id, refusals, queued.repeated)
    finally:
        batch.ended = True
    for stop in stopped:
        raise stop
    st.rerun()


def is_storing() -> bool:
    """Whether files that this session started are still being stored, or were and are to be collected."""
    return _BATCH in st.session_state


def collect() -> None:
    """Take up what came of a start that has ended; before the page's widgets are drawn."""
    batch: _Batch | None = st.session_state.get(_BATCH)
    if batch is None or not batch.ended:
        return
    if batch.outcome is not None:
        followed.remember(batch.job_ids)
        # Of earlier starts only what was refused is still told. Should this run end here, the next one does it again.
        earlier = [one for one in st.session_state.get(_OUTCOMES, []) if one is not batch.outcome and one.others]
        st.session_state[_OUTCOMES] = [*(replace(one, filed=0) for one in earlier), batch.outcome]
        if batch.settles:
            evidence_choice.renew()
            if batch.outcome.case_id is not None:
                case_choice.settle(batch.outcome.case_id)
            elif batch.named.path:
                evidence_choice.put_back(batch.named.path)
    del st.session_state[_BATCH]


def show_storing() -> None:
    """How far the files are that another run of this page stores; the page is drawn anew when they are."""
    batch: _Batch | None = st.session_state.get(_BATCH)
    if batch is None:
        return

    @st.fragment(run_every=_POLL_S)
    def progress() -> None:
        if batch.ended:
            st.rerun()
        st.progress(*batch.progress)

    progress()


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
