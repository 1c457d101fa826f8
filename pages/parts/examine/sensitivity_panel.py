"""Small changes of the file and of how it is examined: what each makes of the score, or the button that asks for it.

Asking queues the same analysis with the setting `sensitivity`: the worker runs it, the record keeps it, and asking
again finds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from detector.analysis.sensitivity import CHANGES, WORDS
from detector.analysis.types import Analysis, Sensitivity, Variant
from detector.cases import Exhibit, Job, JobRequest
from pages.parts.analyse import job_row
from pages.parts.shared import markup, navigation, services
from pages.parts.shared.address import Place
from pages.parts.shared.markup import escaped
from pages.parts.shared.wording import LABELS, score_text

_POLL_S = 1.0


def show(analysis: Analysis, exhibit: Exhibit, who: str, *, may_ask: bool) -> None:
    """The changes that were tried; else the analysis that tried them, the job that is at it, or, where something may be
    added to the case, the button. Nothing where no face was scored."""
    if analysis.conclusion.score is None:
        return
    if analysis.sensitivity is not None:
        markup.heading("Small changes", "each the same analysis once more")
        _draw(analysis.sensitivity)
        return
    settings = replace(analysis.settings, sensitivity=True)
    asked = JobRequest(exhibit.exhibit_id, tuple(model.model_id for model in analysis.models), settings)
    made = [
        record
        for record in services.current().store.analyses(exhibit_id=exhibit.exhibit_id)
        if record.settings_sha256 == settings.sha256 and set(record.model_ids) == set(asked.model_ids)
    ]
    jobs = _jobs_of(asked)
    if any(job.active for job in jobs):
        _watch(asked)
    elif made:
        newest = max(record.record_id for record in made)
        place = Place(exhibit=exhibit.exhibit_id, record=newest)
        navigation.within("The analysis with small changes", place, key="sensitivity_made", icon=":material/tune:")
    elif may_ask:
        for job in jobs[-1:]:
            if job.state == "failed":
                markup.problem("Small changes were not tried", job.message or "no reason given")
        st.button(
            "Do small changes flip this?",
            icon=":material/tune:",
            key="sensitivity_ask",
            help=f"Runs the same analysis {len(CHANGES)} times more, after a small change each: "
            f"{'; '.join(WORDS.values())}. It is queued and kept as an analysis of its own; this one stays.",
            on_click=_ask,
            args=(asked, who),
        )


def _ask(asked: JobRequest, who: str) -> None:
    services.current().jobs.submit(asked, author=who)


def _jobs_of(asked: JobRequest) -> Sequence[Job]:
    """The jobs that were asked for the same, in their order."""
    wanted = (asked.exhibit_id, asked.model_ids, asked.settings)
    return [job for job in services.current().jobs.jobs() if (job.exhibit_id, job.model_ids, job.settings) == wanted]


def _watch(asked: JobRequest) -> None:
    @st.fragment(run_every=_POLL_S)
    def progress() -> None:
        active = [job for job in _jobs_of(asked) if job.active]
        if not active:
            st.rerun()
        for job in active:
            job_row.show(job)

    progress()


def _draw(found: Sensitivity) -> None:
    rows = "".join(_row(one) for one in found.variants)
    st.html(
        '<table class="fw-table fw-narrow"><thead><tr><th></th><th></th><th class="fw-num">score</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )
    markup.note(
        f"Scores range from {score_text(found.lowest)} to {score_text(found.highest)}, this one's among them: the "
        "range of what was tried, no interval of confidence. A label that is weaker only for a limit which the change "
        "brought on is no flip."
    )


def _row(one: Variant) -> str:
    name = f'<th scope="row">{escaped(WORDS.get(one.name, one.name))}</th>'
    if one.label is None:
        why = f"{markup.icon('do_not_disturb_on')} {escaped(one.reason or '')}"
        return f'<tr>{name}<td colspan="2" class="fw-note">{why}</td></tr>'
    words = LABELS[one.label]
    flips = " · flips it" if one.flips else ""
    state = f'<span class="fw-state">{markup.icon(words.icon, words.colour)} {escaped(words.word)}{flips}</span>'
    return f'<tr>{name}<td>{state}</td><td class="fw-num">{score_text(one.score)}</td></tr>'
