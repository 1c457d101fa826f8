"""Analyse: bring evidence in, say how it is to be examined, and watch the queue."""

from __future__ import annotations

import streamlit as st

from detector.settings import AnalysisSettings
from pages.parts import case_choice, intake, job_progress, markup, models, sample_clips, settings_form
from pages.parts.case_choice import CaseChoice
from pages.parts.intake import Incoming, Refusal

_REFUSALS = "analyse_refusals"
_UPLOAD_ROUND = "analyse_upload_round"


def render() -> None:
    left, right = st.columns([3, 2], gap="large")
    with left:
        markup.heading("1 · Case")
        case = case_choice.choose()
        markup.heading("2 · How to examine")
        model_ids = models.choose()
        settings = settings_form.choose()
        markup.heading("3 · Evidence")
        _offer_evidence(case, model_ids, settings)
        for refusal in st.session_state.get(_REFUSALS, []):
            markup.problem(f"Not examined: {refusal.name}", refusal.reason)
    with right:
        job_progress.show()


def _offer_evidence(case: CaseChoice, model_ids: tuple[str, ...], settings: AnalysisSettings) -> None:
    clips = sample_clips.available()
    by_path = intake.path_root() is not None
    names = ["Upload", *(["Path on this machine"] if by_path else []), *(["Try the sample"] if clips else [])]
    tabs = dict(zip(names, st.tabs(names), strict=True))

    def start(incoming: list[Incoming], refused: list[Refusal]) -> None:
        with st.spinner("Storing and hashing…"):
            jobs, refusals = intake.queue(incoming, case.resolve, model_ids, settings)
        for job_id in jobs:
            job_progress.follow(job_id)
        st.session_state[_REFUSALS] = refused + refusals
        if jobs:
            # A fresh uploader lets go of the bytes in memory: the store has the file now.
            st.session_state[_UPLOAD_ROUND] = st.session_state.get(_UPLOAD_ROUND, 0) + 1
        st.rerun()

    ready = bool(model_ids)
    with tabs["Upload"]:
        uploads = st.file_uploader(
            "Videos or stills",
            accept_multiple_files=True,
            key=f"analyse_upload_{st.session_state.get(_UPLOAD_ROUND, 0)}",
            help="The file is stored unaltered under its SHA-256. Any name and any type may be given; what cannot be "
            "examined is refused with the reason.",
        )
        if st.button(
            "Start analysis",
            type="primary",
            icon=":material/play_arrow:",
            disabled=not (uploads and ready),
            key="analyse_start_upload",
        ):
            start([Incoming(upload.name, upload) for upload in uploads], [])
    if by_path:
        with tabs["Path on this machine"]:
            text = st.text_input(
                "Path",
                key="analyse_path",
                placeholder="/evidence/clip.mp4",
                help="For large files: read from disk straight into the store, without passing through the browser.",
            )
            if st.button(
                "Start analysis",
                type="primary",
                icon=":material/play_arrow:",
                disabled=not (text.strip() and ready),
                key="analyse_start_path",
            ):
                found = intake.from_path(text)
                start(*(([found], []) if isinstance(found, Incoming) else ([], [found])))
    if clips:
        with tabs["Try the sample"]:
            markup.note("Short clips made with this program's own synthesis code from a public-domain portrait.")
            for index, clip in enumerate(clips):
                with st.container(horizontal=True, vertical_alignment="center"):
                    pressed = st.button(
                        f"Analyse: {markup.plain(clip.title)}",
                        icon=":material/science:",
                        key=f"analyse_sample_{index}",
                        disabled=not ready,
                    )
                    markup.note(clip.description)
                if pressed:
                    start([Incoming(clip.path.name, clip.path)], [])
