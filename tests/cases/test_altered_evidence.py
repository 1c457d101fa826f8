"""A stored file that is not the evidence any more: found, on record, and never forgotten in silence."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from detector.cases import CaseStore, Exhibit
from detector.errors import StoreError
from detector.evidence import hash_file
from tests.cases.records import make_analysis, make_evidence


@pytest.fixture
def exhibit(store: CaseStore) -> Exhibit:
    case = store.create_case("Swapped")
    return store.add_exhibit(case.case_id, make_evidence(store.evidence_dir, b"true film"))


def swap(exhibit: Exhibit) -> str:
    """Another file of equal size lies in its place; its SHA-256."""
    path = exhibit.evidence.file.path
    path.unlink()
    path.write_bytes(b"fake film")
    return hash_file(path)[0]


def take_in_again(store: CaseStore) -> Path:
    with store.intake.take_in(io.BytesIO(b"true film"), file_name="clip.mp4") as stored:
        return stored.path


def test_a_swapped_file_is_put_right_by_the_original_and_verify_differs(store: CaseStore, exhibit: Exhibit) -> None:
    found = swap(exhibit)
    assert take_in_again(store).read_bytes() == b"true film"
    event = store.events(exhibit.case_id)[-1]
    assert (event.action, event.details["found_sha256"]) == ("evidence_altered", found)
    outcome = store.verify(exhibit.case_id)
    assert not outcome.ok
    assert found in outcome.problem
    assert not store.verify_all().ok


def test_records_made_since_the_last_good_check_are_in_doubt_for_good(store: CaseStore, exhibit: Exhibit) -> None:
    def analysed(seed: int, *, checked: bool = False) -> str:
        made = make_analysis(exhibit.evidence, seed=seed)
        return store.save_analysis(exhibit.exhibit_id, made, evidence_checked=checked).record_id

    analysed(0)
    store.check(exhibit.case_id)
    analysed(1)
    analysed(2, checked=True)
    doubtful = [analysed(3), analysed(4)]
    found = swap(exhibit)
    store.intake.report_altered(exhibit.sha256, found)
    (finding,) = store.findings(exhibit.case_id)
    assert list(finding.record_ids) == doubtful
    take_in_again(store)
    store.acknowledge("Bit rot; the disk was changed.", case_id=exhibit.case_id, author="Ada")
    outcome = store.verify(exhibit.case_id)
    assert outcome.ok
    assert doubtful[0] in outcome.warnings[0]
    assert "Ada on this: Bit rot" in outcome.warnings[0]


def test_every_case_with_the_file_has_the_finding(store: CaseStore, exhibit: Exhibit) -> None:
    other = store.create_case("Same file")
    store.add_exhibit(other.case_id, exhibit.evidence)
    swap(exhibit)
    take_in_again(store)
    assert [len(store.findings(case_id)) for case_id in (exhibit.case_id, other.case_id)] == [1, 1]
    assert store.findings() == ()


def test_what_verify_finds_changed_stays_found_when_it_is_put_back(store: CaseStore, exhibit: Exhibit) -> None:
    swap(exhibit)
    store.check(exhibit.case_id)
    store.check_all()
    exhibit.evidence.file.path.write_bytes(b"true film")
    outcome = store.check(exhibit.case_id)
    assert not outcome.ok
    assert "was not the evidence" in outcome.problem
    assert len(store.findings(exhibit.case_id)) == 1


def test_a_finding_is_not_acknowledged_for_an_unknown_case(store: CaseStore) -> None:
    with pytest.raises(StoreError, match="no case"):
        store.acknowledge("Looked into it.", case_id="c000000009")
