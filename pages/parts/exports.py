"""Files to take away: the case's PDF, one analysis as JSON, the whole case as a bundle.

Each is made when it is asked for, in the server's own thread, not while the page is drawn.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import streamlit as st

from detector.analysis import analysis_to_json
from detector.cases import Case, CaseStore
from pages.parts import services


def file_stem(text: str) -> str:
    """A name safe on every file system: letters, digits, dot, dash; at most 60 characters; never empty."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", text).strip("-.")[:60] or "case"


def case_pdf(case: Case) -> None:
    open_services = services.current()

    explainer = services.explainer(str(open_services.home))

    def render() -> bytes:
        from detector.report import render_case_pdf  # typst loads only when a report is wanted

        return render_case_pdf(open_services.store, case.case_id, explainer=explainer)

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


def bundle_bytes(store: CaseStore, case: Case) -> bytes:
    """The case's zip: records, analyses and log, with a hash of each member; the evidence itself stays here."""
    with tempfile.TemporaryDirectory() as folder:
        return store.export_case(case.case_id, Path(folder) / f"{file_stem(case.reference)}.zip").read_bytes()


def case_bundle(case: Case) -> None:
    open_services = services.current()
    st.download_button(
        "Case bundle",
        lambda: bundle_bytes(open_services.store, case),
        file_name=f"{file_stem(case.reference or case.title)}.zip",
        mime="application/zip",
        icon=":material/folder_zip:",
        key=f"bundle_{case.case_id}",
        on_click="ignore",
        help="Records, analyses as JSON, notes and the log of events, with a hash of each file.",
    )
