"""Stores as earlier versions left them open with every row they had. `schemas/` was written by those versions."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import duckdb
import pytest

from detector.cases import CaseStore
from detector.cases.database import Database
from detector.cases.migrations import MIGRATIONS, migrate
from detector.cases.seals import SEALED
from tests.cases import freeze
from tests.cases.records import make_evidence

SCHEMAS = Path(__file__).parent / "schemas"
FROZEN = sorted(path.stem for path in SCHEMAS.glob("*.sql"))


def thaw(home: Path, name: str) -> dict[str, list[tuple[Any, ...]]]:
    """Make a store of a frozen one; returns its rows by table."""
    make_evidence(home / "evidence", freeze.CONTENT)
    if (SCHEMAS / name).is_dir():
        shutil.copytree(SCHEMAS / name, home / "artefacts")
    if (SCHEMAS / f"{name}.anchor").is_file():
        shutil.copy(SCHEMAS / f"{name}.anchor", home / "cases.anchor")
    connection = duckdb.connect(str(home / "cases.duckdb"))
    connection.execute((SCHEMAS / f"{name}.sql").read_text(encoding="utf-8"))
    tables = [table for (table,) in connection.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
    found = {table: rows_of(connection, table) for table in tables}
    connection.close()
    return found


def rows_of(connection: duckdb.DuckDBPyConnection, table: str) -> list[tuple[Any, ...]]:
    return connection.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall()


def test_every_schema_that_was_ever_released_is_kept() -> None:
    assert [f"{number:04d}" for number in range(1, len(MIGRATIONS) + 1)] == FROZEN


@pytest.mark.parametrize("name", FROZEN)
def test_no_row_is_lost_and_all_of_it_verifies(tmp_path: Path, name: str) -> None:
    before = thaw(tmp_path, name)
    assert sum(map(len, before.values())) > 10
    with CaseStore.open(tmp_path, actor="newcomer") as store:
        assert store.warnings == ()
        whole = store.verify_all()
        assert whole.ok, whole
        assert [outcome.records_checked > 0 for outcome in whole.cases] == [True, True]
        (line,) = store.cases("cafe")
        assert line.case.title == "Café affair, second part"
        case_id = line.case.case_id
        (exhibit,) = store.exhibits(case_id)
        assert exhibit.file_name == freeze.FILE_NAME
        assert [note.text for note in store.notes(case_id)] == [freeze.NOTE]
        for record in store.analyses(case_id=case_id):
            assert store.analysis(record.record_id).conclusion.label == record.label
        assert {hit.kind for hit in store.search("seen drop")} == {"note"}
        assert store.similarity.seen_before(exhibit.exhibit_id).fingerprint_count == 1
        store.statements.give_opinion(exhibit.exhibit_id, "genuine")
        assert store.verify(case_id).ok
    connection = duckdb.connect(str(tmp_path / "cases.duckdb"))
    for newest in ("case_heads", "anchored"):  # always of the newest event
        before.pop(newest, None)
    for table, rows in before.items():
        now = rows_of(connection, table)
        assert all(row in now for row in rows), table
    connection.close()


@pytest.mark.parametrize("name", FROZEN)
def test_an_older_store_can_be_backed_up_by_the_newest_version(tmp_path: Path, name: str) -> None:
    from detector.cases import restore

    thaw(tmp_path / "old", name)
    with CaseStore.open(tmp_path / "old") as store:
        store.back_up(tmp_path / "backup")
    restore(tmp_path / "backup", tmp_path / "new")
    with CaseStore.open(tmp_path / "new") as store:
        assert store.verify_all().ok


def test_a_migrated_store_has_the_same_schema_as_a_new_one(tmp_path: Path) -> None:
    shapes = []
    for name in (None, *FROZEN):
        home = tmp_path / (name or "new")
        home.mkdir()
        if name:
            thaw(home, name)
        CaseStore.open(home).close()
        connection = duckdb.connect(str(home / "cases.duckdb"))
        query = "SELECT table_name, column_name, data_type, is_nullable FROM duckdb_columns() ORDER BY ALL"
        shapes.append(connection.execute(query).fetchall())
        connection.close()
    assert all(shape == shapes[0] for shape in shapes)


def test_a_migration_that_fails_half_way_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = thaw(tmp_path, FROZEN[2])

    def fail(*_: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr("detector.cases.migrations.insert_all_fingerprints", fail)
    with pytest.raises(RuntimeError, match="power cut"):
        CaseStore.open(tmp_path)
    monkeypatch.undo()
    connection = duckdb.connect(str(tmp_path / "cases.duckdb"))
    assert {table: rows_of(connection, table) for table in before} == before
    connection.close()
    with CaseStore.open(tmp_path) as store:
        assert store.verify_all().ok


def test_sealed_tables_keep_the_columns_they_were_made_with(tmp_path: Path) -> None:
    """A digest covers every column: one more would make every earlier record differ."""
    database = Database(tmp_path / "cases.duckdb")
    first: dict[str, list[str]] = {}
    for count in range(1, len(MIGRATIONS) + 1):
        migrate(database, MIGRATIONS[:count])
        with database.read() as cursor:
            query = "SELECT table_name, list(column_name ORDER BY column_index) FROM duckdb_columns() GROUP BY ALL"
            for table, columns in cursor.execute(query).fetchall():
                if table in SEALED:
                    assert first.setdefault(table, columns) == columns
    database.close()
    assert set(first) == set(SEALED)
