"""Files in the evidence folder that no exhibit names."""

from __future__ import annotations

import io

import pytest

from detector.cases import CaseStore
from detector.errors import StoreError
from detector.evidence import stored_path
from tests.cases.records import make_evidence


def files(store: CaseStore) -> list[str]:
    return sorted(path.name for path in store.evidence_dir.rglob("*") if path.is_file())


def refuse(store: CaseStore, content: bytes) -> None:
    with pytest.raises(ZeroDivisionError), store.intake.take_in(io.BytesIO(content), file_name="x"):
        raise ZeroDivisionError


def test_what_is_refused_leaves_nothing(store: CaseStore) -> None:
    refuse(store, b"root:x:0:0")
    assert files(store) == []


def test_a_refused_file_that_an_exhibit_names_stays(store: CaseStore) -> None:
    kept = store.add_exhibit(store.create_case("a").case_id, make_evidence(store.evidence_dir, b"film"))
    refuse(store, b"film")
    assert files(store) == [kept.sha256]


def test_a_refusal_takes_nothing_from_whoever_takes_in_the_same_file_meanwhile(store: CaseStore) -> None:
    case_id = store.create_case("a").case_id
    with store.intake.take_in(io.BytesIO(b"film"), file_name="x"):
        refuse(store, b"film")
        store.add_exhibit(case_id, make_evidence(store.evidence_dir, b"film"))
    assert len(files(store)) == 1


def test_strays_are_listed_and_cleared_and_nothing_else_is(store: CaseStore) -> None:
    kept = store.add_exhibit(store.create_case("a").case_id, make_evidence(store.evidence_dir, b"film"))
    stray = make_evidence(store.evidence_dir, b"refused long ago").file
    (store.evidence_dir / ".incoming-abc").write_bytes(b"half")
    misplaced = store.evidence_dir / "00" / kept.sha256
    misplaced.parent.mkdir(exist_ok=True)
    misplaced.write_bytes(b"film")
    listed = [stray.path, store.evidence_dir / ".incoming-abc", misplaced]
    assert {one.path for one in store.intake.strays()} == set(listed)
    assert {one.path for one in store.verify_all().strays} == set(listed)
    with store.intake.running(), pytest.raises(StoreError, match="being taken in"):
        store.intake.clear_strays()
    assert len(store.intake.clear_strays()) == 3
    assert files(store) == [kept.sha256]
    event = store.events()[-1]
    assert event.action == "strays_cleared"
    assert stray.sha256 in {one["name"] for one in event.details["files"]}
    assert store.verify_all().ok
    assert store.intake.clear_strays() == ()


def test_verify_lists_every_evidence_file_that_is_missing(store: CaseStore) -> None:
    case_id = store.create_case("a").case_id
    lost = [store.add_exhibit(case_id, make_evidence(store.evidence_dir, name)) for name in (b"one", b"two")]
    for exhibit in lost:
        stored_path(store.evidence_dir, exhibit.sha256).unlink()
    assert store.verify_all().missing == tuple(sorted(exhibit.sha256 for exhibit in lost))
