"""Analyse: bring evidence in, say how it is to be examined, and watch the queue."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from detector.settings import AnalysisSettings
from pages.parts.analyse import case_choice, job_progress, sample_clips, settings_form
from pages.parts.models import model_choice
from pages.parts.shared import actor, intake, markup
from pages.parts.shared.intake import Incoming, Refusal

_REFUSALS = "analyse_refusals"
_ROUND = "analyse_round"
_UPLOAD, _PATH = "Upload", "Path on this machine"


def render() -> None:
    """Show the page: evidence, case, models and settings, and the jobs."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        who = actor.required()
        markup.heading("1 · Evidence")
        incoming, refused = _choose_evidence()
        markup.heading("2 · Case")
        case = case_choice.choose(who)
        markup.heading("3 · How to examine")
        model_ids = model_choice.choose()
        settings = settings_form.choose()
        if st.button(
            "Start analysis",
            type="primary",
            icon=":material/play_arrow:",
            disabled=not (who and (incoming or refused) and model_ids),
            key="analyse_start",
        ):
            _start(incoming, refused, case.resolve, model_ids, settings, who)
        for refusal in st.session_state.get(_REFUSALS, []):
            markup.problem(f"Not examined: {refusal.name}", refusal.reason)
    with right:
        job_progress.show()
        _offer_samples(model_ids, settings, who)


def _choose_evidence() -> tuple[list[Incoming], list[Refusal]]:
    """The evidence named so far; a path that cannot be used is already a refusal."""
    # A fresh key after each start lets go of the uploaded bytes: the store has the file then.
    round_ = st.session_state.get(_ROUND, 0)
    source = _UPLOAD
    if intake.path_root() is not None:
        source = st.segmented_control(
            "Source",
            [_UPLOAD, _PATH],
            default=_UPLOAD,
            required=True,
            key="analyse_source",
            label_visibility="collapsed",
        )
    if source == _PATH:
        text = st.text_input(
            "Path",
            key=f"analyse_path_{round_}",
            placeholder="/evidence/clip.mp4",
            help="For large files: read from disk straight into the store, without passing through the browser.",
        )
        if not text.strip():
            return [], []
        found = intake.from_path(text)
        return ([found], []) if isinstance(found, Incoming) else ([], [found])
    uploads = st.file_uploader(
        "Videos or stills",
        accept_multiple_files=True,
        key=f"analyse_upload_{round_}",
        help="Each file is stored unaltered under its SHA-256. Any name and any type may be given; what cannot be "
        "examined is refused with the reason.",
    )
    return [Incoming(upload.name, upload) for upload in uploads], []


def _start(
    incoming: Sequence[Incoming],
    refused: Sequence[Refusal],
    resolve_case: Callable[[str], str],
    model_ids: tuple[str, ...],
    settings: AnalysisSettings,
    who: str,
) -> None:
    with st.spinner("Storing and hashing…"):
        queued = intake.queue(incoming, lambda: resolve_case(who), model_ids, settings, who)
    for job_id in queued.job_ids:
        job_progress.follow(job_id)
    st.session_state[_REFUSALS] = [*refused, *queued.refusals]
    if queued.case_id is not None:
        case_choice.keep(queued.case_id)
    if not st.session_state[_REFUSALS]:
        st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1
    st.rerun()


def _offer_samples(model_ids: tuple[str, ...], settings: AnalysisSettings, who: str) -> None:
    """The shipped clips, each a button; they go to a case of their own, never into a real one."""
    clips = sample_clips.available()
    if not clips:
        return
    markup.heading("Try the sample", "made by this program, so its truth is known")
    chosen = None
    for clip, column in zip(clips, st.columns(len(clips)), strict=True):
        with column:
            if st.button(
                f"Analyse the {clip.label} clip",
                icon=":material/science:",
                key=f"analyse_sample_{clip.label}",
                disabled=not (who and model_ids),
                width="stretch",
            ):
                chosen = clip
            markup.note(clip.truth)
    if chosen is not None:
        _start([Incoming(chosen.path.name, chosen.path)], [], case_choice.sample_case, model_ids, settings, who)
