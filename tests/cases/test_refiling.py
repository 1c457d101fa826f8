"""An exhibit that was put into the wrong case is filed in another: nothing is lost, and all logs still verify."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.cases import CaseStore, Exhibit, ExportRequest, JobRequest
from detector.cases.refiling import receivers
from detector.cases.verify_case import verify as verify_archive
from detector.errors import StoreError
from detector.report.collect import collect
from detector.report.exchange import require_shown
from tests.cases.records import make_analysis, make_evidence


@pytest.fixture
def wrong(store: CaseStore) -> Exhibit:
    """The first of two exhibits of a case, with one of every record there can be of an exhibit."""
    case_id = store.create_case("Wrong", reference="W-1").case_id
    exhibit = store.add_exhibit(case_id, make_evidence(store.evidence_dir), author="Ada")
    store.save_analysis(exhibit.exhibit_id, make_analysis(exhibit.evidence))
    store.statements.record_view(case_id, exhibit_id=exhibit.exhibit_id, scores=True, author="Eve")
    store.statements.give_opinion(exhibit.exhibit_id, "genuine", "no seam", author="Ada")
    store.statements.record_truth(exhibit.exhibit_id, "genuine", "the original recording")
    store.metadata.add_bookmark(exhibit.exhibit_id, text="the mouth", pts=0)
    store.metadata.name_exhibit(exhibit.exhibit_id, reference="P-7", description="phone of the witness")
    store.add_note(case_id, "about the file", exhibit_id=exhibit.exhibit_id, pts=0, end_pts=9_000)
    store.add_note(case_id, "about the case")
    store.similarity.fingerprint(exhibit.exhibit_id)
    store.add_exhibit(case_id, make_evidence(store.evidence_dir, b"another film", "other.mp4"))
    return exhibit


@pytest.fixture
def right(store: CaseStore) -> str:
    case_id = store.create_case("Right", reference="R-1").case_id
    first = store.add_exhibit(case_id, make_evidence(store.evidence_dir, b"a third film", "third.mp4"))
    store.save_analysis(first.exhibit_id, make_analysis(first.evidence))
    store.log(
        case_id, "report_rendered", {"sha256": "ab" * 32}, actor="Bea"
    )  # of the whole case, before the exhibit is in it
    return case_id


def test_all_of_an_exhibit_goes_along_and_both_logs_say_so(store: CaseStore, wrong: Exhibit, right: str) -> None:
    before = (store.analyses(exhibit_id=wrong.exhibit_id), store.notes(wrong.case_id, wrong.exhibit_id))
    moved = store.refile(wrong.exhibit_id, right, " handed in for another matter ", author="Cleo")
    assert (moved.exhibit_id, moved.case_id, moved.number, moved.reference) == (wrong.exhibit_id, right, 2, "P-7")
    assert moved.description == "phone of the witness"
    assert [one.record_id for one in store.analyses(case_id=right, exhibit_id=wrong.exhibit_id)] == [
        before[0][0].record_id
    ]
    assert [(one.note_id, one.end_pts) for one in store.notes(right)] == [(before[1][0].note_id, 9_000)]
    assert [one.text for one in store.notes(wrong.case_id)] == ["about the case"]
    assert [one.text for one in store.statements.opinions(right)] == ["no seam"]
    assert len(store.statements.truths(right)) == len(store.metadata.bookmarks(right)) == 1
    assert [hit.case.case_id for hit in store.search("witness")] == [right]
    (gone,) = store.refilings(wrong.case_id)
    assert (gone.to_case_id, gone.reason, gone.author) == (right, "handed in for another matter", "Cleo")
    out = store.events(wrong.case_id)[-1]
    came = next(event for event in store.events(right) if event.action == "exhibit_taken_over")
    assert came.details["from_event"] == {"sequence": out.sequence, "event_hash": out.event_hash}
    # Who had seen scores goes along; who saw those of the other exhibits before it came had not.
    assert store.statements.scores_opened_by(wrong.exhibit_id) == ("Eve",)
    assert store.verify_all().ok
    assert gone.sentence in store.verify(wrong.case_id).warnings
    assert receivers(store.events(right))[wrong.exhibit_id] == "Ada"
    # Its number is not given again, and it may come back.
    again = store.add_exhibit(wrong.case_id, make_evidence(store.evidence_dir, b"a fourth film"))
    assert again.number == 3
    store.refile(wrong.exhibit_id, wrong.case_id, "it was right after all")
    assert store.verify_all().ok
    assert store.statements.scores_opened_by(wrong.exhibit_id) == ("Eve",)


def test_both_cases_go_out_verify_alone_and_go_into_another_store(
    store: CaseStore, wrong: Exhibit, right: str, tmp_path: Path
) -> None:
    older = store.export_case(wrong.case_id, tmp_path / "older.zip")
    store.refile(wrong.exhibit_id, right, "another matter")
    bundles = [store.export_case(case_id, tmp_path / f"{case_id}.zip") for case_id in (wrong.case_id, right)]
    for bundle in bundles:
        assert [one for one in verify_archive(str(bundle)) if one.ok is False] == []
    notes = [one.text for one in verify_archive(str(bundles[0])) if one.check == "refiled"]
    assert len(notes) == 1
    assert "another matter" in notes[0]
    with CaseStore.open(tmp_path / "elsewhere") as other:
        for bundle in bundles:
            other.import_case(bundle)
        assert other.exhibit(wrong.exhibit_id).case_id == right
        assert all(found.problem is None or "evidence file" in found.problem for found in other.verify_all().cases)
        assert other.verify_all().problem is None
    with CaseStore.open(tmp_path / "a third") as other:
        other.import_case(bundles[1])
        with pytest.raises(StoreError, match="exported before"):
            other.import_case(older)


def test_the_log_that_it_left_tells_no_scores_that_wait_in_the_other_case(
    store: CaseStore, wrong: Exhibit, right: str, tmp_path: Path
) -> None:
    store.metadata.set_blind_first(right, True)
    store.refile(wrong.exhibit_id, right, "another matter")
    waits = {who: store.statements.withheld_in_log(wrong.case_id, who) for who in ("Ada", "Bea")}
    assert waits == {"Ada": frozenset(), "Bea": {wrong.exhibit_id}}
    with pytest.raises(StoreError, match="Bea has recorded no opinion on P-7"):
        store.export_case(wrong.case_id, tmp_path / "case.zip", author="Bea")
    with pytest.raises(StoreError, match="Bea has recorded no opinion"):
        require_shown(store, ExportRequest(wrong.case_id, "html"), "Bea")
    assert collect(store, wrong.case_id, reader="Bea", verify=False).scores_withheld
    assert not collect(store, wrong.case_id, reader="Ada", verify=False).scores_withheld


def test_a_log_that_tells_only_one_half_of_it_is_found(store: CaseStore, wrong: Exhibit, right: str) -> None:
    out = store.events(wrong.case_id)[-1]
    told = {"exhibit_id": wrong.exhibit_id, "file_name": "x", "from_case_id": wrong.case_id, "received_by": ""}
    store.log(right, "exhibit_taken_over", {**told, "from_event": {"sequence": 1, "event_hash": out.event_hash}})
    assert "the log of the other case does not" in (store.verify_all().problem or "")


def test_what_cannot_be_filed_elsewhere_stays_and_is_told_what_to_do(
    store: CaseStore, wrong: Exhibit, right: str
) -> None:
    def refused(said: str, reason: str = "another matter", to: str = right) -> None:
        with pytest.raises(StoreError, match=said):
            store.refile(wrong.exhibit_id, to, reason)

    refused("reason is needed", " ")
    refused("already", to=wrong.case_id)
    store.metadata.archive(right, "done")
    refused("is archived")
    store.metadata.reopen(right, "again")
    store.metadata.set_status(wrong.case_id, "closed")
    refused("is closed")
    store.metadata.set_status(wrong.case_id, "open")
    job = store.jobs.add(JobRequest(wrong.exhibit_id, ("frame-a",)))
    store.jobs.pause([job.job_id])
    refused("queued, paused or running")
    store.jobs.cancel(job.job_id)
    first = store.exhibits(right)[0]
    store.metadata.name_exhibit(first.exhibit_id, reference="P-7")
    refused("called P-7 already")
    store.metadata.name_exhibit(first.exhibit_id)
    store.statements.sign(wrong.case_id, "examiner", "I stand for it.")
    refused("W-1 is signed")
    assert store.exhibit(wrong.exhibit_id).case_id == wrong.case_id
    assert store.refilings(wrong.case_id) == ()
    assert store.verify_all().ok


def test_a_case_that_has_the_same_file_or_is_signed_takes_none(store: CaseStore, wrong: Exhibit, right: str) -> None:
    store.add_exhibit(right, wrong.evidence)
    with pytest.raises(StoreError, match="has this file already, as E2"):
        store.refile(wrong.exhibit_id, right, "another matter")
    store.statements.sign(right, "examiner", "I stand for it.")
    with pytest.raises(StoreError, match="R-1 is signed"):
        store.refile(wrong.exhibit_id, right, "another matter")
