"""Heads are time-stamped by an authority where one is named, and a token finds what database and anchor cannot."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from asn1crypto.tsp import TimeStampReq

from detector.cases import CaseStore, restore, time_authority, timestamps
from detector.cases.anchor import Anchor
from detector.cases.chain import FIRST_PREVIOUS_HASH, STORE_CHAIN, event_hash
from detector.cases.codec import canonical
from detector.cases.database import from_column, rows
from detector.cases.verify_case import verify as verify_alone
from detector.cli import main
from detector.errors import SettingsError, StoreError
from tests.cases.authority import Authority
from tests.cases.records import make_evidence
from tests.report.certificates import Chain, make_chain


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    return make_chain(tmp_path_factory.mktemp("chain"))


@pytest.fixture
def authority(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> Iterator[Authority]:
    made = Authority(chain)
    monkeypatch.setenv("FRAMEWITNESS_TSA", made.url)
    yield made
    made.close()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def stamped_case(home: Path) -> str:
    """A store with a case whose log is stamped to its end."""
    with CaseStore.open(home, actor="E") as store:
        case_id = store.create_case("Stamped", reference="K-1").case_id
        store.add_note(case_id, "first")
        store.timestamps.wait()
        assert store.timestamp() is not None
    return case_id


def problem(home: Path) -> str:
    """The first thing that verifying the whole store finds; empty where all agrees."""
    with CaseStore.open(home, actor="E") as store:
        whole = store.verify_all()
    found = [outcome.problem for outcome in whole.cases if outcome.problem] + ([whole.problem] if whole.problem else [])
    assert whole.ok == (not found)
    return found[0] if found else ""


def edit_line(home: Path, number: int, **values: object) -> None:
    path = home / "cases.timestamps"
    lines = [json.loads(text) for text in path.read_text().splitlines()]
    lines[number] |= values
    path.write_text("".join(f"{canonical(line)}\n" for line in lines))


def rewrite_log(home: Path, case_id: str) -> None:
    """The log says another name, every hash is made to fit, and the anchor is written anew from it."""
    connection = duckdb.connect(str(home / "cases.duckdb"))
    cursor = connection.cursor()
    previous = FIRST_PREVIOUS_HASH
    for row in rows(cursor, "SELECT * FROM events WHERE case_id = ? ORDER BY sequence", [case_id]):
        details = json.loads(row["details_json"])
        stated = event_hash(
            case_id, row["sequence"], from_column(row["at_utc"]), "Somebody", row["action"], details, previous
        )
        cursor.execute(
            "UPDATE events SET actor = 'Somebody', previous_hash = ?, event_hash = ? "
            "WHERE case_id = ? AND sequence = ?",
            [previous, stated, case_id, row["sequence"]],
        )
        previous = stated
    cursor.execute("UPDATE case_heads SET event_hash = ? WHERE case_id = ?", [previous, case_id])
    (home / "cases.anchor").unlink()
    Anchor(home / "cases.anchor").follow(cursor)
    connection.close()


def test_nothing_is_asked_where_no_authority_is_named(
    home: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FRAMEWITNESS_TSA")
    with CaseStore.open(home, actor="E") as store:
        case_id = store.create_case("a").case_id
        with pytest.raises(SettingsError, match="FRAMEWITNESS_TSA"):
            store.timestamp()
        assert store.verify(case_id).timestamps == ()
    assert authority.asked == []
    assert not (home / "cases.timestamps").exists()


def test_a_head_is_stamped_and_only_a_hash_is_sent(home: Path, authority: Authority) -> None:
    case_id = stamped_case(home)
    with CaseStore.open(home, actor="E") as store:
        outcome = store.verify(case_id)
        head = store.head(case_id)
        assert store.verify_all().timestamps
    assert outcome.ok, outcome.problem
    (stamp,) = outcome.timestamps
    assert (stamp.sequence, stamp.trusted) == (head.sequence, None)
    assert "Test clock" in stamp.authority
    assert abs(stamp.at - head.at) < timedelta(minutes=1)
    assert "signature valid, the authority's certificate is not checked against a trusted root" in stamp.sentence
    line = timestamps.read_lines(home / "cases.timestamps")[0][-1]
    sent = TimeStampReq.load(authority.asked[-1])["message_imprint"].native
    assert sent["hash_algorithm"]["algorithm"] == "sha256"
    assert sent["hashed_message"] == hashlib.sha256(line.statement).digest()
    assert head.event_hash.encode() in line.statement.split()
    assert len(authority.asked[-1]) < 80


def test_an_authority_is_trusted_by_its_root_and_no_other(
    home: Path, authority: Authority, chain: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = stamped_case(home)
    monkeypatch.delenv("FRAMEWITNESS_TSA")
    monkeypatch.setenv("FRAMEWITNESS_TSA_TRUST", str(chain.root_pem))
    with CaseStore.open(home, actor="E") as store:
        assert [one.trusted for one in store.verify(case_id).timestamps] == [True]
        assert "leads to a trusted root" in store.verify(case_id).timestamps[0].sentence
        (tmp_path / "other").mkdir()
        monkeypatch.setenv("FRAMEWITNESS_TSA_TRUST", str(make_chain(tmp_path / "other").root_pem))
        assert "leads to none of the roots" in (store.verify(case_id).problem or "")
        monkeypatch.setenv("FRAMEWITNESS_TSA_TRUST", str(tmp_path / "absent.pem"))
        with pytest.raises(StoreError, match="Mend FRAMEWITNESS_TSA_TRUST"):
            store.verify(case_id)


def test_heads_are_stamped_by_themselves_once_a_day_while_logs_grow(
    home: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with CaseStore.open(home, actor="E") as store:
        store.timestamps.wait()
        assert len(authority.asked) == 1
        case_id = store.create_case("a").case_id
    with CaseStore.open(home, actor="E") as store:
        store.timestamps.wait()
        assert len(authority.asked) == 1
    monkeypatch.setattr(timestamps, "utc_now", lambda: datetime.now(UTC) + timedelta(hours=25))
    for _ in range(2):
        with CaseStore.open(home, actor="E") as store:
            store.timestamps.wait()
            assert len(authority.asked) == 2
            assert [one.sequence for one in store.verify(case_id).timestamps] == [1]
    monkeypatch.setattr(timestamps, "utc_now", lambda: datetime.now(UTC) + timedelta(hours=50))
    with CaseStore.open(home, actor="E") as store:
        store.timestamps.wait()
        assert len(authority.asked) == 2, "no log has grown"
        assert store.timestamp() is None


def test_a_long_open_store_is_stamped_after_a_change(
    home: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with CaseStore.open(home, actor="E") as store:
        store.timestamps.wait()
        monkeypatch.setattr(timestamps, "_LOOK_EVERY_S", 0.0)
        store.timestamps._next_look_s = 0.0
        monkeypatch.setattr(timestamps, "utc_now", lambda: datetime.now(UTC) + timedelta(hours=25))
        case_id = store.create_case("a").case_id
        store.timestamps.wait()
        assert [one.sequence for one in store.verify(case_id).timestamps] == [1]


def test_an_authority_that_is_down_is_a_warning_and_stops_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAMEWITNESS_TSA", "http://127.0.0.1:1/")
    with CaseStore.open(home, actor="E") as store:
        case_id = store.create_case("a").case_id
        store.timestamps.wait()
        assert "http://127.0.0.1:1/ gave no time stamp" in (store.timestamps.problem or "")
        assert "Cannot connect" in (store.timestamps.problem or "")
        assert store.verify(case_id).ok
        with pytest.raises(StoreError, match="asked again later"):
            store.timestamp()
    assert not (home / "cases.timestamps").exists()


def test_an_authority_that_takes_its_time_holds_nobody_up(home: Path, authority: Authority) -> None:
    authority.answer.clear()
    with CaseStore.open(home, actor="E") as store:
        asking = next(one for one in threading.enumerate() if one.name == "time stamp")
        case_id = store.create_case("a").case_id
        assert store.verify(case_id).ok
        assert asking.is_alive()
        authority.answer.set()
        store.timestamps.wait()
        assert store.verify_all().timestamps


def test_an_authority_that_never_answers_is_given_up(
    home: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority.answer.clear()
    monkeypatch.setattr(time_authority, "TIMEOUT_S", 0.2)
    with CaseStore.open(home, actor="E") as store:
        store.timestamps.wait()
        assert "gave no time stamp" in (store.timestamps.problem or "")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "Insufficient data"),
        (b"\x30\x80junk", "Insufficient data"),
        (bytes.fromhex("3010300e020102300930070c05") + b"Quota", "it refused to"),
    ],
)
def test_an_answer_without_a_token_is_told(home: Path, authority: Authority, answer: bytes, reason: str) -> None:
    authority.instead = answer
    with CaseStore.open(home, actor="E") as store:
        with pytest.raises(StoreError, match=reason):
            store.timestamp()
        assert reason in (store.timestamps.problem or "")


def test_a_token_over_another_hash_is_not_kept(home: Path, authority: Authority) -> None:
    authority.exchange = True
    with CaseStore.open(home, actor="E") as store:
        store.timestamps.wait()
        assert "was made for something else" in (store.timestamps.problem or "")
    assert not (home / "cases.timestamps").exists()


def test_a_log_that_was_rewritten_with_its_anchor_differs(home: Path, authority: Authority) -> None:
    case_id = stamped_case(home)
    assert problem(home) == ""
    rewrite_log(home, case_id)
    with CaseStore.open(home, actor="E") as store:
        assert store.warnings == (), "the anchor is beside itself"
        assert "stamped at" in (store.verify(case_id).problem or "")
    assert "the log was rewritten" in problem(home)


def test_the_stores_own_log_rewritten_with_its_anchor_differs(home: Path, authority: Authority) -> None:
    stamped_case(home)
    rewrite_log(home, STORE_CHAIN)
    with CaseStore.open(home, actor="E") as store:
        whole = store.verify_all()
    assert all(case.ok for case in whole.cases)
    assert "the log was rewritten" in (whole.problem or "")


def test_a_case_that_was_never_there_or_was_removed_differs(home: Path, authority: Authority, tmp_path: Path) -> None:
    stamped_case(home)
    stamped_case(tmp_path / "other")
    shutil.copy(home / "cases.timestamps", tmp_path / "other")
    with CaseStore.open(tmp_path / "other", actor="E") as store:
        assert "which the store no longer holds" in (store.verify_all().problem or "")


def test_a_head_moved_to_another_place_differs(home: Path, authority: Authority) -> None:
    stamped_case(home)
    lines = (home / "cases.timestamps").read_text().splitlines()
    heads = json.loads(lines[-1])["heads"]
    for one in heads:
        one["sequence"] += 7
    edit_line(home, -1, heads=heads)
    assert "the newest events were removed" in problem(home)


@pytest.mark.parametrize("part", [0.3, 0.95])
def test_a_file_that_was_cut_off_differs_and_is_not_written_to(home: Path, authority: Authority, part: float) -> None:
    stamped_case(home)
    path = home / "cases.timestamps"
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    cut = path.read_bytes()
    assert "cannot be read. Put the file back from a copy" in problem(home)
    with CaseStore.open(home, actor="E") as store:
        store.create_case("b")
        with pytest.raises(StoreError, match="Put the file back"):
            store.timestamp()
    assert path.read_bytes() == cut
    path.write_bytes(content[:-1])
    assert "is cut off" in problem(home)


@pytest.mark.parametrize("kept", [0, 1])
def test_time_stamps_that_were_taken_away_are_missed_until_somebody_says_why(
    home: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    stamped_case(home)
    monkeypatch.delenv("FRAMEWITNESS_TSA")
    path = home / "cases.timestamps"
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    with CaseStore.open(home, actor="E") as store:
        path.write_bytes(b"".join(lines[:kept]))
        assert "that the log names" in (store.verify_all().problem or "")
        path.write_bytes(whole)
        assert store.verify_all().ok
    path.write_bytes(b"".join(lines[:kept]))
    with CaseStore.open(home, actor="E") as store:
        (warning,) = store.warnings
        assert "does not hold the one of" in warning
        assert not store.verify_all().ok
        store.acknowledge("the disk was exchanged")
        assert store.verify_all().ok
    with CaseStore.open(home, actor="E") as store:
        assert store.warnings == ()


def test_a_line_taken_from_the_middle_differs(home: Path, authority: Authority) -> None:
    stamped_case(home)
    path = home / "cases.timestamps"
    _, *others = path.read_bytes().splitlines(keepends=True)
    assert others
    path.write_bytes(b"".join(others))
    assert "Line 1" in problem(home)
    assert "does not follow" in problem(home)


def test_a_token_that_was_touched_or_exchanged_does_not_hold(home: Path, authority: Authority) -> None:
    stamped_case(home)
    lines = [json.loads(text) for text in (home / "cases.timestamps").read_text().splitlines()]
    token = lines[-1]["token"]
    for changed in (token[:-8] + ("AAAA" if token[-8:-4] != "AAAA" else "BBBB") + token[-4:], "AAAA", ""):
        edit_line(home, -1, token=changed)
        assert "does not hold: it" in problem(home)
    edit_line(home, -1, token=lines[0]["token"])
    assert "it was made for something else" in problem(home)
    edit_line(home, -1, token=token)
    with CaseStore.open(home, actor="E") as store:
        store.acknowledge("the file was put back from a copy")
        assert store.verify_all().ok


def test_a_file_that_cannot_be_written_is_said(
    home: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with CaseStore.open(home, actor="E") as store:
        store.timestamps.wait()
        before = (home / "cases.timestamps").read_bytes()
        store.create_case("a")
        with monkeypatch.context() as patched:
            patched.setattr(timestamps.os, "replace", _fail)
            with pytest.raises(StoreError, match="No space left"):
                store.timestamp()
        assert (home / "cases.timestamps").read_bytes() == before
        assert not list(home.glob(".cases.timestamps*"))


def _fail(*_: object) -> None:
    raise OSError("No space left on device")


def test_an_exported_case_carries_tokens_that_openssl_checks(
    home: Path, authority: Authority, chain: Chain, tmp_path: Path
) -> None:
    with CaseStore.open(home, actor="E") as store:
        store.timestamps.wait()
        case_id = store.create_case("a").case_id
        store.add_exhibit(case_id, make_evidence(store.evidence_dir))
        other = store.create_case("b").case_id
        store.timestamp()
        head = store.head(case_id).event_hash
        store.export_case(case_id, tmp_path / "case.zip")
    assert [one for one in verify_alone(str(tmp_path / "case.zip")) if one.ok is False] == []
    with zipfile.ZipFile(tmp_path / "case.zip") as archive:
        stamps = sorted(name for name in archive.namelist() if name.startswith("timestamps/"))
        archive.extractall(tmp_path / "unpacked")
        assert not any(other.encode() in archive.read(name) for name in stamps)
    heads, token = (tmp_path / "unpacked" / name for name in stamps)
    assert head in heads.read_text().split()
    asked = ["openssl", "ts", "-verify", "-data", str(heads), "-in", str(token), "-token_in", "-CAfile"]
    if shutil.which("openssl"):
        done = subprocess.run([*asked, str(chain.root_pem)], capture_output=True, text=True, check=False)
        assert "Verification: OK" in done.stdout + done.stderr
    with CaseStore.open(tmp_path / "elsewhere", actor="F") as store:
        assert store.import_case(tmp_path / "case.zip").case_id == case_id


def test_a_bundle_with_a_time_stamp_of_another_log_is_refused(home: Path, authority: Authority, tmp_path: Path) -> None:
    case_id = stamped_case(home)
    with CaseStore.open(home, actor="E") as store:
        store.export_case(case_id, tmp_path / "case.zip")
    with zipfile.ZipFile(tmp_path / "case.zip") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    manifest = json.loads(members.pop("manifest.json"))
    for entry in manifest["members"]:
        if entry["name"].endswith(".heads"):
            content = b"0" * 64 + b"\n"
            members[entry["name"]] = content
            entry |= {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
    with zipfile.ZipFile(tmp_path / "case.zip", "w") as archive:
        for name, content in {**members, "manifest.json": json.dumps(manifest).encode()}.items():
            archive.writestr(name, content)
    assert [one.check for one in verify_alone(str(tmp_path / "case.zip")) if one.ok is False] == ["timestamps"]
    with (
        CaseStore.open(tmp_path / "elsewhere", actor="F") as store,
        pytest.raises(StoreError, match="over no event of the log"),
    ):
        store.import_case(tmp_path / "case.zip")


def test_a_backup_has_the_time_stamps_and_gives_them_back(home: Path, authority: Authority, tmp_path: Path) -> None:
    case_id = stamped_case(home)
    with CaseStore.open(home, actor="E") as store:
        store.back_up(tmp_path / "backup")
    restore(tmp_path / "backup", tmp_path / "again")
    with CaseStore.open(tmp_path / "again", actor="E") as store:
        assert store.verify(case_id).timestamps


def test_the_command_stamps_and_verify_tells_of_it(
    home: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FRAMEWITNESS_HOME", str(home))
    with CaseStore.open(home, actor="E") as store:
        head = store.head(store.create_case("a", reference="K-1").case_id)
    assert main(["cases", "timestamp"]) == 0
    assert f"{head.case_id}\tevent 1\t{head.event_hash}" in capsys.readouterr().out
    assert main(["cases", "timestamp"]) == 0
    assert "No log has grown" in capsys.readouterr().out
    assert main(["cases", "verify", "K-1"]) == 0
    assert "Event 1 was time-stamped" in capsys.readouterr().out
    monkeypatch.setenv("FRAMEWITNESS_TSA", "ftp://clock")
    assert main(["cases", "timestamp"]) == 2
    assert "http or https address" in capsys.readouterr().err
