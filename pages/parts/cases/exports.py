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
from pages.parts.shared import actor, services

# As detector.report has them, which takes too long to load for a menu.
FORMS = {"full": "Full report", "short": "Short form, two pages"}
LANGUAGES = {"en": "English", "ar": "العربية (Arabic)", "es": "Español (Spanish)"}


def file_stem(text: str) -> str:
    """A name safe on every file system: letters, digits, dot, dash; at most 60 characters; never empty."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", text).strip("-.")[:60] or "case"


def case_pdf(case: Case) -> None:
    """A menu: which form and language of the report, and the file. That it was made goes into the custody log."""
    with st.popover("Report", icon=":material/picture_as_pdf:", key=f"report_{case.case_id}"):
        form = st.selectbox("Form", list(FORMS), format_func=FORMS.__getitem__, key=f"report_form_{case.case_id}")
        language = st.selectbox(
            "Language", list(LANGUAGES), format_func=LANGUAGES.__getitem__, key=f"report_language_{case.case_id}"
        )
        name = f"{file_stem(case.reference or case.title)}-{form}-{language}.pdf"
        who = actor.name()
        st.download_button(
            "Case PDF",
            lambda: pdf_bytes(services.current().store, case, name, form=form, language=language, who=who),
            file_name=name,
            mime="application/pdf",
            icon=":material/download:",
            key=f"pdf_{case.case_id}",
            on_click="ignore",
            help="PDF/A-3: custody, method, findings, strength, limits, with the analyses and the log attached inside.",
            width="stretch",
        )


def pdf_bytes(store: CaseStore, case: Case, name: str, *, form: str, language: str, who: str = "") -> bytes:
    """The report as it stands now, and an event in the case's log that `who` took it away."""
    from detector.report import issue_report  # typst loads only when a report is wanted

    explainer = services.explainer(str(store.home))
    return issue_report(
        store, case.case_id, file_name=name, form=form, language=language, explainer=explainer, actor=who
    )


def analysis_json(record_id: str) -> None:
    """A button that downloads an analysis as JSON."""
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


def bundle_bytes(store: CaseStore, case: Case, who: str = "") -> bytes:
    """The case's zip: records, analyses and log, with a hash of each member; the evidence itself stays here. `who`
    takes it away. Raises StoreError while scores of an exhibit wait for an opinion of theirs, since the zip holds
    them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{file_stem(case.reference)}.zip"
        return store.export_case(case.case_id, path, author=who).read_bytes()


def case_bundle(case: Case) -> None:
    """A button that downloads a case as one bundle."""
    open_services, who = services.current(), actor.name()
    st.download_button(
        "Case bundle",
        lambda: bundle_bytes(open_services.store, case, who),
        file_name=f"{file_stem(case.reference or case.title)}.zip",
        mime="application/zip",
        icon=":material/folder_zip:",
        key=f"bundle_{case.case_id}",
        on_click="ignore",
        help="Records, analyses as JSON, notes and the log of events, with a hash of each file.",
    )
