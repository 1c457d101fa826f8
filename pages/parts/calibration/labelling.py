"""The files whose ground truth would teach the calibrations most, and the view in which it is recorded blind: nothing
here has read an analysis, and the order of the files follows from their hashes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from detector.calibration.calibration import Calibration
from detector.cases import UncertainFile, Window, most_uncertain
from detector.cases.statements import same_person
from detector.errors import CalibrationError, StoreError
from detector.evidence.text import revealed
from detector.registry import set_behind
from pages.parts.examine import evidence_facts, plain_view
from pages.parts.shared import actor, address, markup, navigation, services, statements, view_log
from pages.parts.shared.address import Place

_LISTED = 20
_CONSIDERED = Window(last=1000)


def show_list(calibrations: Mapping[str, Calibration]) -> None:
    """The files, without a word on their scores, and the way to label them."""
    markup.heading("Files worth labelling", "without recorded truth, and the calibrations least sure of them")
    try:
        files = _files(calibrations)
    except StoreError as error:
        markup.problem("The files cannot be listed", str(error))
        return
    if not files:
        markup.note("None: every analysed file whose score a calibration in force backs has its truth on record.")
        return
    store = services.current().store
    rows = []
    for one in files:
        exhibit, case = store.exhibit(one.exhibit_id), store.case(one.case_id)
        rows.append(
            {
                "Case": revealed(case.reference),
                "Exhibit": revealed(exhibit.reference),
                "File": revealed(exhibit.file_name),
                "Added (UTC)": f"{exhibit.added_at:%Y-%m-%d %H:%M}",
            }
        )
    st.dataframe(rows, hide_index=True, width="stretch")
    navigation.link(
        "calibration",
        "Record their truth, blind",
        Place(exhibit=files[0].exhibit_id),
        icon=":material/visibility_off:",
    )
    markup.note(
        f"Up to {_LISTED} files of {_CONSIDERED.words}: those whose posterior at even prior odds is nearest to one "
        "half, by the calibration in force of the model that decides; among equals those with the widest interval. "
        "They are shown in an order that says nothing of scores. Files of blind-first cases come once an opinion is "
        "recorded."
    )


def show(exhibit_id: str, calibrations: Mapping[str, Calibration]) -> None:
    """One file to label: its frames, its sound and its facts, and the form for its ground truth. Raises StoreError."""
    who = actor.required()
    if not who:
        return
    store = services.current().store
    exhibit = store.exhibit(exhibit_id)
    case = store.case(exhibit.case_id)
    view_log.record(who, case.case_id, exhibit_id=exhibit_id)
    upcoming = _after([one.exhibit_id for one in _files(calibrations)], exhibit_id)
    about, ways = st.columns([3, 2], vertical_alignment="center")
    with about:
        markup.title(exhibit.file_name, f"Exhibit {exhibit.reference} of {case.reference}", mono=True)
    with ways.container(horizontal=True, horizontal_alignment="right", gap="small"):
        if upcoming is not None:
            navigation.link("calibration", "Skip", Place(exhibit=upcoming), icon=":material/skip_next:")
        navigation.link("calibration", "Calibration", Place(), icon=":material/straighten:")
    left, right = st.columns([5, 8], gap="medium")
    with left:
        markup.outcome(
            "visibility_off",
            "var(--fw-faint)",
            "Blind: nothing of the models is shown",
            "Record what is known of this file from elsewhere: the original, who made it, a confession. What it looks "
            "like is an opinion and no ground truth; skip a file of which nothing is known.",
        )
        if any(same_person(who, name) for name in store.statements.scores_opened_by(exhibit_id)):
            markup.note("The log says that you were shown scores of this file before.")
        statements.show_truth(exhibit, who, then=lambda: address.go(Place(exhibit=upcoming)))
    with right:
        plain_view.show_frames(case, exhibit, who)
    evidence_facts.show(exhibit.evidence)


def _files(calibrations: Mapping[str, Calibration]) -> tuple[UncertainFile, ...]:
    store = services.current().store
    known = store.statements.files_with_truth().union(*map(_in_set, calibrations.values()))
    return most_uncertain(store.scored_files(_CONSIDERED), calibrations, known, _LISTED).shuffled()


def _in_set(calibration: Calibration) -> frozenset[str]:
    """The files of the set behind a calibration, none where it is not at hand."""
    try:
        return _files_of(calibration.set_sha256, calibration)
    except CalibrationError:
        return frozenset()


@st.cache_data(show_spinner=False, max_entries=16)
def _files_of(sha256: str, _calibration: Calibration) -> frozenset[str]:
    return frozenset(set_behind(_calibration).table["sha256"])


def _after(ids: Sequence[str], exhibit_id: str) -> str | None:
    """The one after it, or the first; None where there is no other."""
    place = ids.index(exhibit_id) + 1 if exhibit_id in ids else 0
    return next((one for one in (*ids[place:], *ids[:place]) if one != exhibit_id), None)
