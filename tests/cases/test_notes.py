"""Notes with a place are annotations; words are revised and withdrawn without anything being lost."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from detector.cases import CaseStore, Exhibit
from detector.errors import StoreError
from tests.cases.records import make_evidence

BOX = (4.0, 8.0, 16.0, 24.0)


@pytest.fixture
def exhibit(store: CaseStore) -> Exhibit:
    return store.add_exhibit(store.create_case("a").case_id, make_evidence(store.evidence_dir))


def test_an_annotation_is_found_by_its_words_and_leaves_the_store_with_its_place(
    store: CaseStore, exhibit: Exhibit, tmp_path: Path
) -> None:
    place = {"exhibit_id": exhibit.exhibit_id, "track_id": 2, "pts": 3000, "author": "Ada"}
    drawn = store.add_note(exhibit.case_id, "edge of the chin", **place, box_xyxy_px=BOX)
    marked = store.add_note(exhibit.case_id, "flicker", **place, end_pts=9000)
    plain = store.add_note(exhibit.case_id, "a talk")
    assert store.notes(exhibit.case_id) == [drawn, marked, plain]
    assert (drawn.box_xyxy_px, drawn.end_pts, marked.end_pts, marked.box_xyxy_px) == (BOX, None, 9000, None)
    assert [note.annotation for note in (drawn, marked, plain)] == [True, True, False]
    (hit,) = store.search("chin")
    assert (hit.kind, hit.place, hit.exhibit_id) == ("note", drawn.note_id, exhibit.exhibit_id)
    assert store.verify(exhibit.case_id).ok
    with zipfile.ZipFile(store.export_case(exhibit.case_id, tmp_path / "case.zip")) as bundle:
        told = json.loads(bundle.read("case.json"))["notes"]
    assert [(note["box_xyxy_px"], note["end_pts"]) for note in told] == [(list(BOX), None), (None, 9000), (None, None)]


def test_a_revision_keeps_the_place_and_the_words_before_it(store: CaseStore, exhibit: Exhibit) -> None:
    first = store.add_note(exhibit.case_id, "chin", exhibit_id=exhibit.exhibit_id, pts=3000, box_xyxy_px=BOX)
    second = store.revise_note(first.note_id, "left ear", author="Bea")
    assert (second.previous_id, second.box_xyxy_px, second.pts, second.author) == (first.note_id, BOX, 3000, "Bea")
    assert store.notes(exhibit.case_id) == [second]
    (before, _) = store.notes(exhibit.case_id, withdrawn=True)
    assert (before.text, before.withdrawn_by) == ("chin", "Bea")
    assert before.withdrawn_at is not None
    assert not store.search("chin")
    with pytest.raises(StoreError, match="revised or withdrawn"):
        store.revise_note(first.note_id, "right ear")
    with pytest.raises(StoreError, match="some text"):
        store.revise_note(second.note_id, " ")
    assert store.notes(exhibit.case_id) == [second]
    assert store.verify_all().ok


def test_a_withdrawn_note_leaves_the_lists_and_stays_in_the_record(store: CaseStore, exhibit: Exhibit) -> None:
    note = store.add_note(exhibit.case_id, "a slip")
    store.withdraw_note(note.note_id, author="Bea")
    assert store.notes(exhibit.case_id) == []
    assert store.history().summaries[0].note_count == 0
    assert not store.search("slip")
    (kept,) = store.notes(exhibit.case_id, withdrawn=True)
    assert (kept.text, kept.withdrawn_by) == ("a slip", "Bea")
    last = store.events(exhibit.case_id)[-1]
    assert (last.action, last.actor, last.details["record"]["id"]) == ("note_withdrawn", "Bea", note.note_id)
    with pytest.raises(StoreError, match=r"withdrawn at .* by Bea"):
        store.withdraw_note(note.note_id)
    assert store.verify_all().ok


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ({"box_xyxy_px": (4.0, 8.0, 90.0, 24.0), "pts": 1}, "64 × 48 pixels.* 4, 8, 90, 24"),
        ({"box_xyxy_px": (16.0, 8.0, 4.0, 24.0), "pts": 1}, "right edge"),
        ({"box_xyxy_px": (float("nan"), 8.0, 16.0, 24.0), "pts": 1}, "right edge"),
        ({"box_xyxy_px": BOX}, "name the exhibit and the frame"),
        ({"pts": 9000, "end_pts": 9000}, "from 0.100 s to 0.100 s"),
    ],
)
def test_a_place_that_the_exhibit_does_not_have_is_refused(
    store: CaseStore, exhibit: Exhibit, place: dict[str, object], said: str
) -> None:
    with pytest.raises(StoreError, match=said):
        store.add_note(exhibit.case_id, "there", exhibit_id=exhibit.exhibit_id, **place)
    assert store.notes(exhibit.case_id) == []
