"""The queue as it moves: stage, time left, cancel, and the way to the result."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import streamlit as st

from detector.cases import Job
from detector.errors import StoreError
from pages.parts.shared import markup, navigation, services
from pages.parts.shared.address import Place
from pages.parts.shared.wording import JOB_STATES, remaining_text

_MINE = "analyse_jobs"
_IN_ADDRESS = 20
_STAGES = {"prepare": "Prepare", "faces": "Decode and find faces", "scores": "Score", "conclusion": "Conclude"}
_POLL_S = 1.0


def follow(job_id: str) -> None:
    """Remember that this session asked for the job; the address keeps it over a reload of the page."""
    st.query_params["jobs"] = remember([job_id])


def remember(job_ids: Sequence[str]) -> str:
    """Put jobs that this session asked for at the head of its list; returns what the address of the queue says of the
    list."""
    st.session_state[_MINE] = list(dict.fromkeys([*job_ids, *_mine()]))
    return ",".join(st.session_state[_MINE][:_IN_ADDRESS])


def _mine() -> list[str]:
    kept: list[str] = st.session_state.get(_MINE, [])
    return kept or [job_id for job_id in st.query_params.get("jobs", "").split(",") if job_id]


def show() -> None:
    """This session's jobs and whatever else the queue holds. Polls only while something is queued or running."""
    _draw(run_every=_POLL_S if _listed()[1] else None)


def _listed() -> tuple[list[Job], bool]:
    jobs = services.current().jobs
    mine = []
    for job_id in _mine():
        with contextlib.suppress(StoreError):  # an address may name what another store holds
            mine.append(jobs.job(job_id))
    known = {job.job_id for job in mine}
    others = [job for job in jobs.jobs(active_only=True) if job.job_id not in known]
    listed = mine + others
    return listed, any(job.active for job in listed)


def _draw(run_every: float | None) -> None:
    @st.fragment(run_every=run_every)
    def queue() -> None:
        listed, moving = _listed()
        if run_every is not None and not moving:
            # The last job has ended: draw the whole page without polling. A link drawn here first would be replaced by
            # that drawing, and a click on it would go nowhere.
            st.rerun()
        markup.heading("Queue", f"{sum(job.active for job in listed)} waiting or running" if listed else "")
        if not listed:
            markup.empty("inbox", "Nothing queued", "Choose a file and start an analysis; its progress shows here.")
        for job in listed:
            show_job(job)

    queue()


def show_job(job: Job) -> None:
    """One job: how it stands, cancel while it moves, the way to its result."""
    open_services = services.current()
    word, icon = JOB_STATES[job.state]
    try:
        name = open_services.store.exhibit(job.exhibit_id).file_name
    except StoreError:
        name = job.exhibit_id
    with st.container(border=True, gap="small", key=f"job_{job.job_id}"):
        markup.job_line(icon, word, name, ", ".join(job.model_ids))
        if job.state == "running":
            st.progress(min(1.0, max(0.0, job.fraction)))
            markup.steps(list(_STAGES.values()), _STAGES.get(job.stage, _STAGES["prepare"]))
            markup.note(f"{job.message or 'Starting.'} {remaining_text(job.remaining_s)}")
        elif job.state == "queued":
            markup.note("It starts as soon as the worker is free.")
        elif job.state == "failed":
            markup.problem(
                "The analysis failed; the exhibit is kept", job.message or job.error_code or "no reason given"
            )
        if job.active:
            st.button(
                "Cancel",
                icon=":material/cancel:",
                key=f"cancel_{job.job_id}",
                on_click=open_services.jobs.cancel,
                args=(job.job_id,),
            )
        elif job.state == "done" and job.record_id is not None:
            place = Place(exhibit=job.exhibit_id, record=job.record_id)
            navigation.link("examine", "Open in Examine", place, icon=":material/frame_inspect:")
