from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from detector.cases import CaseStore
from detector.cases.database import Database
from detector.errors import StoreError
from tests.cases.records import make_analysis, make_evidence


def run_together(*works: Callable[[], None]) -> None:
    """Start all at once; raise what any raised."""
    gate = threading.Barrier(len(works))

    def start(work: Callable[[], None]) -> None:
        gate.wait()
        work()

    with ThreadPoolExecutor(len(works)) as pool:
        for future in [pool.submit(start, work) for work in works]:
            future.result()


def test_readers_and_writers_get_their_own_rows(store: CaseStore) -> None:
    cases = [store.create_case(f"case {number}") for number in range(6)]

    def reader(number: int) -> Callable[[], None]:
        def work() -> None:
            for _ in range(30):
                found = store.case(cases[number].case_id)
                assert found.title == f"case {number}"
                assert all(note.text.startswith(f"{number}:") for note in store.notes(found.case_id))

        return work

    def writer(number: int) -> Callable[[], None]:
        def work() -> None:
            for count in range(15):
                note = store.add_note(cases[number].case_id, f"{number}: {count}")
                assert note.text == f"{number}: {count}"

        return work

    run_together(*(reader(number) for number in range(6)), *(writer(number) for number in range(6)))
    for number, case in enumerate(cases):
        assert [note.text for note in store.notes(case.case_id)] == [f"{number}: {count}" for count in range(15)]
        assert store.verify(case.case_id).ok


def test_writers_to_one_case_keep_its_chain_whole(store: CaseStore) -> None:
    case_id = store.create_case("busy").case_id
    run_together(*[lambda: [store.add_note(case_id, "x") for _ in range(10)] for _ in range(6)])
    assert [event.sequence for event in store.events(case_id)] == list(range(1, 62))
    assert store.verify(case_id).ok


def test_the_same_analysis_saved_by_many_at_once_is_kept_once(store: CaseStore) -> None:
    evidence = make_evidence(store.evidence_dir)
    exhibit = store.add_exhibit(store.create_case("a").case_id, evidence)
    analysis = make_analysis(evidence)
    records = []
    run_together(*[lambda: records.append(store.save_analysis(exhibit.exhibit_id, analysis)) for _ in range(6)])
    assert len({record.record_id for record in records}) == 1
    assert len(store.score_table(records[0].record_id)) == 12


def test_two_stores_of_one_home_in_one_process_do_not_collide(store: CaseStore) -> None:
    case_id = store.create_case("shared").case_id
    with CaseStore.open(store.home, actor="second") as second:
        run_together(
            lambda: [store.add_note(case_id, "one") for _ in range(15)],
            lambda: [second.add_note(case_id, "two") for _ in range(15)],
        )
    assert len(store.notes(case_id)) == 30
    assert store.verify(case_id).ok


def test_a_reader_does_not_wait_for_a_long_write(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.duckdb")
    database.write(lambda cursor: cursor.execute("CREATE TABLE t (a INTEGER)"))
    inside, done = threading.Event(), threading.Event()

    def long(cursor: duckdb.DuckDBPyConnection) -> None:
        cursor.execute("INSERT INTO t VALUES (1)")
        inside.set()
        assert done.wait(10)

    thread = threading.Thread(target=database.write, args=(long,))
    thread.start()
    assert inside.wait(10)
    begun_s = time.monotonic()
    with database.read() as cursor:
        assert cursor.execute("SELECT count(*) FROM t").fetchall() == [(0,)]
    assert time.monotonic() - begun_s < 2
    done.set()
    thread.join()
    database.close()


def test_a_conflicting_write_is_tried_again(tmp_path: Path) -> None:
    database = Database(tmp_path / "a.duckdb")
    database.write(lambda cursor: cursor.execute("CREATE TABLE t AS SELECT 0 AS a"))
    rival = duckdb.connect(str(database.path))
    tries = []

    def add(cursor: duckdb.DuckDBPyConnection) -> None:
        if not tries:
            rival.execute("BEGIN TRANSACTION")
            rival.execute("UPDATE t SET a = a + 10")
        tries.append(1)
        try:
            cursor.execute("UPDATE t SET a = a + 1")
        finally:
            if len(tries) == 1:
                rival.execute("COMMIT")

    database.write(add)
    assert len(tries) == 2
    with database.read() as cursor:
        assert cursor.execute("SELECT a FROM t").fetchall() == [(11,)]
    rival.close()
    database.close()


def test_a_conflict_that_stays_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detector.cases.database._CONFLICT_TRIES", 3)
    database = Database(tmp_path / "a.duckdb")
    database.write(lambda cursor: cursor.execute("CREATE TABLE t AS SELECT 0 AS a"))
    rival = duckdb.connect(str(database.path))
    rival.execute("BEGIN TRANSACTION")
    rival.execute("UPDATE t SET a = 1")
    with pytest.raises(StoreError, match="after 3 tries"):
        database.write(lambda cursor: cursor.execute("UPDATE t SET a = 2"))
    rival.close()
    database.close()


def test_a_failed_change_leaves_nothing(store: CaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    evidence = make_evidence(store.evidence_dir)
    exhibit = store.add_exhibit(store.create_case("a").case_id, evidence)
    before = store.events(exhibit.case_id)

    def fail(*_: object) -> None:
        raise RuntimeError("disk on fire")

    monkeypatch.setattr("detector.analysis.tables.scores_table", fail)
    with pytest.raises(RuntimeError, match="disk on fire"):
        store.save_analysis(exhibit.exhibit_id, make_analysis(evidence))
    monkeypatch.undo()
    assert store.analyses() == []
    assert store.events(exhibit.case_id) == before
    record = store.save_analysis(exhibit.exhibit_id, make_analysis(evidence))
    assert len(store.face_table(record.record_id)) == 12
    assert store.verify(exhibit.case_id).ok
