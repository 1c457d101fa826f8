"""A case that travels: whole or not at all, and trusted with nothing on the way in."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from detector.cases import CaseStore, JobRequest, restore
from detector.errors import StoreError
from tests.cases.records import make_analysis, make_evidence

Members = dict[str, bytes]


@pytest.fixture
def case_id(store: CaseStore) -> str:
    case_id = store.create_case("Travels", examiner="E").case_id
    evidence = make_evidence(store.evidence_dir)
    exhibit_id = store.add_exhibit(case_id, evidence).exhibit_id
    job = store.jobs.add(JobRequest(exhibit_id, ("frame-a",)))
    record = store.save_analysis(exhibit_id, make_analysis(evidence, frames=3))
    store.jobs.claim()
    store.jobs.finish(job.job_id, record.record_id)
    store.add_note(case_id, "seen", exhibit_id=exhibit_id, track_id=1, pts=3000)
    place = {"exhibit_id": exhibit_id, "pts": 3000}
    store.withdraw_note(store.add_note(case_id, "nothing", **place).note_id)
    store.revise_note(store.add_note(case_id, "chin", **place, box_xyxy_px=(4, 8, 16, 24)).note_id, "edge of the chin")
    store.metadata.set_tags(case_id, ["fraud"])
    store.metadata.add_bookmark(exhibit_id, pts=3000)
    store.similarity.fingerprint(exhibit_id)
    store.statements.record_truth(exhibit_id, "manipulated", "confession")
    return case_id


def bundle_of(store: CaseStore, case_id: str, folder: Path, *, evidence: bool = True) -> Path:
    return store.export_case(case_id, folder / "case.zip", include_evidence=evidence)


def test_a_case_arrives_exactly_as_it_left(store: CaseStore, case_id: str, tmp_path: Path) -> None:
    log = store.events(case_id)
    path = bundle_of(store, case_id, tmp_path)
    with CaseStore.open(tmp_path / "elsewhere", actor="importer") as other:
        case = other.import_case(path)
        own = store.case(case_id)
        assert (case.title, case.tags, case.created_at) == (own.title, own.tags, own.created_at)
        *before, imported = other.events(case_id)
        assert before == log
        assert imported.action == "case_imported"
        assert imported.details["head"]["event_hash"] == log[-1].event_hash
        assert imported.details["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        outcome = other.verify(case_id, known_heads=[log[-1].event_hash])
        assert outcome.problem is None
        assert outcome.files_checked == 3
        assert outcome.anchored == len(log) + 1
        assert other.verify_all().ok
        (record,) = other.analyses(case_id=case_id)
        assert other.score_table(record.record_id).equals(store.score_table(record.record_id))
        assert other.analysis(record.record_id).models == store.analysis(record.record_id).models
        assert other.notes(case_id, withdrawn=True) == store.notes(case_id, withdrawn=True)
        assert other.metadata.bookmarks(case_id) == store.metadata.bookmarks(case_id)
        assert other.statements.truths(case_id) == store.statements.truths(case_id)
        assert [hit.kind for hit in other.search("confession")] == ["truth"]
        other.add_note(case_id, "and goes on")
        assert other.verify(case_id).ok
        again = other.export_case(case_id, tmp_path / "again.zip")
        with CaseStore.open(tmp_path / "third", actor="third") as third:
            third.import_case(again)
            assert "is missing" in third.verify(case_id).problem


def test_originals_left_at_home_can_be_brought_later(store: CaseStore, case_id: str, tmp_path: Path) -> None:
    path = bundle_of(store, case_id, tmp_path, evidence=False)
    with CaseStore.open(tmp_path / "elsewhere") as other:
        other.import_case(path)
        assert "evidence file" in other.verify(case_id).problem
        make_evidence(other.evidence_dir)
        assert other.verify(case_id).ok


def test_a_case_that_is_there_already_is_refused(store: CaseStore, case_id: str, tmp_path: Path) -> None:
    path = bundle_of(store, case_id, tmp_path)
    with pytest.raises(StoreError, match="already"):
        store.import_case(path)
    with CaseStore.open(tmp_path / "elsewhere") as other:
        other.import_case(path)
        other.add_note(case_id, "another way")
        newer = bundle_of(store, case_id, tmp_path)
        with pytest.raises(StoreError, match="went another way"):
            other.import_case(newer)


def table(change: Callable[[dict], object], name: str, *, whole: bool = False) -> Callable[[Members], object]:
    """Change the rows of a table in a bundle: the first, or all."""

    def tamper(members: Members) -> None:
        found = [json.loads(line) for line in members[f"tables/{name}.jsonl"].decode().split("\n") if line]
        for row in found if whole else found[:1]:
            change(row)
        members[f"tables/{name}.jsonl"] = "".join(json.dumps(row) + "\n" for row in found).encode()

    return tamper


def put(**values: object) -> Callable[[dict], object]:
    return lambda row: row.update(values)


HOSTILE: dict[str, tuple[Callable[[Members], object], str]] = {
    "a note changed": (table(put(text="x"), "notes"), "does not verify"),
    "a score changed": (table(put(logit=-9.0), "scores"), "does not verify"),
    "an event changed": (table(put(actor="x"), "events"), "does not verify"),
    "no log": (lambda m: m.update({"tables/events.jsonl": b""}), "does not verify"),
    "no case": (lambda m: m.update({"tables/cases.jsonl": b""}), "not as an exported case"),
    "two cases": (
        lambda m: m.update({"tables/cases.jsonl": m["tables/cases.jsonl"] * 2}),
        "not as an exported case",
    ),
    "a row of another case": (table(put(case_id="c000000001"), "notes"), "does not belong"),
    "a record of another case": (table(put(record_id="r000000001"), "scores"), "does not belong"),
    "a place on this machine": (table(put(path="../../../home/user/.bashrc"), "artefacts"), "another place"),
    "a hash that is a path": (table(put(sha256="../../x"), "artefacts"), "another place"),
    "an exhibit that is a path": (table(put(sha256="../../etc/passwd"), "exhibits"), "no proper SHA-256"),
    "evidence that is a path": (
        table(
            lambda row: row.update(evidence_json=row["evidence_json"].replace(row["sha256"], "/etc/passwd")), "exhibits"
        ),
        "no proper SHA-256",
    ),
    "an id that is markup": (table(put(note_id="<script>"), "notes"), "does not belong"),
    "a column more": (table(put(extra=1), "notes"), "expected to have"),
    "a column less": (table(lambda row: row.pop("author"), "notes"), "expected to have"),
    "a number that is text": (table(put(pts="many"), "notes"), "wrong type"),
    "a number too large": (table(put(pts=2**80), "notes"), "wrong type"),
    "a time that is none": (table(put(created_at="soon"), "notes"), "not as an exported case"),
    "no JSON": (lambda m: m.update({"tables/notes.jsonl": b"{"}), "not as an exported case"),
    "a table less": (lambda m: m.pop("tables/notes.jsonl"), "does not verify"),
    "another result": (lambda m: _replace(m, "analyses/", b"{}"), "not the file that the record names"),
    "another original": (lambda m: _replace(m, "evidence/", b"another film"), "is another file"),
    "a result less": (lambda m: m.pop(next(name for name in m if name.endswith(".npz"))), "not as an exported case"),
    "a member more": (lambda m: m.update({"../../x": b"x"}), "that none should have"),
    "an absolute member": (lambda m: m.update({"/tmp/x": b"x"}), "that none should have"),
    "an older version": (lambda m: m.update({"case.json": b'{"bundle_version": "1.0"}'}), "has version 1.0"),
}


def _replace(members: Members, folder: str, content: bytes) -> None:
    members[next(name for name in members if name.startswith(folder))] = content


def rewritten(path: Path, tamper: Callable[[Members], object], *, fit_manifest: bool = True) -> Path:
    with zipfile.ZipFile(path) as bundle:
        members = {name: bundle.read(name) for name in bundle.namelist()}
    manifest = members.pop("manifest.json")
    tamper(members)
    if fit_manifest:
        listed = [
            {"name": name, "sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
            for name, content in members.items()
        ]
        manifest = json.dumps({"members": listed}).encode()
    with zipfile.ZipFile(path.with_name("tampered.zip"), "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in {**members, "manifest.json": manifest}.items():
            bundle.writestr(name, content)
    return path.with_name("tampered.zip")


def test_a_hostile_bundle_leaves_nothing(store: CaseStore, case_id: str, tmp_path: Path) -> None:
    """One store for all, so that whatever one of them left behind would show."""
    path = bundle_of(store, case_id, tmp_path)
    with CaseStore.open(tmp_path / "elsewhere") as other:
        before = files_of(other.home)
        for name, (tamper, said) in HOSTILE.items():
            with pytest.raises(StoreError, match=said):
                other.import_case(rewritten(path, tamper))
            assert files_of(other.home) == before, name
            assert other.cases() == [], name
        for folder, said in (
            ("evidence/", "is another file"),
            ("tables/", "not what the manifest says"),
            ("analyses/", "not what the manifest says"),
        ):
            with pytest.raises(StoreError, match=said):
                other.import_case(rewritten(path, partial(_replace, folder=folder, content=b"x"), fit_manifest=False))
        assert files_of(other.home) == before
        other.import_case(path)
        assert other.verify_all().ok


def test_a_hostile_bundle_cannot_take_away_another_exhibit_s_file(
    store: CaseStore, case_id: str, tmp_path: Path
) -> None:
    path = rewritten(bundle_of(store, case_id, tmp_path), partial(_replace, folder="evidence/", content=b"their film"))
    with CaseStore.open(tmp_path / "elsewhere") as other:
        theirs = other.create_case("Theirs").case_id
        other.add_exhibit(theirs, make_evidence(other.evidence_dir, b"their film"))
        with pytest.raises(StoreError, match="is another file"):
            other.import_case(path)
        assert other.verify(theirs).ok


def test_a_damaged_copy_is_put_right_by_a_bundle_and_that_is_on_record(
    store: CaseStore, case_id: str, tmp_path: Path
) -> None:
    path = bundle_of(store, case_id, tmp_path)
    (exhibit,) = store.exhibits(case_id)
    content = exhibit.evidence.file.path.read_bytes()
    with CaseStore.open(tmp_path / "elsewhere") as other:
        mine = other.create_case("Mine").case_id
        file = other.add_exhibit(mine, make_evidence(other.evidence_dir, content)).evidence.file
        file.path.write_bytes(content[::-1])
        other.import_case(path)
        assert file.path.read_bytes() == content
        assert [len(other.findings(each)) for each in (mine, case_id)] == [1, 1]


def files_of(home: Path) -> set[str]:
    return {path.name for path in home.rglob("*") if path.is_file() and not path.name.startswith("cases.")}


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no zip", b"x" * 1000])
def test_what_is_no_bundle_is_refused(store: CaseStore, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(StoreError, match="no readable bundle"):
        store.import_case(tmp_path / "x.zip")
    with pytest.raises(StoreError, match="could not be imported"):
        store.import_case(tmp_path / "missing.zip")


def test_a_member_that_unpacks_to_more_than_it_says_is_stopped(store: CaseStore, case_id: str, tmp_path: Path) -> None:
    path = bundle_of(store, case_id, tmp_path)
    tampered = rewritten(path, lambda m: _replace(m, "tables/", bytes(20 << 20)), fit_manifest=False)
    with CaseStore.open(tmp_path / "elsewhere") as other, pytest.raises(StoreError, match="not what the manifest says"):
        other.import_case(tampered)


def test_a_backup_becomes_the_same_store_elsewhere(store: CaseStore, case_id: str, tmp_path: Path) -> None:
    folder = store.back_up(tmp_path / "with ' quote" / "backup")
    log = store.events(case_id)
    assert (folder / "database" / "schema.sql").is_file()
    moved = folder.rename(tmp_path / "moved")
    restore(moved, tmp_path / "restored")
    with CaseStore.open(tmp_path / "restored") as other:
        assert other.warnings == ()
        assert other.events(case_id) == log
        assert other.cases() == store.cases()
        assert [job.state for job in other.jobs.find()] == ["done"]
        assert other.verify_all().ok
    with pytest.raises(StoreError, match="already"):
        restore(moved, tmp_path / "restored")
    with pytest.raises(StoreError, match="empty folder"):
        store.back_up(moved)
    assert store.events()[-1].action == "backed_up"


@pytest.mark.parametrize("victim", ["database/notes.parquet", "cases.anchor", "evidence", "backup.json"])
def test_a_damaged_backup_is_refused(store: CaseStore, case_id: str, tmp_path: Path, victim: str) -> None:
    folder = store.back_up(tmp_path / "backup")
    path = folder / victim
    path = next(found for found in path.rglob("*") if found.is_file()) if path.is_dir() else path
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(StoreError, match=r"damaged|no complete backup"):
        restore(folder, tmp_path / "restored")
    assert not (tmp_path / "restored" / "cases.duckdb").exists()
