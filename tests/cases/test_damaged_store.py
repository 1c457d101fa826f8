"""A database that cannot be read is called damaged, never in use, and left as it is; the newest backup is offered."""

from __future__ import annotations

import os
import random
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from detector.cases import CaseStore, backup, restore
from detector.cases.database import Database
from detector.cases.home import Layout
from detector.cases.migrations import MIGRATIONS, migrate
from detector.errors import StoreDamagedError, StoreError


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A store with a case and, since it was opened again, a backup of today."""
    home = tmp_path / "home"
    with CaseStore.open(home) as store:
        store.create_case("Kept")
    CaseStore.open(home).close()
    return home


def names(home: Path) -> list[str]:
    return [path.name.split("Z-", 1)[1] for path in Layout(home).backups_kept()]


def damage(path: Path, how: str) -> None:
    data = bytearray(path.read_bytes())
    if how == "checksum":
        data[20] ^= 0xFF
    elif how == "header":
        del data[100:]
    elif how == "half":
        del data[len(data) // 2 :]
    else:
        data.clear()
    path.write_bytes(data)


@pytest.mark.parametrize("how", ["checksum", "header", "half", "empty"])
def test_damage_is_called_so_touches_nothing_and_names_the_newest_backup(home: Path, how: str) -> None:
    file = home / "cases.duckdb"
    damage(file, how)
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    with pytest.raises(StoreDamagedError) as refused:
        CaseStore.open(home)
    assert "is damaged" in str(refused.value)
    assert "in use" not in str(refused.value)
    newest = Layout(home).backups_kept()[-1]
    assert f"The newest backup is {newest.name}" in str(refused.value)
    assert f"cases import {newest} --home {home}`" in str(refused.value)
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before


def test_the_advice_brings_the_cases_back(home: Path, tmp_path: Path) -> None:
    damage(home / "cases.duckdb", "half")
    for name in ("cases.duckdb", "cases.anchor"):
        shutil.move(home / name, tmp_path / name)
    restore(Layout(home).backups_kept()[-1], home)
    with CaseStore.open(home) as store:
        assert [found.case.title for found in store.cases()] == ["Kept"]
        assert store.verify_all().ok


def test_damage_without_a_backup_says_what_to_do(home: Path) -> None:
    shutil.rmtree(home / "backups")
    damage(home / "cases.duckdb", "half")
    with pytest.raises(StoreDamagedError, match="Restore the file from a backup"):
        CaseStore.open(home)


def test_changed_bytes_anywhere_are_a_refusal_or_unread(home: Path, tmp_path: Path) -> None:
    """Damage that opening does not meet is met by what reads it: no other error than a StoreError comes out."""
    file, choose = home / "cases.duckdb", random.Random(7)
    data, refused = file.read_bytes(), 0
    shutil.copy(home / "cases.anchor", tmp_path)
    for _ in range(12):
        changed, place = bytearray(data), choose.randrange(len(data))
        changed[place] ^= 1 << choose.randrange(8)
        file.write_bytes(changed)
        shutil.copy(tmp_path / "cases.anchor", home)
        try:
            with CaseStore.open(home) as store:
                store.cases()
                store.verify_all()
        except StoreDamagedError:
            refused += 1
        assert file.read_bytes() == changed
    assert refused


def test_a_backup_is_kept_once_a_day_and_seven_of_them(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    CaseStore.open(home).close()
    assert names(home) == ["daily"]
    first = Layout(home).backups_kept()[0]
    for day in range(8):
        monkeypatch.setattr(backup, "utc_now", lambda day=day: datetime.now(UTC) + timedelta(days=1 + day))
        CaseStore.open(home).close()
    assert names(home) == ["daily"] * 7
    assert not first.exists()
    assert not (home / "backups" / ".unfinished").exists()


def test_a_store_without_cases_is_not_backed_up(tmp_path: Path) -> None:
    for _ in range(2):
        CaseStore.open(tmp_path).close()
    assert not (tmp_path / "backups").exists()


def test_an_older_store_is_backed_up_before_its_schema_is_changed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    Layout(home).make()
    database = Database(home / "cases.duckdb")
    migrate(database, MIGRATIONS[:1])
    database.write(
        lambda cursor: cursor.execute("INSERT INTO cases VALUES ('c000000001', 'R', 'Old', '', TIMESTAMP '2026-01-01')")
    )
    database.close()
    CaseStore.open(home).close()
    assert names(home)[0] == f"before-{MIGRATIONS[1].name}"
    restore(Layout(home).backups_kept()[0], tmp_path / "back")
    with CaseStore.open(tmp_path / "back") as store:
        assert store.case("c000000001").title == "Old"


def test_no_migration_runs_where_the_backup_before_it_fails(tmp_path: Path) -> None:
    Layout(tmp_path).make()
    database = Database(tmp_path / "cases.duckdb")
    migrate(database, MIGRATIONS[:1])
    database.close()
    (tmp_path / "backups").write_text("in the way")
    with pytest.raises(StoreError, match="No backup could be kept"):
        CaseStore.open(tmp_path)
    database = Database(tmp_path / "cases.duckdb")
    assert migrate(database)[0] == MIGRATIONS[1].name
    database.close()


def test_a_failed_daily_backup_is_a_warning_and_leaves_none(home: Path) -> None:
    shutil.rmtree(home / "backups")
    (home / "backups").write_text("in the way")
    with CaseStore.open(home) as store:
        (warning,) = store.warnings
    assert "automatic backup could not be made" in warning


def test_a_backup_whose_rows_are_not_the_stores_is_not_kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(home / "backups")
    fill = backup._fill

    def lose_a_row(database: Database, exported: Path) -> None:
        fill(database, exported)
        database.write(lambda cursor: cursor.execute("UPDATE cases SET title = 'Lost'"))

    monkeypatch.setattr(backup, "_fill", lose_a_row)
    with CaseStore.open(home) as store:
        (warning,) = store.warnings
    assert "table cases is not the store's" in warning
    assert os.listdir(home / "backups") == []
