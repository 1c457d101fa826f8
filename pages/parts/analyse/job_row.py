"""One analysis in the queue, told from others by a picture: how far it is, and what it found once it has ended."""

from __future__ import annotations

import time
from dataclasses import dataclass

import streamlit as st

from detector.analysis.types import Label
from detector.cases import Case, Exhibit, Job
from detector.errors import FramewitnessError, StoreError
from pages.parts.analyse import followed
from pages.parts.models import model_choice
from pages.parts.shared import look_at, markup, navigation, services, thumbnails, view_log, withholding
from pages.parts.shared.address import Place
from pages.parts.shared.wording import JOB_STATES, LABELS, clock, remaining_text

_STAGES = {"prepare": "Prepare", "faces": "Decode and find faces", "scores": "Score", "conclusion": "Conclude"}
_FAINT = "var(--fw-faint)"
_COLOURS = {"failed": "#D55E00", "paused": "#E69F00"}
# A list of many rows may spend this long on pictures that were never made before; the rest have an icon until it is
# drawn again.
PICTURES_S = 2.0


@dataclass(frozen=True, slots=True)
class _Found:
    """What is told of a finished analysis: its label, and the times that its reasons name (`look_at`)."""

    label: Label
    times: str


@st.cache_data(show_spinner=False, max_entries=2_000)
def _found(home: str, record_id: str) -> _Found:
    """Records never change, so each is read once. Raises StoreError where it is gone."""
    conclusion = services.current().store.analysis(record_id).conclusion
    return _Found(conclusion.label, look_at.times(conclusion))


@st.cache_data(show_spinner=False, max_entries=200, ttl=600)
def _names(model_ids: tuple[str, ...]) -> str:
    """Names and ids of models. Reading their cards at every redraw of every row would take too long."""
    return ", ".join(
        name if name == model_id else f"{name} ({model_id})"
        for name, model_id in zip(model_choice.names_of(model_ids), model_ids, strict=True)
    )


def show(job: Job, who: str = "", *, pictures_until_s: float | None = None) -> None:
    """The row of a job, with what can be done about it in the name of `who`. New pictures are made until the clock
    (`time.monotonic`) says `pictures_until_s`."""
    store = services.current().store
    with st.container(border=True, gap="small", key=f"job_{job.job_id}"):
        try:
            exhibit = store.exhibit(job.exhibit_id)
            case = store.case(exhibit.case_id)
            withheld = withholding.is_withheld(exhibit.exhibit_id)
            state, aside = _state(job, case, who, withheld=withheld)
        except StoreError as error:
            markup.problem("This analysis cannot be shown", str(error))
            return
        may_make = pictures_until_s is None or time.monotonic() < pictures_until_s
        told = job.record_id if job.state == "done" and who and not withheld else None
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key=f"job_line_{job.job_id}"):
            markup.job_line(
                _picture(exhibit, told, make=may_make and job.state not in ("queued", "paused")),
                exhibit.file_name,
                state,
                [aside, f"{_length(exhibit)} · {case.reference} · {case.title}"],
                f"Models: {_names(job.model_ids)}",
            )
            _offer(job, who)
        if job.state == "running":
            st.progress(min(1.0, max(0.0, job.fraction)))
            markup.steps(list(_STAGES.values()), _STAGES.get(job.stage, _STAGES["prepare"]))
            markup.note(f"{job.message or 'Starting.'} {remaining_text(job.remaining_s)}")
        elif job.state == "failed":
            said = job.message or job.error_code or "no reason given"
            markup.problem("The analysis failed; the exhibit is kept", said)


def _state(job: Job, case: Case, who: str, *, withheld: bool) -> tuple[tuple[str, str, str], str]:
    """Icon, colour and word, and a note. Whoever is told a finding is put into the log for it. Raises StoreError."""
    if job.state != "done" or job.record_id is None:
        word, icon = JOB_STATES[job.state]
        notes = {"queued": job.message, "cancelled": "Nothing was found out; the exhibit is kept."}
        return (icon, _COLOURS.get(job.state, _FAINT), word), notes.get(job.state, "")
    if withheld:
        return ("visibility_off", _FAINT, "Finding held back"), f"{withholding.WORDS}."
    if not who:
        return (
            "visibility_off",
            _FAINT,
            "Examined",
        ), "Give your name to see the finding: the log names who was shown it."
    found = _found(str(services.current().home), job.record_id)
    view_log.record(who, case.case_id, exhibit_id=job.exhibit_id, record_id=job.record_id, scores=True)
    words = LABELS[found.label]
    return (words.icon, words.colour, words.word), f"Look at {found.times}" if found.times else ""


def _length(exhibit: Exhibit) -> str:
    return "Still" if exhibit.evidence.kind == "still" else clock(exhibit.evidence.video.duration_s)


def _picture(exhibit: Exhibit, record_id: str | None, *, make: bool) -> str | None:
    try:
        found = thumbnails.kept(exhibit.sha256, record_id)
        return found or (thumbnails.picture(exhibit, record_id) if make else None)
    except FramewitnessError:
        return None


def _offer(job: Job, who: str) -> None:
    """Cancel while it has not ended; else the way to its result, or another try."""
    jobs = services.current().jobs
    if job.active:
        st.button(
            "Cancel",
            icon=":material/cancel:",
            key=f"cancel_{job.job_id}",
            type="tertiary",
            on_click=jobs.cancel,
            args=(job.job_id,),
        )
    elif job.state == "done" and job.record_id is not None:
        place = Place(exhibit=job.exhibit_id, record=job.record_id)
        navigation.link("examine", "Open in Examine", place, icon=":material/frame_inspect:")
    elif who:
        st.button(
            "Retry" if job.state == "failed" else "Analyse after all",
            icon=":material/replay:",
            key=f"retry_{job.job_id}",
            type="tertiary",
            on_click=retry,
            args=([job.job_id], who),
        )


def retry(job_ids: list[str], who: str) -> None:
    """Queue the analyses of ended jobs once more, in the name of `who`, and follow the new jobs."""
    for job_id in job_ids:
        try:
            followed.remember([services.current().jobs.again(job_id, author=who)])
        except FramewitnessError as error:
            st.toast(markup.plain(str(error)), icon=":material/error:")
