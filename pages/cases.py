"""Cases: find one, see its exhibits and analyses, and take the record away."""

from __future__ import annotations

import streamlit as st

from detector.cases import Case, CaseSummary
from detector.errors import StoreError
from pages.parts import address, exports, markup, navigation, notes, record_list, services
from pages.parts.address import Place
from pages.parts.wording import LABELS, clock, size_text

_PER_PAGE = 25


def render() -> None:
    for warning in services.current().store.warnings:
        markup.problem("The case store needs attention", warning)
    left, right = st.columns([2, 5], gap="large")
    with left:
        _show_list()
    with right:
        case_id = address.read().case
        if case_id is None:
            markup.empty("folder_open", "No case chosen", "Choose one on the left to see its exhibits and analyses.")
            return
        try:
            case = services.current().store.case(case_id)
        except StoreError as error:
            markup.problem("This case cannot be opened", str(error))
            return
        _show_case(case)


def _show_list() -> None:
    search = st.text_input(
        "Search",
        key="cases_search",
        placeholder="title, reference, examiner, file name, hash",
        icon=":material/search:",
        on_change=lambda: st.session_state.update(cases_page=0),
    )
    page = int(st.session_state.get("cases_page", 0))
    found = services.current().store.cases(search.strip(), limit=_PER_PAGE + 1, offset=page * _PER_PAGE)
    if not found:
        if search.strip():
            markup.empty("search_off", "No case matches", "Try a part of a title, a reference or a file name.")
        else:
            markup.empty("folder_open", "No cases yet", "A case is created with the first analysis.")
            navigation.link("analyse", "Go to Analyse", Place(), icon=":material/upload_file:")
        return
    for summary in found[:_PER_PAGE]:
        _show_summary(summary)
    if page or len(found) > _PER_PAGE:
        with st.container(horizontal=True):
            st.button("Newer", disabled=page == 0, on_click=lambda: st.session_state.update(cases_page=page - 1))
            st.button(
                "Older",
                disabled=len(found) <= _PER_PAGE,
                on_click=lambda: st.session_state.update(cases_page=page + 1),
            )


def _show_summary(summary: CaseSummary) -> None:
    case = summary.case
    chosen = address.read().case == case.case_id
    with st.container(border=True, gap=None, key=f"case_line_{case.case_id}"):
        st.button(
            markup.plain(f"{case.reference} · {case.title}"),
            key=f"open_{case.case_id}",
            type="tertiary",
            icon=":material/folder_open:" if chosen else ":material/folder:",
            on_click=lambda: address.go(Place(case=case.case_id)),
        )
        counts = f"{_count(summary.exhibit_count, 'exhibit')}, {_count(summary.analysis_count, 'analysis', 'analyses')}"
        markup.states([(LABELS[label].icon, LABELS[label].colour, LABELS[label].word) for label in summary.labels])
        markup.note(f"{counts} · {case.updated_at:%Y-%m-%d %H:%M} UTC")


def _show_case(case: Case) -> None:
    store = services.current().store
    about, actions = st.columns([3, 2], vertical_alignment="center")
    with about:
        markup.title(case.title, f"{case.reference} · {case.examiner or 'no examiner named'}")
    with actions.container(horizontal=True, horizontal_alignment="right", vertical_alignment="center", gap="small"):
        exports.case_pdf(case)
        exports.case_bundle(case)
        verify = st.button(
            "Verify",
            icon=":material/verified_user:",
            key="cases_verify",
            help="Recompute the log's chain and the hash of every stored file.",
        )
    if verify:
        outcome = store.verify(case.case_id)
        if outcome.ok:
            markup.note(
                f"Verified: {outcome.events_checked} log entries, {outcome.records_checked} records and "
                f"{outcome.files_checked} files agree with their hashes."
            )
        else:
            markup.problem("The record does not verify", outcome.problem or "")
    exhibits = store.exhibits(case.case_id)
    exhibits_tab, notes_tab, log_tab = st.tabs(["Exhibits", "Notes", "Log"])
    with exhibits_tab:
        if not exhibits:
            markup.empty("inventory_2", "No exhibits", "Add evidence to this case on the Analyse page.")
        for exhibit in exhibits:
            evidence = exhibit.evidence
            markup.heading(f"Exhibit {exhibit.number}", f"added {exhibit.added_at:%Y-%m-%d %H:%M} UTC")
            markup.facts(
                [
                    ("File", exhibit.file_name),
                    ("SHA-256", exhibit.sha256),
                    (
                        "Contents",
                        f"{evidence.video.codec}, {evidence.video.width} × {evidence.video.height} px, "
                        f"{clock(evidence.video.duration_s)}, {size_text(evidence.file.size_bytes)}",
                    ),
                ],
                mono=("File", "SHA-256"),
            )
            records = store.analyses(exhibit_id=exhibit.exhibit_id)
            record_list.show(records, exhibit)
            if not records:
                markup.note("No finished analysis yet.")
        navigation.link("analyse", "Add evidence to this case", Place(case=case.case_id), icon=":material/add:")
    with notes_tab:
        notes.show(case.case_id)
    with log_tab:
        _show_log(case)


def _show_log(case: Case) -> None:
    events = services.current().store.events(case.case_id)
    st.dataframe(
        [
            {
                "no.": event.sequence,
                "time (UTC)": f"{event.at:%Y-%m-%d %H:%M:%S}",
                "who": event.actor,
                "what": event.action,
                "details": ", ".join(f"{name} {value}" for name, value in event.details.items()),
                "hash": event.event_hash,
            }
            for event in events
        ],
        hide_index=True,
        key=f"log_{case.case_id}",
    )


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
