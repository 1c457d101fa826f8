"""Further forms of a case or of one analysis to take away: HTML, CASE/UCO, tables, replay bundle, contact sheet, video.

Each is made when it is asked for and put into the custody log under the name of who asked.
"""

from __future__ import annotations

import streamlit as st

from detector.cases import AnalysisRecord, Case
from detector.cases.codec import file_sha256
from detector.cases.export_forms import CASE_FORMS, RECORD_FORMS, Form
from pages.parts.cases import video_making
from pages.parts.cases.exports import file_stem
from pages.parts.shared import markup, services

_POLL_S = 1.0


def case_forms(case: Case, who: str, *, withheld: bool) -> None:
    """A menu of the forms of a whole case. With scores held back they leave them out, and the menu says so."""
    with st.popover("Other forms", icon=":material/ios_share:", key=f"case_forms_{case.case_id}"):
        if withheld:
            markup.note("Scores that wait for an opinion are left out of all of these.")
        for form in CASE_FORMS:
            _case_button(case, form, who)


def record_forms(case: Case, record: AnalysisRecord, who: str) -> None:
    """A menu of the forms of one analysis."""
    with st.popover("Other forms", icon=":material/ios_share:", key=f"record_forms_{record.record_id}"):
        for form in RECORD_FORMS:
            _record_button(case, record, form, who)
        _video(case, record, who)


def _case_button(case: Case, form: Form, who: str) -> None:
    open_services = services.current()
    explainer = services.explainer(str(open_services.home))
    name = f"{file_stem(case.reference or case.title)}{form.suffix}"

    def make() -> bytes:
        from detector.report.exchange import case_form, digest, log_export  # seconds of imports, for a click

        content = case_form(open_services.store, case.case_id, form.key, explainer=explainer, reader=who)
        log_export(open_services.store, case.case_id, form.key, name, digest(content), actor=who)
        return content

    _button(form, make, name, f"{form.key}_{case.case_id}")


def _record_button(case: Case, record: AnalysisRecord, form: Form, who: str) -> None:
    open_services = services.current()
    explainer = services.explainer(str(open_services.home))
    name = f"{file_stem(case.reference)}-{record.record_id}{form.suffix}"

    def make() -> bytes:
        from detector.report.exchange import digest, log_export, record_form

        content = record_form(open_services.store, record.record_id, form.key, explainer=explainer, reader=who)
        told = {"record_id": record.record_id, "actor": who}
        log_export(open_services.store, case.case_id, form.key, name, digest(content), **told)
        return content

    _button(form, make, name, f"{form.key}_{record.record_id}")


def _button(form: Form, make: object, name: str, key: str) -> None:
    st.download_button(
        form.title,
        make,  # type: ignore[arg-type]
        file_name=name,
        mime=form.mime_type,
        key=f"form_{key}",
        on_click="ignore",
        help=form.help,
        width="stretch",
    )


def _video(case: Case, record: AnalysisRecord, who: str) -> None:
    """The annotated video: asked for, then made while the page goes on, then kept for the next time."""
    store = services.current().store
    if store.exhibit(record.exhibit_id).evidence.kind == "still":
        return
    heatmap = st.checkbox("Annotated video with heatmap (takes longer)", key=f"video_heat_{record.record_id}")
    making = video_making.find(store, record.record_id, heatmap=heatmap)
    active = making is not None and making.active

    @st.fragment(run_every=_POLL_S if active else None)
    def follow() -> None:
        now = video_making.find(store, record.record_id, heatmap=heatmap)
        if now is not None and now.active:
            st.progress(min(1.0, max(0.0, now.fraction)))
            markup.note(now.message)
            st.button("Cancel", icon=":material/cancel:", key=f"video_cancel_{record.record_id}", on_click=now.cancel)
        if (now is not None and now.active) != active:
            st.rerun()  # it has begun or ended since: draw once more, with or without polling
        if not active:
            _made_video(case, record, who, heatmap=heatmap)

    follow()


def _made_video(case: Case, record: AnalysisRecord, who: str, *, heatmap: bool) -> None:
    store = services.current().store
    path = video_making.kept_path(store, record.record_id, heatmap=heatmap)
    making = video_making.find(store, record.record_id, heatmap=heatmap)
    if making is not None and making.problem:
        markup.problem("No annotated video", making.problem)
    if not path.is_file():
        st.button(
            "Make annotated video",
            icon=":material/movie:",
            key=f"video_make_{record.record_id}",
            help="Boxes, scores and a time line drawn on a copy that is labelled as derived.",
            on_click=video_making.start,
            args=(store, record.record_id),
            kwargs={"heatmap": heatmap},
            width="stretch",
        )
        return
    name = f"{file_stem(case.reference)}-{record.record_id}-derived.mp4"

    def read() -> bytes:
        from detector.report.exchange import log_export

        told = {"record_id": record.record_id, "actor": who}
        log_export(store, case.case_id, "annotated-video", name, file_sha256(path), **told)
        return path.read_bytes()

    form = Form("annotated-video", "Annotated video, MP4", ".mp4", "video/mp4", "Derived, not evidence.")
    _button(form, read, name, f"video_{record.record_id}_{heatmap}")
    if making is not None and making.statement:
        markup.note(making.statement)
