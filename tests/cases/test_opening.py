from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from detector.cases import CaseStore
from detector.cases.database import Database
from detector.cases.migrations import MIGRATIONS, Migration, applied, migrate
from detector.errors import StoreError

ROOT = Path(__file__).parents[2]


def in_another_process(code: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", code, str(home)], env=environment, capture_output=True, text=True, timeout=60
    )


def test_every_step_runs_once_and_is_on_record(tmp_path: Path) -> None:
    with CaseStore.open(tmp_path, actor="tester") as store:
        (event,) = store.events()
    assert event.action == "store_migrated"
    assert event.details["steps"] == [step.name for step in MIGRATIONS]
    with CaseStore.open(tmp_path) as store:
        assert len(store.events()) == 1
    database = Database(tmp_path / "cases.duckdb")
    assert applied(database) == tuple(step.name for step in MIGRATIONS)
    database.close()


def test_a_store_of_an_older_version_is_brought_up_to_date_with_its_rows(tmp_path: Path) -> None:
    """A database as the first step alone left it, with a case in it."""
    database = Database(tmp_path / "cases.duckdb")
    assert migrate(database, MIGRATIONS[:1]) == (MIGRATIONS[0].name,)
    database.write(
        lambda cursor: cursor.execute("INSERT INTO cases VALUES ('c000000001', 'R', 'Old', '', TIMESTAMP '2026-01-01')")
    )
    database.close()
    with CaseStore.open(tmp_path) as store:
        assert store.case("c000000001").title == "Old"
        assert store.jobs.find() == []
        assert store.events()[0].details["steps"] == [step.name for step in MIGRATIONS[1:]]


def test_migrations_leave_nothing_in_the_write_ahead_log(tmp_path: Path) -> None:
    database = Database(tmp_path / "cases.duckdb")
    migrate(database)
    wal = tmp_path / "cases.duckdb.wal"
    assert not wal.exists() or wal.stat().st_size == 0
    database.close()


def test_a_step_that_fails_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    database = Database(tmp_path / "cases.duckdb")
    broken = Migration("0002_broken", ("CREATE TABLE half (a INTEGER)", "SELECT * FROM nowhere"))
    with pytest.raises(duckdb.CatalogException):
        migrate(database, (MIGRATIONS[0], broken))
    assert applied(database) == (MIGRATIONS[0].name,)
    with database.read() as cursor:
        tables = {name for (name,) in cursor.execute("SELECT table_name FROM duckdb_tables()").fetchall()}
    assert "half" not in tables
    assert migrate(database) == tuple(step.name for step in MIGRATIONS[1:])
    database.close()


def test_a_store_of_a_newer_version_is_refused_untouched(tmp_path: Path) -> None:
    database = Database(tmp_path / "cases.duckdb")
    migrate(database, (*MIGRATIONS, Migration("9999_future", ("CREATE TABLE future (a INTEGER)",))))
    database.close()
    with pytest.raises(StoreError, match="9999_future"):
        CaseStore.open(tmp_path)


def test_a_store_open_elsewhere_names_the_process_and_what_to_do(tmp_path: Path) -> None:
    with CaseStore.open(tmp_path):
        code = """
import sys
from pathlib import Path
from detector.cases import CaseStore
from detector.errors import StoreError
try:
    CaseStore.open(Path(sys.argv[1]))
except StoreError as error:
    print(error)
"""
        said = in_another_process(code, tmp_path)
    assert "in use by another program" in said.stdout, said.stderr
    assert f"process {os.getpid()}" in said.stdout
    assert "FRAMEWITNESS_HOME" in said.stdout


def test_what_is_no_database_is_refused_untouched(tmp_path: Path) -> None:
    file = tmp_path / "cases.duckdb"
    file.write_bytes(b"something else" * 1000)
    with pytest.raises(StoreError, match="Restore the file from a backup"):
        CaseStore.open(tmp_path)
    assert file.read_bytes() == b"something else" * 1000


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="FRAMEWITNESS_HOME"):
        CaseStore.open(tmp_path / "file" / "home")


@pytest.mark.parametrize("place", [".", "evidence", "cases.duckdb"])
def test_a_home_that_is_read_only_is_named_and_not_taken_for_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    CaseStore.open(tmp_path).close()
    # The superuser may write whatever its mode, so the answer is made up.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != (tmp_path / place).resolve())
    with pytest.raises(StoreError, match=r"read-only.*FRAMEWITNESS_HOME"):
        CaseStore.open(tmp_path)


def a_change_only_in_the_log(home: Path) -> Path:
    """Return the write-ahead log that a process leaves which ends without closing the store."""
    code = """
import os, sys
from pathlib import Path
from detector.cases import CaseStore
store = CaseStore.open(Path(sys.argv[1]))
store.create_case("Only in the log")
os._exit(0)
"""
    assert in_another_process(code, home).returncode == 0
    return home / "cases.duckdb.wal"


def test_the_loss_of_a_write_ahead_log_cut_short_is_said(tmp_path: Path) -> None:
    with CaseStore.open(tmp_path) as store:
        kept = store.create_case("Kept")
    wal = a_change_only_in_the_log(tmp_path)
    wal.write_bytes(wal.read_bytes()[:-10])

    with CaseStore.open(tmp_path) as store:
        assert [found.case.case_id for found in store.cases()] == [kept.case_id]
        assert "Newer events are missing" in store.warnings[0]
        assert "which the store no longer holds" in store.verify_all().problem


def test_an_unreadable_write_ahead_log_is_set_aside_and_said(tmp_path: Path) -> None:
    with CaseStore.open(tmp_path) as store:
        kept = store.create_case("Kept")
    wal = a_change_only_in_the_log(tmp_path)
    damaged = bytearray(wal.read_bytes())
    damaged[damaged.index(b"Only in the log")] ^= 0xFF  # content: the log's checksum differs
    wal.write_bytes(damaged)

    with CaseStore.open(tmp_path) as store:
        assert [found.case.case_id for found in store.cases()] == [kept.case_id]
        behind, warning = store.warnings
        assert "Newer events are missing" in behind
        (aside,) = tmp_path.glob("cases.duckdb.wal.set-aside-*")
        assert aside.name in warning
        assert aside.read_bytes() == damaged
        assert store.events()[-1].details == {"file": aside.name}
        assert "Newer events are missing" in store.verify(kept.case_id).problem
        assert "which the store no longer holds" in store.verify_all().problem
    with CaseStore.open(tmp_path) as store:
        assert store.warnings == ()


def test_what_was_committed_survives_the_death_of_the_process(tmp_path: Path) -> None:
    code = """
import os, sys
from pathlib import Path
from detector.cases import CaseStore
store = CaseStore.open(Path(sys.argv[1]))
for number in range(5):
    store.create_case(str(number))
os.kill(os.getpid(), 9)
"""
    in_another_process(code, tmp_path)
    with CaseStore.open(tmp_path) as store:
        assert store.warnings == ()
        assert {found.case.title for found in store.cases()} == set("01234")
        assert all(store.verify(found.case.case_id).ok for found in store.cases())


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = CaseStore.open(tmp_path)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.cases()
    CaseStore.open(tmp_path).close()
