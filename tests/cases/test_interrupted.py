"""What a process leaves that was killed between two steps, or had no room, is taken up again, listed or replaced."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from detector.cases import CaseStore, backup, restore
from detector.cases import database as database_module
from detector.cases import store as store_module
from detector.cases.anchor import Anchor
from detector.cases.home import Layout
from detector.errors import StoreDamagedError, StoreError
from tests.cases.records import make_analysis, make_evidence

NO_ROOM = 'Could not write file "cases.duckdb": No space left on device'


class KilledError(BaseException):
    """Stands for the end of the process: nothing that follows is done."""


def killed(*_: Any, **__: Any) -> None:
    raise KilledError


def full(*_: Any, **__: Any) -> None:
    raise duckdb.FatalException(NO_ROOM)


def open_and_verify(home: Path) -> None:
    with CaseStore.open(home) as store:
        assert store.warnings == ()
        assert store.verify_all().problem is None


@pytest.mark.parametrize("step", ["append_event", "Anchor.follow"])
def test_a_store_whose_first_opening_was_interrupted_is_made_to_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with monkeypatch.context() as patch:
        if step == "append_event":
            patch.setattr("detector.cases.opening.append_event", killed)
        else:
            patch.setattr(Anchor, "follow", killed)
        with pytest.raises(KilledError):
            CaseStore.open(tmp_path)
    open_and_verify(tmp_path)
    with CaseStore.open(tmp_path) as store:
        assert [event.action for event in store.events()] == ["store_migrated"]


def test_a_database_that_could_not_be_made_is_made_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(path: str) -> None:
        Path(path).touch()
        raise duckdb.IOException(NO_ROOM)

    with monkeypatch.context() as patch:
        patch.setattr(database_module.duckdb, "connect", half)
        with pytest.raises(StoreError, match="Make room"):
            CaseStore.open(tmp_path)
    open_and_verify(tmp_path)


def test_a_change_for_which_there_is_no_room_is_not_called_damage_and_not_tried_again(store: CaseStore) -> None:
    tries = []

    def change(cursor: duckdb.DuckDBPyConnection) -> None:
        tries.append(cursor)
        raise duckdb.TransactionException(f"Failed to commit: {NO_ROOM}; database has been invalidated")

    with pytest.raises(StoreError, match="Make room") as refused:
        store._database.write(change)
    assert not isinstance(refused.value, StoreDamagedError)
    assert len(tries) == 1


def test_a_store_opens_where_there_is_no_room_for_its_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with CaseStore.open(tmp_path) as store:
        store.create_case("Kept")

    def damaged(*_: object) -> None:
        raise StoreDamagedError("of the copy")

    monkeypatch.setattr(backup, "_rebuild", damaged)
    with CaseStore.open(tmp_path) as store:
        assert "automatic backup could not be made" in store.warnings[0]
        assert len(store.cases()) == 1


def test_a_database_that_gives_no_room_to_its_copy_is_one_refusal(
    store: CaseStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(backup, "applied", full)
    with pytest.raises(StoreError, match="incomplete"):
        store.back_up(tmp_path / "backup")


def test_an_interrupted_restore_is_done_again_and_not_opened_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with CaseStore.open(tmp_path / "home") as store:
        case = store.create_case("Kept")
        exhibit = store.add_exhibit(case.case_id, make_evidence(store.evidence_dir))
        store.back_up(tmp_path / "backup")
    again = tmp_path / "again"
    # After everything but the last step; then the copy of an original is cut short, as at an earlier one.
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        with pytest.raises(KilledError):
            restore(tmp_path / "backup", again)
    with pytest.raises(StoreError, match="Restore it again"):
        CaseStore.open(again)
    copy = again / "evidence" / exhibit.sha256[:2] / exhibit.sha256
    inode = copy.stat().st_ino
    copy.write_bytes(b"a f")
    copy.chmod(0o444)
    opened = copy.open("rb")  # so that its inode is not used again
    restore(tmp_path / "backup", again)
    opened.close()
    assert copy.stat().st_ino != inode  # a read-only file is replaced: only the superuser could write to it
    open_and_verify(again)
    with CaseStore.open(again) as store:
        assert store.verify(case.case_id).ok
        assert store.intake.strays() == ()
    with pytest.raises(StoreError, match="already"):
        restore(tmp_path / "backup", again)


def test_what_was_left_of_results_databases_and_backups_is_listed_and_cleared(store: CaseStore) -> None:
    exhibit = store.add_exhibit(store.create_case("a").case_id, make_evidence(store.evidence_dir))
    record = store.save_analysis(exhibit.exhibit_id, make_analysis(exhibit.evidence))
    left = [
        store.artefact_dir / ".writing-abc.npz",
        store.artefact_dir / "00" / ("0" * 64 + ".json"),
        store.home / ".creating-12.duckdb",
        store.home / ".restoring.duckdb.wal",
        store.home / "backups" / ".unfinished" / "backup" / "cases.anchor",
    ]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    assert {one.path for one in store.intake.strays()} == set(left)
    assert {one.path for one in store.verify_all().strays} == set(left)
    assert len(store.intake.clear_strays()) == len(left)
    assert not any(path.exists() for path in left)
    assert store.verify(record.case_id).ok


def test_strays_are_not_cleared_while_a_result_is_being_saved(
    store: CaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    exhibit = store.add_exhibit(store.create_case("a").case_id, make_evidence(store.evidence_dir))
    keep = store_module.keep_analysis

    def kept_and_cleared(*arguments: Any) -> Any:
        kept = keep(*arguments)
        with pytest.raises(StoreError, match="being taken in or a result saved"):
            store.intake.clear_strays()
        return kept

    monkeypatch.setattr(store_module, "keep_analysis", kept_and_cleared)
    record = store.save_analysis(exhibit.exhibit_id, make_analysis(exhibit.evidence))
    assert store.verify(record.case_id).ok


def test_what_an_interrupted_export_left_is_replaced_by_the_next(store: CaseStore, tmp_path: Path) -> None:
    case = store.create_case("a")
    out = tmp_path / "out"

    def stop(*_: object) -> None:
        shutil.copy(out / ".exporting-case.zip", out / "seen")
        raise KilledError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", stop)
        with pytest.raises(KilledError):
            store.export_case(case.case_id, out / "case.zip")
    (out / "seen").rename(out / ".exporting-case.zip")
    store.export_case(case.case_id, out / "case.zip")
    assert [path.name for path in out.iterdir()] == ["case.zip"]


def test_the_newest_backup_is_the_last_one_made_whatever_the_clock_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with CaseStore.open(tmp_path) as store:
        store.create_case("Kept")
    for shift in (400, 401, 402, 403, 404, 405, 406, 0):
        monkeypatch.setattr(backup, "utc_now", lambda shift=shift: datetime.now(UTC) + timedelta(days=shift))
        CaseStore.open(tmp_path).close()
    kept = Layout(tmp_path).backups_kept()
    assert len(kept) == 7
    assert kept[-1].name.startswith(f"{datetime.now(UTC):%Y%m%d}")
    monkeypatch.undo()
    CaseStore.open(tmp_path).close()
    assert Layout(tmp_path).backups_kept() == kept
