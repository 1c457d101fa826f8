from __future__ import annotations

import pytest

from detector.cases import STATUSES, CaseFilter, CaseStore, JobRequest
from detector.errors import StoreError
from tests.cases.records import make_analysis, make_evidence


def test_an_archived_case_leaves_the_lists_and_nothing_else(store: CaseStore) -> None:
    case_id = store.create_case("Old matter").case_id
    exhibit = store.add_exhibit(case_id, make_evidence(store.evidence_dir))
    with pytest.raises(StoreError, match="reason is needed"):
        store.metadata.archive(case_id, "  ")
    archived = store.metadata.archive(case_id, "retention period began", author="Ada")
    assert (archived.status, archived.status_reason) == ("archived", "retention period began")
    assert store.cases() == []
    assert [line.case for line in store.cases("old", wanted=CaseFilter(statuses=STATUSES))] == [archived]
    assert store.exhibits(case_id) == [exhibit]
    for add in (
        lambda: store.add_note(case_id, "x"),
        lambda: store.update_case(case_id, title="x"),
        lambda: store.add_exhibit(case_id, make_evidence(store.evidence_dir, b"new")),
        lambda: store.metadata.set_tags(case_id, ["x"]),
        lambda: store.metadata.archive(case_id, "again"),
        lambda: store.metadata.set_status(case_id, "open"),
        lambda: store.metadata.add_bookmark(exhibit.exhibit_id),
        lambda: store.metadata.name_exhibit(exhibit.exhibit_id, reference="x"),
        lambda: store.metadata.set_mandate(case_id, client="x"),
        lambda: store.metadata.record_receipt(exhibit.exhibit_id, received_from="x"),
    ):
        with pytest.raises(StoreError, match="archived"):
            add()
    assert store.add_exhibit(case_id, make_evidence(store.evidence_dir)) == exhibit
    event = store.events(case_id)[-1]
    assert (event.action, event.actor) == ("case_archived", "Ada")
    assert store.metadata.reopen(case_id, "appeal").status == "open"
    store.add_note(case_id, "x")
    assert store.verify(case_id).ok


def test_an_analysis_asked_for_before_the_archive_is_still_kept(store: CaseStore) -> None:
    exhibit = store.add_exhibit(store.create_case("a").case_id, make_evidence(store.evidence_dir))
    store.jobs.add(JobRequest(exhibit.exhibit_id, ("frame-a",)))
    store.metadata.archive(exhibit.case_id, "done with")
    store.save_analysis(exhibit.exhibit_id, make_analysis(exhibit.evidence))
    assert len(store.analyses(case_id=exhibit.case_id)) == 1


def test_status_tags_and_stars_are_logged_once(store: CaseStore) -> None:
    case_id = store.create_case("a").case_id
    metadata = store.metadata
    metadata.set_status(case_id, "in_review", reason="second opinion wanted")
    metadata.set_tags(case_id, [" fraud", "voice", "fraud", ""])
    metadata.set_tags(case_id, ["voice", "fraud"])
    metadata.set_favourite(case_id, True, author="Ada")
    metadata.set_favourite(case_id, True, author="Bea")
    case = metadata.set_favourite(case_id, False, author="Ada")
    assert (case.status, case.tags, case.favourite_of) == ("in_review", ("fraud", "voice"), ("Bea",))
    assert store.case(case_id) == case
    actions = [event.action for event in store.events(case_id)]
    assert actions == ["case_created", "status_changed", "tags_changed", *["favourite_changed"] * 3]
    with pytest.raises(StoreError, match="use archive"):
        metadata.set_status(case_id, "archived")
    with pytest.raises(StoreError, match="c000000000"):
        metadata.set_tags("c000000000", [])


def test_exhibits_get_references_that_are_theirs_alone(store: CaseStore) -> None:
    case_id = store.create_case("a").case_id
    one = store.add_exhibit(case_id, make_evidence(store.evidence_dir)).exhibit_id
    two = store.add_exhibit(case_id, make_evidence(store.evidence_dir, b"two")).exhibit_id
    assert [exhibit.reference for exhibit in store.exhibits(case_id)] == ["E1", "E2"]
    store.metadata.name_exhibit(one, reference="JB/1", description="from the phone of J. B.")
    found = store.exhibit(one)
    assert (found.reference, found.description) == ("JB/1", "from the phone of J. B.")
    for taken in ("JB/1", "E2"):
        with pytest.raises(StoreError, match="Another exhibit"):
            store.metadata.name_exhibit(one if taken == "E2" else two, reference=taken)
    before = len(store.events(case_id))
    store.metadata.name_exhibit(one, reference="JB/1", description="from the phone of J. B.")
    assert len(store.events(case_id)) == before
    assert [hit.place for hit in store.search("phone JB/1")] == [one]
    assert store.verify(case_id).ok


def test_who_asked_what_and_how_an_exhibit_came_are_kept_logged_once_and_found(store: CaseStore) -> None:
    case_id = store.create_case("a").case_id
    exhibit_id = store.add_exhibit(case_id, make_evidence(store.evidence_dir)).exhibit_id
    for _ in range(2):
        store.metadata.set_mandate(
            case_id, laboratory="Laboratory 4", client="Court of X", question=" Was it altered? "
        )
        store.metadata.record_receipt(
            exhibit_id, received_from="Sgt. Doe", received_how="sealed bag", received_when="9 May"
        )
    case, exhibit = store.case(case_id), store.exhibit(exhibit_id)
    assert (case.laboratory, case.client, case.question) == ("Laboratory 4", "Court of X", "Was it altered?")
    assert (exhibit.received_from, exhibit.received_how, exhibit.received_when) == ("Sgt. Doe", "sealed bag", "9 May")
    changed = store.metadata.set_mandate(case_id, laboratory="Laboratory 4", question="Was it altered?", author="Ada")
    assert changed.client == ""
    events = [event for event in store.events(case_id) if event.action in ("mandate_changed", "receipt_recorded")]
    assert [event.action for event in events] == ["mandate_changed", "receipt_recorded", "mandate_changed"]
    assert (events[-1].actor, events[-1].details["before"]["client"]) == ("Ada", "Court of X")
    assert {hit.kind for hit in store.search("altered")} == {"mandate"}
    assert [(hit.kind, hit.exhibit_id) for hit in store.search("doe")] == [("receipt", exhibit_id)]
    assert store.verify(case_id).ok


def test_bookmarks_keep_their_place_and_removal_keeps_the_row(store: CaseStore) -> None:
    case_id = store.create_case("a").case_id
    exhibit_id = store.add_exhibit(case_id, make_evidence(store.evidence_dir)).exhibit_id
    frame = store.metadata.add_bookmark(exhibit_id, track_id=1, pts=3000, text="mouth edge", author="Ada")
    whole = store.metadata.add_bookmark(exhibit_id)
    assert (frame.track_id, frame.pts, frame.text, frame.author) == (1, 3000, "mouth edge", "Ada")
    assert store.metadata.bookmarks(case_id) == [frame, whole]
    store.metadata.remove_bookmark(frame.bookmark_id)
    store.metadata.remove_bookmark(frame.bookmark_id)
    assert store.metadata.bookmarks(case_id, exhibit_id) == [whole]
    assert store.search("mouth edge") == []
    assert [event.action for event in store.events(case_id)][-1] == "bookmark_removed"
    assert store.verify(case_id).records_checked == 4
    with pytest.raises(StoreError, match="no bookmark"):
        store.metadata.remove_bookmark("k000000000")
