from __future__ import annotations

import dataclasses
from pathlib import Path

import duckdb
import pytest

from detector.cases import AnalysisRecord, CaseStore
from detector.cases.chain import chain_problem
from detector.errors import StoreError
from tests.cases.records import make_analysis, make_evidence


@pytest.fixture
def case_id(store: CaseStore) -> str:
    """A case with one of everything."""
    case = store.create_case("Tampering", examiner="E")
    evidence = make_evidence(store.evidence_dir)
    exhibit = store.add_exhibit(case.case_id, evidence)
    store.save_analysis(exhibit.exhibit_id, make_analysis(evidence))
    store.add_note(case.case_id, "first note")
    store.add_note(case.case_id, "second note")
    store.update_case(case.case_id, title="Retitled")
    return case.case_id


def change(store: CaseStore, *statements: str) -> None:
    """Do what someone with the database file and DuckDB could do."""
    connection = duckdb.connect(str(store.layout.database))
    for statement in statements:
        connection.execute(statement)
    connection.close()


def only_record(store: CaseStore, case_id: str) -> AnalysisRecord:
    (record,) = store.analyses(case_id=case_id)
    return record


def test_an_untouched_case_verifies_and_says_what_was_checked(store: CaseStore, case_id: str) -> None:
    outcome = store.verify(case_id)
    assert outcome.ok
    assert (outcome.events_checked, outcome.records_checked, outcome.files_checked) == (6, 5, 3)


@pytest.mark.parametrize("kind", ["evidence", "analysis", "landmarks"])
def test_a_changed_file_is_named(store: CaseStore, case_id: str, kind: str) -> None:
    (exhibit,) = store.exhibits(case_id)
    files = {kept.kind: kept.path for kept in only_record(store, case_id).artefacts}
    path: Path = {**files, "evidence": exhibit.evidence.file.path}[kind]
    content = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert f"{kind} file" in store.verify(case_id).problem
    path.unlink()
    assert "missing" in store.verify(case_id).problem
    path.write_bytes(content)
    assert store.verify(case_id).ok


def test_every_file_that_differs_is_named_and_each_altered_original_is_a_finding(
    store: CaseStore, case_id: str
) -> None:
    store.add_exhibit(case_id, make_evidence(store.evidence_dir, b"second"))
    originals = [exhibit.evidence.file for exhibit in store.exhibits(case_id)]
    for original in originals:
        original.path.unlink()
        original.path.write_bytes(b"another")
    for kept in only_record(store, case_id).artefacts:
        kept.path.unlink()
    outcome = store.check(case_id)
    assert outcome.problem.count("was changed") == outcome.problem.count("is missing") == 2
    assert all(original.sha256 in outcome.problem for original in originals)
    assert outcome.files_checked == 0
    assert {exhibit.exhibit_id for exhibit in store.exhibits(case_id)} == {
        finding.exhibit_id for finding in store.findings(case_id)
    }


def test_a_changed_analysis_is_not_shown(store: CaseStore, case_id: str) -> None:
    record = only_record(store, case_id)
    path = next(kept.path for kept in record.artefacts if kept.kind == "analysis")
    path.write_text(path.read_text().replace('"inconclusive"', '"no_manipulation_found"'))
    with pytest.raises(StoreError, match="was changed since it was written"):
        store.analysis(record.record_id)


def test_tampering_with_one_case_leaves_the_others_intact(store: CaseStore, case_id: str) -> None:
    other = store.create_case("Other")
    change(store, f"UPDATE cases SET title = 'x' WHERE case_id = '{case_id}'")
    assert not store.verify(case_id).ok
    assert store.verify(other.case_id).ok


def test_each_field_of_an_event_is_covered_by_its_hash(store: CaseStore, case_id: str) -> None:
    events = store.events(case_id)
    assert chain_problem(events) is None
    for name, value in {
        "case_id": "c0",
        "sequence": 9,
        "at": events[1].at,
        "actor": "x",
        "action": "x",
        "details": {},
        "previous_hash": "1" * 64,
        "event_hash": "1" * 64,
    }.items():
        forged = [dataclasses.replace(events[0], **{name: value}), *events[1:]]
        assert chain_problem(forged) is not None, name


def test_what_happens_elsewhere_can_be_logged(store: CaseStore, case_id: str) -> None:
    store.log(case_id, "report_rendered", {"sha256": "ab" * 32}, actor="E")
    event = store.events(case_id)[-1]
    assert (event.action, event.actor, event.details) == ("report_rendered", "E", {"sha256": "ab" * 32})
    assert store.verify(case_id).ok
