"""Makes the frozen stores of older schemas that the migration tests start from.

    python -m tests.cases.freeze STEPS FOLDER

runs the program as it is now with only its first STEPS schema steps, records a case through the store, and writes the
database as SQL text to FOLDER/<STEPS>.sql and the store's result files to FOLDER/<STEPS>/. A frozen store is made once,
by the version of the program that wrote that schema, and never again: it stands for what users have on disk.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb

from detector.cases import CaseStore, JobRequest
from detector.cases.migrations import MIGRATIONS, migrate
from tests.cases.records import make_analysis, make_evidence

CONTENT = b"a film of long ago"
FILE_NAME = "Überwachung '<b>\u202e4pm.mp4"
NOTE = 'Seen at 00:12; "Robert\'); DROP TABLE cases;--"\nتعليق'


def freeze(steps: int, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        with mock.patch("detector.cases.store.migrate", partial(migrate, steps=MIGRATIONS[:steps])):
            record(home, steps)
        connection = duckdb.connect(str(home / "cases.duckdb"))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{steps:04d}.sql").write_text(as_sql(connection), encoding="utf-8")
        connection.close()
        if any((home / "artefacts").iterdir()):
            shutil.copytree(home / "artefacts", folder / f"{steps:04d}", dirs_exist_ok=True)


def record(home: Path, steps: int) -> None:
    """One of everything that a store with this many steps can hold."""
    with CaseStore.open(home, actor="old hand") as store:
        case = store.create_case("Café affair", reference="LAB/1", examiner="Ada")
        exhibit = store.add_exhibit(case.case_id, make_evidence(store.evidence_dir, CONTENT, FILE_NAME))
        store.add_note(case.case_id, NOTE, exhibit_id=exhibit.exhibit_id, track_id=1, pts=3000, author="Ada")
        store.update_case(case.case_id, title="Café affair, second part")
        store.create_case("Empty")
        if steps >= 3:
            request = JobRequest(exhibit.exhibit_id, ("frame-a",))
            job = store.jobs.add(request)
            store.jobs.claim()
        if steps >= 2:
            analysis = make_analysis(exhibit.evidence, frames=3, meshes=False)
            saved = store.save_analysis(exhibit.exhibit_id, analysis)
        if steps >= 3:
            store.jobs.finish(job.job_id, saved.record_id)
            store.jobs.add(request)


def as_sql(connection: duckdb.DuckDBPyConnection) -> str:
    """Every table as its CREATE statement and one INSERT a row."""
    lines = []
    for name, created in connection.execute("SELECT table_name, sql FROM duckdb_tables() ORDER BY ALL").fetchall():
        lines.append(created)
        for row in connection.execute(f"SELECT * FROM {name} ORDER BY ALL").fetchall():
            lines.append(f"INSERT INTO {name} VALUES ({', '.join(map(_literal, row))});")
    return "\n".join(lines) + "\n"


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool | int | float):
        return repr(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    return "'" + str(value).replace("'", "''") + "'"


if __name__ == "__main__":
    freeze(int(sys.argv[1]), Path(sys.argv[2]))
