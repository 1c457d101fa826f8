"""The verifier that stands alone: tampering with an exported case is found without this program, and by import too."""

from __future__ import annotations

import ast
import json
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from detector.cases import CaseStore, verify_case
from detector.cases.codec import canonical, digest
from detector.cases.export import VERIFIER
from detector.errors import StoreError
from tests.cases.records import make_analysis, make_evidence
from tests.replay.forge import members, write

Members = dict[str, bytes]
Row = dict[str, object]
FIXTURES = Path(__file__).parents[1] / "fixtures"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A case with a row in every table, its originals, and a report named in its log."""
    folder = tmp_path_factory.mktemp("exported")
    with CaseStore.open(folder / "home", actor="tester") as store:
        case_id = store.create_case("Tampered <b>with</b>", examiner="E").case_id
        for number in range(2):
            evidence = make_evidence(store.evidence_dir, b"film %d" % number, f"=clip {number}\u202e\0.mp4")
            exhibit_id = store.add_exhibit(case_id, evidence).exhibit_id
            store.save_analysis(exhibit_id, make_analysis(evidence, frames=3))
        store.add_note(case_id, "seen", exhibit_id=exhibit_id, track_id=1, pts=3000)
        drawn = store.add_note(case_id, "chin", exhibit_id=exhibit_id, pts=3000, box_xyxy_px=(4.0, 8.0, 16.0, 24.0))
        store.withdraw_note(drawn.note_id)
        store.add_note(case_id, "flicker", exhibit_id=exhibit_id, pts=3000, end_pts=6000)
        store.metadata.set_tags(case_id, ["fraud"])
        store.metadata.add_bookmark(exhibit_id, pts=3000)
        removed_mark = store.metadata.add_bookmark(exhibit_id, pts=6000)
        store.metadata.remove_bookmark(removed_mark.bookmark_id)
        store.metadata.name_exhibit(exhibit_id, reference="K-17", description="from the phone")
        store.metadata.set_mandate(case_id, laboratory="Laboratory 4", client="Court", question="Is it genuine?")
        store.metadata.record_receipt(exhibit_id, received_from="J. B.", received_how="upload", received_when="6 May")
        store.similarity.fingerprint(exhibit_id)
        store.statements.give_opinion(exhibit_id, "manipulated", "the lips")
        store.statements.record_truth(exhibit_id, "manipulated", "confession")
        store.statements.sign(case_id, "examiner", "I stand for it.", author="E")
        store.log(case_id, "report_rendered", {"file_name": "r.pdf", "sha256": "a" * 64})
        return store.export_case(case_id, folder / "case.zip", include_evidence=True)


def differing(path: Path, **options: object) -> set[str]:
    """The checks that found something."""
    return {found.check for found in verify_case.verify(str(path), **options) if found.ok is False}


def refusal(path: Path) -> str:
    *_, last = verify_case.verify(str(path))
    assert (last.check, last.ok) == ("refused", False)
    return last.text


def test_an_untouched_case_is_intact_zipped_and_unpacked(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = verify_case.verify(str(exported))
    assert [one for one in found if one.ok is False] == []
    assert {one.check for one in found if one.ok} == {
        "members", "log", "rows", "files", "findings", "case.json", "scores.csv", "at home",
    }  # fmt: skip
    assert all(members(exported)[f"tables/{table}.jsonl"] for table in verify_case.TABLES)
    shutil.unpack_archive(exported, tmp_path / "unpacked")
    (tmp_path / "unpacked" / ".DS_Store").write_bytes(b"left by a desktop")
    assert verify_case.main([str(tmp_path / "unpacked")]) == 0
    assert capsys.readouterr().out.endswith("INTACT: nothing differs.\n")
    assert members(exported)["verify_case.py"] == VERIFIER.read_bytes()


@pytest.mark.parametrize("name", ["case-0.1.zip", "replay-0.1.zip"])
def test_what_version_0_1_exported_is_intact(name: str) -> None:
    assert differing(FIXTURES / name) == set()


def table(change: Callable[[list[Row]], object], name: str) -> Callable[[Members], None]:
    """Change the rows of a table."""

    def tamper(content: Members) -> None:
        found = [json.loads(line) for line in content[f"tables/{name}.jsonl"].decode().split("\n") if line]
        change(found)
        content[f"tables/{name}.jsonl"] = "".join(canonical(row) + "\n" for row in found).encode()

    return tamper


def put(**values: object) -> Callable[[list[Row]], None]:
    return lambda rows: rows[-1].update(values)


def told(change: Callable[[dict], object]) -> Callable[[Members], None]:
    def tamper(content: Members) -> None:
        value = json.loads(content["case.json"])
        change(value)
        content["case.json"] = json.dumps(value).encode()

    return tamper


def replaced(start: str, content: bytes, end: str = "") -> Callable[[Members], None]:
    return lambda found: found.update({next(n for n in found if n.startswith(start) and n.endswith(end)): content})


def removed(start: str, end: str = "") -> Callable[[Members], object]:
    return lambda found: found.pop(next(name for name in found if name.startswith(start) and name.endswith(end)))


def rehashed(rows: list[Row]) -> None:
    """An event with another actor, and a hash of its own that fits."""
    event = next(row for row in rows if row["sequence"] == 2)
    event["actor"] = "someone else"
    covered = [event["case_id"], 2, f"{event['at_utc']}+00:00", event["actor"], event["action"]]
    event["event_hash"] = digest([*covered, json.loads(str(event["details_json"])), event["previous_hash"]])


def without_event(rows: list[Row]) -> None:
    rows.remove(next(row for row in rows if row["sequence"] == 3))


def swapped(rows: list[Row]) -> None:
    rows[1]["logit"], rows[2]["logit"] = rows[2]["logit"], rows[1]["logit"]


def scores(old: bytes, new: bytes) -> Callable[[Members], None]:
    return lambda found: found.update({"scores.csv": found["scores.csv"].replace(old, new, 1)})


# What was done -> (how, the check that finds it)
TAMPERED: dict[str, tuple[Callable[[Members], object], str]] = {
    "a note reworded": (table(put(text="not seen"), "notes"), "rows"),
    "a note redated": (table(put(created_at="2020-01-01T00:00:00.000000"), "notes"), "rows"),
    "a note added": (table(lambda rows: rows.append({**rows[0], "note_id": "n000000000"}), "notes"), "rows"),
    "a note taken away": (table(list.clear, "notes"), "rows"),
    "a note twice": (table(lambda rows: rows.append(rows[0]), "notes"), "rows"),
    "an interval stretched": (table(put(end_pts=9000), "note_marks"), "rows"),
    "a note that was withdrawn put back": (
        table(lambda rows: [row.update(withdrawn_at=None) for row in rows], "note_marks"), "rows",
    ),
    "a place told otherwise": (told(lambda case: case["notes"][-1].update(end_pts=9000)), "case.json"),
    "a score changed": (table(put(logit=-9.0), "scores"), "rows"),
    "two scores swapped": (table(swapped, "scores"), "rows"),
    "a score taken away": (table(list.pop, "scores"), "rows"),
    "a face taken away": (table(list.pop, "frames"), "rows"),
    "a track stretched": (table(put(last_pts_s=9.0), "tracks"), "rows"),
    "a conclusion turned": (table(put(label="no_manipulation_found"), "analyses"), "rows"),
    "an exhibit renamed": (table(put(file_name="other.mp4"), "exhibits"), "rows"),
    "a case renamed": (table(put(title="Another"), "cases"), "rows"),
    "a tag taken away": (table(put(tags=[]), "case_states"), "rows"),
    "an opinion turned": (table(put(verdict="authentic"), "opinions"), "rows"),
    "a truth turned": (table(put(truth="genuine"), "truths"), "rows"),
    "a sign-off by another": (table(put(author="someone else"), "signatures"), "rows"),
    "a bookmark that was removed put back": (table(put(removed_at=None), "bookmarks"), "rows"),
    "a fingerprint changed": (table(put(problem="none"), "exhibit_prints"), "rows"),
    "a row of another case": (table(put(case_id="c000000000"), "notes"), "rows"),
    "an event by another": (table(put(actor="someone else"), "events"), "log"),
    "an event redated": (table(put(at_utc="2020-01-01T00:00:00.000000"), "events"), "log"),
    "an event written anew with its hash": (table(rehashed, "events"), "log"),
    "an event taken out of the middle": (table(without_event, "events"), "log"),
    "an event with a column more": (table(put(remark="approved"), "events"), "log"),
    "no log": (table(list.clear, "events"), "log"),
    "another result": (replaced("analyses/", b"{}", ".json"), "files"),
    "other landmarks": (replaced("analyses/", b"x", ".npz"), "files"),
    "a result taken away": (removed("analyses/", ".npz"), "files"),
    "a result that no row names": (lambda m: m.update({"analyses/r000000000.json": b"{}"}), "files"),
    "an original that no row names": (lambda m: m.update({f"evidence/{sha256(b'x').hexdigest()}": b"x"}), "files"),
    "another original": (replaced("evidence/", b"another film"), "members"),
    "scores for readers changed": (scores(b"0.75", b"0.25"), "scores.csv"),
    "scores for readers cut short": (lambda m: m.update({"scores.csv": m["scores.csv"][:200]}), "scores.csv"),
    "a title told otherwise": (told(lambda case: case["case"].update(title="Another")), "case.json"),
    "a conclusion told otherwise": (
        told(lambda case: case["analyses"][0].update(label="no_manipulation_found")), "case.json",
    ),
    "a hash told otherwise": (
        told(lambda case: case["exhibits"][0]["evidence"]["file"].update(sha256="0" * 64)), "case.json",
    ),
    "an event told otherwise": (told(lambda case: case["events"][1].update(actor="someone else")), "case.json"),
    "a note not told": (told(lambda case: case["notes"].clear()), "case.json"),
    "a verdict told beside": (told(lambda case: case.update(verdict="genuine")), "case.json"),
}  # fmt: skip


@pytest.fixture(scope="module")
def importer(tmp_path_factory: pytest.TempPathFactory) -> CaseStore:
    return CaseStore.open(tmp_path_factory.mktemp("importer") / "home")


@pytest.mark.parametrize("name", TAMPERED)
def test_tampering_is_found_by_name_and_is_not_imported(
    name: str, exported: Path, importer: CaseStore, tmp_path: Path
) -> None:
    """The manifest is made to fit, as whoever tampers would."""
    tamper, check = TAMPERED[name]
    content = members(exported)
    tamper(content)
    path = write(tmp_path / "tampered.zip", content)
    assert check in differing(path)
    with pytest.raises(StoreError):
        importer.import_case(path)
    assert importer.cases() == []


def test_a_member_that_the_manifest_does_not_know_is_found(exported: Path, importer: CaseStore, tmp_path: Path) -> None:
    for tamper in (replaced("tables/notes", b""), replaced("evidence/", b"x"), removed("scores"), removed("evidence/")):
        content = members(exported)
        tamper(content)
        path = write(tmp_path / "tampered.zip", content, relist=False)
        assert verify_case.main([str(path)]) == 1
        with pytest.raises(StoreError):
            importer.import_case(path)


def test_the_log_cut_at_its_end_is_found_by_a_head_that_was_printed(exported: Path, tmp_path: Path) -> None:
    content = members(exported)
    events = [json.loads(line) for line in content["tables/events.jsonl"].splitlines()]
    head = max(events, key=lambda event: event["sequence"])["event_hash"]
    assert differing(exported, heads=[head.upper()]) == set()
    table(lambda rows: rows.remove(max(rows, key=lambda row: row["sequence"])), "events")(content)
    told(lambda case: case["events"].pop())(content)
    path = write(tmp_path / "cut.zip", content)
    assert differing(path) == set()
    assert differing(path, heads=[head]) == {"head"}


def test_a_case_that_did_not_verify_at_home_says_so(exported: Path, tmp_path: Path) -> None:
    content = members(exported)
    told(lambda case: case["verification"].update(ok=False, problem="A row was changed."))(content)
    assert differing(write(tmp_path / "x.zip", content)) == {"at home"}


@pytest.fixture
def altered(tmp_path: Path) -> Iterator[tuple[CaseStore, str]]:
    """A store and its case, both of whose originals were once found to be other files."""
    with CaseStore.open(tmp_path / "home", actor="tester") as store:
        case_id = store.create_case("Swapped").case_id
        for content in (b"one film", b"two film"):
            evidence = make_evidence(store.evidence_dir, content)
            exhibit_id = store.add_exhibit(case_id, evidence).exhibit_id
            store.save_analysis(exhibit_id, make_analysis(evidence, frames=3))
            store.intake.report_altered(evidence.file.sha256, sha256(b"another").hexdigest())
        yield store, case_id


def test_every_original_that_was_found_altered_makes_a_case_differ(altered: tuple[CaseStore, str]) -> None:
    store, case_id = altered
    path = store.export_case(case_id, store.home.parent / "case.zip", include_evidence=True)
    assert differing(path) == {"findings", "at home"}
    content = members(path)
    told(lambda case: case["verification"].update(ok=True, problem=None))(content)
    hidden = verify_case.verify(str(write(path, content)))
    (found,) = [one for one in hidden if one.ok is False]
    assert found.check == "findings"
    records = store.analyses(case_id=case_id)
    for exhibit, record in zip(store.exhibits(case_id), records, strict=True):
        assert f"exhibit {exhibit.exhibit_id} was not the evidence" in found.text
        assert f"in doubt: {record.record_id}." in found.text
    assert sha256(b"another").hexdigest() in found.text


def test_a_finding_that_was_acknowledged_is_named_with_the_words_to_it(
    altered: tuple[CaseStore, str], capsys: pytest.CaptureFixture[str]
) -> None:
    store, case_id = altered
    store.acknowledge("The disk was changed; analysed anew.", case_id=case_id, author="Ada")
    path = store.export_case(case_id, store.home.parent / "case.zip", include_evidence=True)
    assert verify_case.main([str(path)]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.split()[:2] == ["note", "findings"]]
    assert len(lines) == 2
    assert all("in doubt: r" in line and "Ada on this: The disk was changed; analysed anew." in line for line in lines)


def entry(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr = mode << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


HOSTILE: dict[str, tuple[list[tuple[zipfile.ZipInfo, bytes]], str]] = {
    "a path upwards": ([(entry("../../x"), b"")], "no export"),
    "an absolute path": ([(entry("/etc/passwd"), b"")], "no export"),
    "a module to be imported": ([(entry("json.py"), b"")], "no export"),
    "a link": ([(entry("case.json", stat.S_IFLNK | 0o777), b"/etc/passwd")], "a link"),
    "a name twice": ([(entry("case.json"), b"{}"), (entry("case.json"), b"{}")], "twice"),
    "a bomb": ([(entry("tables/notes.jsonl"), bytes(4 << 20))], "unpacks to"),
    "nested without end": ([(entry("manifest.json"), b"[" * 200_000), (entry("case.json"), b"{}")], "nested"),
    "a key twice": ([(entry("manifest.json"), b'{"a": 1, "a": 2}'), (entry("case.json"), b"{}")], "name twice"),
    "a number without end": ([(entry("manifest.json"), b"1" * 5_000), (entry("case.json"), b"{}")], "digits"),
    "nothing": ([], "missing"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_is_refused_with_its_reason(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entries, said = HOSTILE[name]
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for info, content in entries:
            archive.writestr(info, content)
    assert verify_case.main([str(tmp_path / "x.zip")]) == 1
    out = capsys.readouterr().out
    assert said in out
    assert out.splitlines()[-1].startswith(("REFUSED: ", "DIFFERS: "))


def test_tables_too_large_to_be_read_unasked_are_read_when_asked(
    exported: Path, importer: CaseStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify_case, "_MOST_READ_BYTES", 2_000)
    monkeypatch.setattr("detector.cases.bundle._MOST_READ_BYTES", 2_000)
    assert "--large" in refusal(exported)
    assert differing(exported, large=True) == set()
    with CaseStore.open(tmp_path / "home") as store:
        with pytest.raises(StoreError, match="--large"):
            store.import_case(exported)
        assert store.verify(store.import_case(exported, large=True).case_id).ok


def test_a_folder_with_a_link_or_a_file_more_is_refused(exported: Path, tmp_path: Path) -> None:
    shutil.unpack_archive(exported, tmp_path / "unpacked")
    (tmp_path / "unpacked" / "tables" / "more.txt").write_text("x")
    assert "more.txt" in refusal(tmp_path / "unpacked")
    (tmp_path / "unpacked" / "tables" / "more.txt").unlink()
    (tmp_path / "unpacked" / "scores.csv").unlink()
    (tmp_path / "unpacked" / "scores.csv").symlink_to("/etc/passwd")
    assert "scores.csv' is a link" in refusal(tmp_path / "unpacked")


def test_it_runs_from_the_folder_and_runs_nothing_else_that_lies_there(exported: Path, tmp_path: Path) -> None:
    shutil.unpack_archive(exported, tmp_path / "unpacked")
    script = tmp_path / "unpacked" / "verify_case.py"
    run = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, cwd="/", check=False)
    assert (run.returncode, run.stderr) == (0, "")
    (tmp_path / "unpacked" / "zipfile.py").write_text("print('INTACT'); raise SystemExit(0)")
    run = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, cwd="/", check=False)
    assert run.returncode == 1
    assert "zipfile.py" in run.stdout


def test_it_is_python_3_8_and_the_standard_library_alone() -> None:
    tree = ast.parse(VERIFIER.read_text(encoding="utf-8"), feature_version=(3, 8))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported <= sys.stdlib_module_names - {"__future__"}


def test_the_columns_it_knows_are_those_of_the_store(importer: CaseStore) -> None:
    with importer._database.read() as cursor:
        for part, columns, _ in verify_case.PARTS:
            found = cursor.execute(f"SELECT * FROM {part} LIMIT 0").description or []
            assert columns.split() == [column[0] for column in found]
