from __future__ import annotations

import csv
import hashlib
import io
import json
import zipfile
from pathlib import Path

import pytest

from detector.analysis.tables import csv_cell
from detector.cases import CaseStore
from detector.cases.export import CASE_TABLES
from detector.errors import StoreError
from tests.cases.records import make_analysis, make_evidence


@pytest.fixture
def case_id(store: CaseStore) -> str:
    case = store.create_case("Export <b>me</b>", examiner="E")
    evidence = make_evidence(store.evidence_dir, file_name="=HYPERLINK(1).mp4")
    exhibit = store.add_exhibit(case.case_id, evidence)
    store.save_analysis(exhibit.exhibit_id, make_analysis(evidence))
    store.add_note(case.case_id, "a note\nin two lines")
    return case.case_id


def test_the_bundle_holds_the_whole_record_and_its_hashes(store: CaseStore, case_id: str, tmp_path: Path) -> None:
    path = store.export_case(case_id, tmp_path / "out" / "case.zip")
    (record,) = store.analyses(case_id=case_id)
    with zipfile.ZipFile(path) as bundle:
        assert bundle.testzip() is None
        members = {name: bundle.read(name) for name in bundle.namelist()}
    manifest = json.loads(members.pop("manifest.json"))["members"]
    assert {entry["name"]: entry["sha256"] for entry in manifest} == {
        name: hashlib.sha256(content).hexdigest() for name, content in members.items()
    }
    assert set(members) == {
        *(f"tables/{table}.jsonl" for table in CASE_TABLES),
        "case.json",
        "scores.csv",
        "verify_case.py",
        f"analyses/{record.record_id}.json",
        f"analyses/{record.record_id}.npz",
    }
    told = json.loads(members["case.json"])
    assert told["verification"]["ok"] is True
    assert told["case"]["title"] == "Export <b>me</b>"
    assert told["notes"][0]["text"] == "a note\nin two lines"
    assert [event["action"] for event in told["events"]] == [
        "case_created",
        "exhibit_added",
        "analysis_saved",
        "note_added",
    ]
    assert told["analyses"][0]["artefacts"][0]["path"] == f"analyses/{record.record_id}.json"
    assert str(store.home) not in members["case.json"].decode()
    assert store.events(case_id)[-1].details["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_score_table_is_safe_in_a_spreadsheet(store: CaseStore, case_id: str, tmp_path: Path) -> None:
    path = store.export_case(case_id, tmp_path / "case.zip")
    (record,) = store.analyses(case_id=case_id)
    with zipfile.ZipFile(path) as bundle:
        lines = list(csv.DictReader(io.StringIO(bundle.read("scores.csv").decode())))
    assert len(lines) == 12
    assert {line["file_name"] for line in lines} == {"'=HYPERLINK(1).mp4"}
    stored = store.score_table(record.record_id)
    assert sorted(float(line["logit"]) for line in lines) == sorted(stored["logit"])
    assert any(line["logit"].startswith("-") for line in lines)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"])
def test_a_formula_becomes_text(text: str) -> None:
    assert csv_cell(text) == f"'{text}"
    assert csv_cell(f"a{text}") == f"a{text}"


def test_the_originals_go_along_only_on_request(store: CaseStore, case_id: str, tmp_path: Path) -> None:
    path = store.export_case(case_id, tmp_path / "case.zip", include_evidence=True)
    (exhibit,) = store.exhibits(case_id)
    with zipfile.ZipFile(path) as bundle:
        assert bundle.read(f"evidence/{exhibit.sha256}") == b"a film"


def test_a_case_that_does_not_verify_is_exported_saying_so(store: CaseStore, case_id: str, tmp_path: Path) -> None:
    (exhibit,) = store.exhibits(case_id)
    exhibit.evidence.file.path.write_bytes(b"another film")
    with zipfile.ZipFile(store.export_case(case_id, tmp_path / "case.zip")) as bundle:
        outcome = json.loads(bundle.read("case.json"))["verification"]
    assert outcome["ok"] is False
    assert "SHA-256" in outcome["problem"]


def test_an_export_that_fails_leaves_no_file(store: CaseStore, case_id: str, tmp_path: Path) -> None:
    (record,) = store.analyses(case_id=case_id)
    record.artefacts[0].path.unlink()
    with pytest.raises(StoreError, match="Nothing was written"):
        store.export_case(case_id, tmp_path / "out" / "case.zip")
    assert list((tmp_path / "out").iterdir()) == []
    with pytest.raises(StoreError, match="c000000000"):
        store.export_case("c000000000", tmp_path / "out" / "case.zip")
