"""Files to take away: what is offered, and what was asked for, made by a worker and kept until somebody removes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from detector.cases import AnalysisRecord, Case, Export, ExportRequest, Signature
from detector.cases.export_forms import CASE_EXPORTS, IN_LANGUAGES, RECORD_EXPORTS, REPORT_FORMS, Form
from detector.cases.export_table import ROOM_BYTES
from detector.errors import FramewitnessError
from detector.evidence.text import revealed
from detector.report.wording import count
from pages.parts.shared import markup, services
from pages.parts.shared.wording import JOB_STATES, remaining_text, size_text

# As detector.report has them, which takes too long to load for a menu.
LANGUAGES = {"en": "English", "ar": "العربية (Arabic)", "es": "Español (Spanish)"}
_POLL_S = 1.0
_NEWEST = 20
_REFUSED = "exports_refused"


def of_case(case: Case, who: str, *, withheld: bool) -> None:
    """What can be made of a whole case, and what was. With scores `withheld` they are left out, or, where that cannot
    be, the form is not offered."""
    offered = {key: form for key, form in CASE_EXPORTS.items() if not (withheld and key == "bundle")}
    if withheld:
        markup.note(
            "Scores that wait for an opinion of yours are left out. The case bundle, which holds them all, is offered "
            "once you have recorded your opinions."
        )
    _ask(case, who, offered)
    _listed(case, who)


def of_analysis(case: Case, record: AnalysisRecord, who: str) -> None:
    """What can be made of one analysis, and what was made of its exhibit."""
    still = services.current().store.exhibit(record.exhibit_id).evidence.kind == "still"
    offered = {key: form for key, form in RECORD_EXPORTS.items() if not (still and key.startswith("annotated-video"))}
    _ask(case, who, offered, record)
    _listed(case, who, exhibit_id=record.exhibit_id)


def ask(request: ExportRequest, who: str) -> None:
    """Have an export made. Where it is refused, the next drawing of a list of exports says why."""
    _try(lambda: services.current().jobs.exports.ask(request, author=who))


def signed_reports(case: Case, who: str) -> None:
    """The reports of a case that were asked for since it was signed last, for the place where it is signed."""
    signatures = services.current().store.statements.signatures(case.case_id)
    if signatures:
        _listed(case, who, reports_since=signatures[-1], place="signed")


def _ask(case: Case, who: str, offered: Mapping[str, Form], record: AnalysisRecord | None = None) -> None:
    key = case.case_id if record is None else record.record_id
    with st.container(horizontal=True, vertical_alignment="bottom", key=f"export_ask_{key}"):
        form = st.selectbox(
            "Form", list(offered), format_func=lambda one: offered[one].title, key=f"export_form_{key}", width=280
        )
        language = "en"
        chosen: tuple[str, ...] = ()
        if form in IN_LANGUAGES:
            language = st.selectbox(
                "Language", list(LANGUAGES), format_func=LANGUAGES.__getitem__, key=f"export_language_{key}", width=200
            )
        if form in {one.key for one in REPORT_FORMS}:
            chosen = _exhibits(case, key)
        request = ExportRequest(case.case_id, form, record.record_id if record else "", language, chosen)
        st.button(
            "Make it",
            icon=":material/ios_share:",
            type="primary",
            key=f"export_do_{key}",
            on_click=ask,
            args=(request, who),
        )
    markup.note(offered[form].help)


def _exhibits(case: Case, key: str) -> tuple[str, ...]:
    """The exhibits that a report is to cover; none chosen are all."""
    names = {one.exhibit_id: one.reference for one in services.current().store.exhibits(case.case_id)}
    if len(names) < 2:
        return ()
    return tuple(
        st.multiselect(
            "Exhibits",
            list(names),
            format_func=lambda one: revealed(names[one]),
            key=f"export_exhibits_{key}",
            placeholder=f"all {len(names)}",
            width=300,
        )
    )


def _listed(
    case: Case, who: str, *, exhibit_id: str | None = None, reports_since: Signature | None = None, place: str = "all"
) -> None:
    """The exports, newest first. Polls only while one waits or is being made."""

    def find() -> Sequence[Export]:
        # Those of an exhibit that was filed in another case before, too.
        found = services.current().jobs.exports.find(None if exhibit_id else case.case_id, exhibit_id)
        if reports_since is None:
            return found
        reports = {one.key for one in REPORT_FORMS}
        return [one for one in found if one.request.form in reports and one.created_at > reports_since.created_at]

    moving = any(export.active for export in find())

    @st.fragment(run_every=_POLL_S if moving else None)
    def draw() -> None:
        found = find()
        if moving and not any(export.active for export in found):
            # Draw the whole page without polling: a button drawn here first would be replaced by that drawing.
            st.rerun()
        if refused := st.session_state.pop(_REFUSED, None):
            markup.problem("Not made", refused)
        if reports_since is None:
            _heading(found)
        every = len(found) > _NEWEST and st.checkbox(f"Show all {len(found):,}", key=f"exports_all_{case.case_id}")
        for export in found if every else found[:_NEWEST]:
            _line(export, who, place)

    draw()


def _heading(found: Sequence[Export]) -> None:
    store = services.current().store
    taken = store.exports.size_bytes()
    kept = sum(export.kept for export in found)
    markup.heading("Exports", f"{kept} kept · {taken / 1e9:.1f} of {ROOM_BYTES / 1e9:g} GB in use in this store")
    if not found:
        markup.empty("ios_share", "No exports yet", "What is made is kept here, with its SHA-256, until it is removed.")


def _line(export: Export, who: str, place: str) -> None:
    """One export: how it stands, and what can be done with it."""
    service, store = services.current().jobs.exports, services.current().store
    word, icon = JOB_STATES[export.state] if export.removed_at is None else ("Removed", "delete")
    key = f"{place}_{export.job_id}"
    with st.container(border=True, gap="small", key=f"export_{key}"):
        markup.line(icon, "var(--fw-faint)", word, "", export.file_name, "")
        markup.note(_about(export))
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            if export.active:
                if export.state == "running":
                    st.progress(min(1.0, max(0.0, export.fraction)))
                markup.note(_doing(export))
                _button("Cancel", "cancel", f"cancel_{key}", lambda: service.cancel(export.job_id))
                return
            if export.state in ("failed", "cancelled"):
                if export.state == "failed":
                    markup.problem("Not made", export.message or export.error_code or "no reason given")
                _button("Try again", "refresh", f"retry_{key}", lambda: service.retry(export.job_id))
                return
            if export.removed_at is not None:
                return
            markup.facts([("SHA-256", export.sha256)], mono=("SHA-256",))
            if not store.exports.path(export).is_file():
                markup.problem("The file is not here", "The store was restored without it, say. It can be made again.")
                st.button("Make it again", key=f"again_{key}", on_click=ask, args=(export.request, who))
                return
            if any(store.statements.scores_withheld(exhibit_id, who) for exhibit_id in export.shows):
                markup.note("Held back: it shows scores that wait for an opinion of yours.")
                return
            form = export.request.kind
            st.download_button(
                "Download",
                lambda: service.download(export.job_id, author=who).read_bytes(),
                file_name=export.file_name,
                mime=form.mime_type,
                icon=":material/download:",
                key=f"download_{key}",
                on_click="ignore",
            )
            if not export.signed:
                _button("Remove", "delete", f"remove_{key}", lambda: store.exports.remove(export.job_id, author=who))
        if export.message:
            markup.note(export.message)


def _button(label: str, icon: str, key: str, act: Callable[[], object]) -> None:
    st.button(label, icon=f":material/{icon}:", key=key, type="tertiary", on_click=_try, args=(act,))


def _try(act: Callable[[], object]) -> None:
    try:
        act()
    except FramewitnessError as error:
        st.session_state[_REFUSED] = str(error)


def _doing(export: Export) -> str:
    if export.state == "queued":
        return f"{export.message} It starts as soon as the export before it is done.".strip()
    return f"{export.message or 'Starting.'} {remaining_text(export.remaining_s)}".strip()


def _about(export: Export) -> str:
    parts = [export.request.kind.title]
    if export.request.form in IN_LANGUAGES:
        parts.append(LANGUAGES[export.request.language])
    if export.request.exhibit_ids:
        parts.append(count(len(export.request.exhibit_ids), "exhibit") + " chosen")
    if export.size_bytes:
        parts.append(size_text(export.size_bytes))
    parts += [export.author, f"{export.finished_at or export.created_at:%Y-%m-%d %H:%M} UTC"]
    if export.signed:
        parts.append("of a signed case, stays")
    return " · ".join(parts)
