"""Analyse: bring evidence in, say how it is to be examined, and watch the queue."""

from __future__ import annotations

import streamlit as st

from detector.settings import AnalysisSettings
from pages.parts.analyse import case_choice, evidence_choice, filing, job_progress, sample_clips, settings_form
from pages.parts.analyse.case_choice import CaseChoice
from pages.parts.models import model_choice
from pages.parts.shared import actor, markup
from pages.parts.shared.intake import Incoming, Named

_SAMPLE = "analyse_sample_asked"


def render() -> None:
    """Show the page: evidence, case, models and settings, and the jobs."""
    filing.collect()
    left, right = st.columns([3, 2], gap="large")
    with left:
        who = actor.required()
        markup.heading("1 · Evidence")
        if filing.is_storing():
            filing.show_storing()
            named = Named()
        else:
            named = evidence_choice.choose()
        markup.heading("2 · Case")
        case = case_choice.choose(who)
        markup.heading("3 · How to examine")
        model_ids = model_choice.choose()
        settings = settings_form.choose()
        with st.container(key="analyse_go", gap="small"):
            _offer_start(named, case, model_ids, settings, who)
        filing.show_outcome()
    with right:
        job_progress.show(who)
        _offer_samples(model_ids, settings, who)


def _offer_start(
    named: Named, case: CaseChoice, model_ids: tuple[str, ...], settings: AnalysisSettings, who: str
) -> None:
    """The button, beside it what it does and where to, or what is missing."""
    missing = _missing(who, named, model_ids)
    with st.container(horizontal=True, vertical_alignment="center", key="analyse_go_row"):
        start = st.button(
            "Start analysis",
            type="primary",
            icon=":material/play_arrow:",
            disabled=bool(missing),
            key="analyse_start",
        )
        count = f"{len(named.files)} file{'s' if len(named.files) != 1 else ''}"
        markup.target(f"{missing} They go into" if missing else f"{count} into", case.words)
    if start and not missing:
        filing.file_and_queue(named, lambda: case.resolve(who), model_ids, settings, who, settles=True)


def _missing(who: str, named: Named, model_ids: tuple[str, ...]) -> str:
    """The next thing that a start waits for, as a sentence; empty where nothing is missing."""
    if not who:
        return "Give your name above first."
    if filing.is_storing():
        return "Files are being stored."
    if not named.files:
        return "Choose files first."
    return "" if model_ids else "Choose a model first."


def _offer_samples(model_ids: tuple[str, ...], settings: AnalysisSettings, who: str) -> None:
    """The shipped clips, each a button; they go to a case of their own, never into a real one."""
    clips = {clip.label: clip for clip in sample_clips.available()}
    if not clips:
        return
    markup.heading("Try the sample", "made by this program, so its truth is known")
    storing = filing.is_storing()
    for clip in clips.values():
        if st.button(
            f"Analyse the {clip.label} clip",
            icon=":material/science:",
            key=f"analyse_sample_{clip.label}",
            disabled=not model_ids or storing,
        ):
            st.session_state[_SAMPLE] = clip.label
            if not who:
                _ask_name()
        markup.note(clip.truth)
    if who and (asked := st.session_state.pop(_SAMPLE, None)) in clips and model_ids:
        sample = Named((Incoming(clips[asked].path.name, clips[asked].path),))
        filing.file_and_queue(sample, lambda: case_choice.sample_case(who), model_ids, settings, who, settles=False)


@st.dialog("Who is working here?", on_dismiss=lambda: st.session_state.pop(_SAMPLE, None))
def _ask_name() -> None:
    """Ask for the name that the log will have; the sample that was asked for starts with it."""
    markup.note("The sample is examined in a case of its own, whose log names you. You are asked once.")
    actor.ask("sample", "Start")
    if actor.name():
        st.rerun()
