"""Files to take away: the case's PDF, one analysis as JSON, the whole case as a bundle.

Each is made when it is asked for, in the server's own thread, not while the page is drawn.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import streamlit as st

from detector.analysis import analysis_to_json
from detector.cases import Case
from pages.parts import services


def file_stem(text: str) -> str:
    """A name safe on every file system: letters, digits, dot, dash; at most 60 characters; never empty."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", text).strip("-.")[:60] or "case"


def case_pdf(case: Case) -> None:
    open_services = services.current()

    def render() -> bytes:
        from detector.report import render_case_pdf  # typst and the explainer load only when a report is wanted

        return render_case_pdf(open_services.store, case.case_id)

    st.download_button(
        "Case PDF",
        render,
        file_name=f"{file_stem(case.reference or case.title)}.pdf",
        mime="application/pdf",
        icon=":material/picture_as_pdf:",
        key=f"pdf_{case.case_id}",
        on_click="ignore",
        help="Facts, hashes, method, timeline, strongest frames, conclusion and its limits.",
    )


def analysis_json(record_id: str) -> None:
    open_services = services.current()
    home = str(open_services.home)
    st.download_button(
        "JSON",
        lambda: analysis_to_json(services.analysis(home, record_id)),
        file_name=f"analysis-{file_stem(record_id)}.json",
        mime="application/json",
        icon=":material/data_object:",
        key=f"json_{record_id}",
        on_click="ignore",
        help="This analysis by the command line's contract: every track, frame and score.",
    )


def case_bundle(case: Case) -> None:
    open_services = services.current()

    def bundle() -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "case.zip"
            open_services.store.export_case(case.case_id, path)
            return path.read_bytes()

    st.download_button(
        "Case bundle",
        bundle,
        file_name=f"{file_stem(case.reference or case.title)}.zip",
        mime="application/zip",
        icon=":material/folder_zip:",
        key=f"bundle_{case.case_id}",
        on_click="ignore",
        help="Records, analyses as JSON, notes and the log of events, with a hash of each file.",
    )
