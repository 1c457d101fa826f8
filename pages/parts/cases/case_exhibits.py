"""The exhibits of a case: what each is, what was found and said of it, and its place in the laboratory's books."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import streamlit as st

from detector.cases import AnalysisRecord, Case, Exhibit, ExhibitFilter, GroundTruth, Opinion
from detector.errors import StoreError
from pages.parts.analyse import again
from pages.parts.cases import exhibit_grid, record_list, refiling
from pages.parts.shared import address, markup, navigation, services, view_log, withholding
from pages.parts.shared.address import Place
from pages.parts.shared.case_words import TRUTH, VERDICT
from pages.parts.shared.wording import clock, size_text


def show(case: Case, who: str, withheld: Collection[str]) -> None:
    """The exhibits as a list, or the one that the address names with all that is known of it. Whoever is shown what
    models said of an exhibit is put into the log for it."""
    chosen = address.read().exhibit
    exhibit = next((one for one in services.current().store.exhibits(case.case_id) if one.exhibit_id == chosen), None)
    if exhibit is not None:
        _show_one(case, exhibit, who, withheld=exhibit.exhibit_id in withheld)
        return
    wanted = ExhibitFilter(case_id=case.case_id)
    if services.current().store.exhibit_page(wanted, limit=0).total:
        exhibit_grid.show(wanted, who, key=f"exhibits_{case.case_id}")
    else:
        markup.empty("inventory_2", "No exhibits", "Add evidence to this case on the Analyse page.")
    refiling.show_gone(case)
    if case.status != "archived":
        navigation.link("analyse", "Add evidence to this case", Place(case=case.case_id), icon=":material/add:")


def _show_one(case: Case, exhibit: Exhibit, who: str, *, withheld: bool) -> None:
    store = services.current().store
    navigation.within(
        "All exhibits of this case", Place(case=case.case_id), key="exhibits_all", icon=":material/arrow_back:"
    )
    with st.container(border=True, key=f"exhibit_{exhibit.exhibit_id}"):
        _show_exhibit(
            exhibit,
            store.analyses(exhibit_id=exhibit.exhibit_id),
            [] if withheld else store.statements.opinions(case.case_id, exhibit.exhibit_id),
            store.statements.truths(case.case_id, exhibit.exhibit_id),
            who,
            withheld=withheld,
            fixed=case.status == "archived",
        )


def _show_exhibit(
    exhibit: Exhibit,
    records: Sequence[AnalysisRecord],
    opinions: Sequence[Opinion],
    truths: Sequence[GroundTruth],
    who: str,
    *,
    withheld: bool,
    fixed: bool,
) -> None:
    video = exhibit.evidence.video
    about, actions = st.columns([5, 1], vertical_alignment="center")
    with about:
        markup.exhibit_title(exhibit.reference, exhibit.file_name, exhibit.description)
    with actions.container(horizontal=True, horizontal_alignment="right"):
        place = Place(case=exhibit.case_id, exhibit=exhibit.exhibit_id)
        navigation.link("examine", "Examine", place, icon=":material/frame_inspect:")
    contents = (
        f"{video.codec}, {video.width} × {video.height} px, {clock(video.duration_s)}, "
        f"{size_text(exhibit.evidence.file.size_bytes)}"
    )
    facts = [
        ("SHA-256", exhibit.sha256),
        ("Contents", contents),
        ("Exhibit id · added", f"{exhibit.exhibit_id} · {exhibit.added_at:%Y-%m-%d %H:%M} UTC"),
    ]
    if opinions:
        newest = opinions[-1]
        facts.append(("Newest opinion", f"{VERDICT[newest.verdict]} · {newest.author} · {_count(len(opinions))}"))
    if truths:
        facts.append(("Ground truth", f"{TRUTH[truths[-1].truth]} · {truths[-1].source}"))
    markup.facts(facts, mono=("SHA-256",))
    if withheld:
        markup.states([("visibility_off", "var(--fw-faint)", withholding.WORDS)] if records else [])
    elif records:
        view_log.record(who, exhibit.case_id, exhibit_id=exhibit.exhibit_id, scores=True)
        record_list.show(records, exhibit)
    if not records:
        markup.note("No finished analysis yet.")
    if not fixed:
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            again.offer(exhibit, who)
            refiling.offer(exhibit, who)
        _describe(exhibit, who)


def _count(number: int) -> str:
    return f"{number} {'opinion' if number == 1 else 'opinions'}"


def _describe(exhibit: Exhibit, who: str) -> None:
    with st.expander("Reference, description and receipt", type="compact"):
        key = f"describe_{exhibit.exhibit_id}"
        with st.form(key, border=False):
            first, second = st.columns([1, 3])
            reference = first.text_input("Reference", exhibit.reference, max_chars=60, key=f"{key}_reference")
            description = second.text_input(
                "Description", exhibit.description, max_chars=500, key=f"{key}_text", placeholder="what it is"
            )
            sender, way, time = st.columns(3)
            received_from = sender.text_input(
                "Received from", exhibit.received_from, max_chars=200, key=f"{key}_from", placeholder="who handed it in"
            )
            received_how = way.text_input(
                "How", exhibit.received_how, max_chars=200, key=f"{key}_how", placeholder="sealed bag, upload, link"
            )
            received_when = time.text_input(
                "When", exhibit.received_when, max_chars=80, key=f"{key}_when", placeholder="date, time and zone"
            )
            sent = st.form_submit_button("Save", key=f"{key}_save")
        if not sent:
            return
        # The number the store gives is no name that anyone chose.
        given = "" if reference.strip() == f"E{exhibit.number}" else reference
        metadata = services.current().store.metadata
        try:
            metadata.name_exhibit(exhibit.exhibit_id, reference=given, description=description, author=who)
            metadata.record_receipt(
                exhibit.exhibit_id,
                received_from=received_from,
                received_how=received_how,
                received_when=received_when,
                author=who,
            )
        except StoreError as error:
            markup.problem("The exhibit was not described", str(error))
            return
        st.rerun()
