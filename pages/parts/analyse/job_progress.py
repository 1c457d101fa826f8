"""The queue as it moves: how far the batch is, what is held back and what failed, and a row for each analysis."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence

import streamlit as st

from detector.cases import Job, JobState
from detector.errors import StoreError
from pages.parts.analyse import followed, job_row
from pages.parts.shared import markup, services
from pages.parts.shared.wording import remaining_text

_POLL_S = 1.0
_ROWS = 20
_EARLIER = 100
_SHOWN = "analyse_rows"


def show(who: str) -> None:
    """This session's jobs and whatever else the queue holds, then what ended before. Polls only while something waits
    or runs."""
    followed.put_in_address()
    _draw(who, run_every=_POLL_S if _moving(_listed()) else None)
    _show_earlier(who)


def _moving(jobs: Sequence[Job]) -> bool:
    return any(job.state in ("queued", "running") for job in jobs)


def _listed() -> list[Job]:
    """Those of this session, then others' that have not ended; the oldest first. One that ended without a result gives
    way to its repetition."""
    jobs = services.current().jobs
    found: dict[str, Job] = {}
    for job_id in followed.listed():
        with contextlib.suppress(StoreError):  # an address may name what another store holds
            found[job_id] = jobs.job(job_id)
    found |= {job.job_id: job for job in jobs.jobs(active_only=True)}
    ordered = sorted(found.values(), key=lambda job: job.job_id)
    newest = {_request(job): job.job_id for job in ordered}
    return [job for job in ordered if job.state not in ("failed", "cancelled") or newest[_request(job)] == job.job_id]


def _request(job: Job) -> tuple[object, ...]:
    return job.exhibit_id, job.model_ids, job.settings


def _draw(who: str, run_every: float | None) -> None:
    @st.fragment(run_every=run_every)
    def queue() -> None:
        listed = _listed()
        if run_every is not None and not _moving(listed):
            # The last job has ended: draw the whole page without polling. A link drawn here first would be replaced by
            # that drawing, and a click on it would go nowhere.
            st.rerun()
        active = sum(job.active for job in listed)
        markup.heading("Queue", f"{active} waiting or running" if active else "")
        if not listed:
            markup.empty("inbox", "Nothing queued", "Choose a file and start an analysis; its progress shows here.")
            return
        _show_batch(listed, who)
        _show_rows(listed, who)

    queue()


def _show_batch(listed: Sequence[Job], who: str) -> None:
    """How far the batch is, and what can be done about all of it."""
    batch = _batch(listed)
    if len(batch) > 1:
        ended = sum(not job.active for job in batch)
        share = (ended + sum(job.fraction for job in batch if job.state == "running")) / len(batch)
        left = remaining_text(_left_s(batch)) if _moving(batch) else ""
        failures = sum(job.state == "failed" for job in batch)
        told = f"{ended} of {len(batch)} ended" + (f", {failures} of them failed" if failures else "")
        st.progress(min(1.0, share), f"{told}. {left}")
    jobs = services.current().jobs
    mine = set(followed.listed())
    waiting = _own_or_all([job for job in listed if job.state == "queued"], mine)
    paused = _own_or_all([job for job in listed if job.state == "paused"], mine)
    failed = [job.job_id for job in listed if job.state == "failed"]
    with st.container(horizontal=True, gap="small"):
        if len(waiting) > 1 or (waiting and any(job.state == "running" for job in listed)):
            st.button(
                f"Pause {len(waiting)} waiting",
                icon=":material/pause:",
                key="queue_pause",
                help="They wait, also after a restart of the program, until they are resumed. What runs goes on.",
                on_click=jobs.pause,
                args=(waiting,),
                kwargs={"author": who},
            )
        if paused:
            st.button(
                f"Resume {len(paused)} paused",
                icon=":material/play_arrow:",
                key="queue_resume",
                on_click=jobs.resume,
                args=(paused,),
                kwargs={"author": who},
            )
        _offer_retry(failed, who, key="queue_retry")


def _offer_retry(failed: list[str], who: str, *, key: str) -> None:
    """A button for several jobs that failed; one alone has it in its row."""
    if len(failed) > 1 and who:
        st.button(
            f"Retry {len(failed)} failed",
            icon=":material/replay:",
            key=key,
            on_click=job_row.retry,
            args=(failed, who),
        )


def _own_or_all(jobs: Sequence[Job], mine: set[str]) -> list[str]:
    """The ids of this session's jobs among these; of all where it has none, as after a restart."""
    every = [job.job_id for job in jobs]
    return [job_id for job_id in every if job_id in mine] or every


def _batch(listed: Sequence[Job]) -> list[Job]:
    """The jobs since the queue was last empty."""
    batch: list[Job] = []
    for job in listed:
        if all(one.finished_at is not None and one.finished_at < job.created_at for one in batch):
            batch = []
        batch.append(job)
    return batch


def _left_s(batch: Sequence[Job]) -> float | None:
    """An estimate of the time until the last that is not paused has ended, s; None before there is anything to go by.
    A file that waits is taken to need as long as those before it on average."""
    running = next((job for job in batch if job.state == "running"), None)
    took_s = [
        (job.finished_at - job.started_at).total_seconds()
        for job in batch
        if job.state == "done" and job.started_at is not None and job.finished_at is not None
    ]
    current_s = running.remaining_s if running is not None else 0.0
    if running is not None and running.remaining_s is not None and 0.1 < running.fraction < 1.0:
        took_s.append(running.remaining_s / (1.0 - running.fraction))
    waiting = sum(job.state == "queued" for job in batch)
    if current_s is None or (waiting and not took_s):
        return None
    return current_s + (waiting * sum(took_s) / len(took_s) if waiting else 0.0)


def _show_rows(listed: Sequence[Job], who: str) -> None:
    """What runs, what failed, results with the newest first, then what waits in its order; so many rows, and more when
    asked for."""

    def those(*states: JobState) -> list[Job]:
        return [job for job in listed if job.state in states]

    ordered = [
        *those("running"),
        *those("failed"),
        *reversed(those("done")),
        *those("queued", "paused"),
        *those("cancelled"),
    ]
    _draw_rows(ordered, who, key="queue_more")


def _draw_rows(jobs: Sequence[Job], who: str, *, key: str) -> None:
    until_s = time.monotonic() + job_row.PICTURES_S
    shown = st.session_state.get(_SHOWN, _ROWS)
    for job in jobs[:shown]:
        job_row.show(job, who, pictures_until_s=until_s)
    if len(jobs) > shown:
        st.button(f"Show {len(jobs) - shown} more", key=key, type="tertiary", on_click=_show_all)


def _show_all() -> None:
    st.session_state[_SHOWN] = _EARLIER * 10


def _show_earlier(who: str) -> None:
    """What ended before this session, whoever asked for it: to open, or to try again after a restart."""
    with st.expander("Earlier analyses", icon=":material/history:", key="queue_earlier", on_change="rerun") as earlier:
        if not earlier.open:
            return
        known = {job.job_id for job in _listed()}
        recent = services.current().jobs.recent(_EARLIER)
        ended = [job for job in recent if not job.active and job.job_id not in known]
        again = {_request(job): job.job_id for job in sorted(recent, key=lambda job: job.job_id)}
        failed = [job.job_id for job in ended if job.state == "failed" and again[_request(job)] == job.job_id]
        if not ended:
            markup.note("None.")
        _offer_retry(failed, who, key="earlier_retry")
        _draw_rows(ended, who, key="earlier_more")
