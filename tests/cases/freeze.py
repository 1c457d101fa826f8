"""Makes the frozen store of the newest schema that the migration tests of later ones start from.

    python -m tests.cases.freeze FOLDER

records a case through the store, and writes the database as SQL text to FOLDER/<steps>.sql, the anchor file beside it
and the store's result files to FOLDER/<steps>/. A frozen store is made once, by the version of the program that wrote
its schema, and never again: it stands for what users have on disk.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import duckdb

from detector.cases import CaseStore, JobRequest
from detector.cases.migrations import MIGRATIONS
from tests.cases.records import make_analysis, make_evidence

CONTENT = b"a film of long ago"
FILE_NAME = "Überwachung '<b>\u202e4pm.mp4"
NOTE = 'Seen at 00:12; "Robert\'); DROP TABLE cases;--"\nتعليق'


def freeze(folder: Path) -> None:
    name = f"{len(MIGRATIONS):04d}"
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        record(home)
        connection = duckdb.connect(str(home / "cases.duckdb"))
        (folder / f"{name}.sql").write_text(as_sql(connection), encoding="utf-8")
        connection.close()
        shutil.copy(home / "cases.anchor", folder / f"{name}.anchor")
        shutil.copytree(home / "artefacts", folder / name)


def record(home: Path) -> None:
    """One of everything that a store can hold."""
    with CaseStore.open(home, actor="old hand") as store:
        case_id = store.create_case("Café affair", reference="LAB/1", examiner="Ada").case_id
        exhibit = store.add_exhibit(case_id, make_evidence(store.evidence_dir, CONTENT, FILE_NAME))
        exhibit_id = exhibit.exhibit_id
        store.add_note(case_id, NOTE, exhibit_id=exhibit_id, track_id=1, pts=3000, author="Ada")
        store.update_case(case_id, title="Café affair, second part")
        place = {"exhibit_id": exhibit_id, "pts": 3000, "author": "Ada"}
        drawn = store.add_note(case_id, "chin", **place, box_xyxy_px=(4.0, 8.0, 16.0, 24.0))
        store.withdraw_note(store.revise_note(drawn.note_id, "the edge of the chin", author="Bea").note_id)
        store.create_case("Empty")
        store.statements.give_opinion(exhibit_id, "genuine", "blinks", author="Ada")
        request = JobRequest(exhibit_id, ("frame-a",))
        job = store.jobs.add(request)
        store.jobs.claim()
        saved = store.save_analysis(exhibit_id, make_analysis(exhibit.evidence, frames=3, meshes=False))
        store.jobs.finish(job.job_id, saved.record_id)
        store.jobs.add(request)
        store.statements.record_view(case_id, exhibit_id=exhibit_id, scores=True, author="Ada")
        store.metadata.set_tags(case_id, ["fraud", "voice"])
        store.metadata.set_favourite(case_id, True, author="Ada")
        store.metadata.name_exhibit(exhibit_id, reference="JB/1", description="from the phone")
        store.metadata.set_mandate(case_id, laboratory="Lab 4", client="Court", question="Is it genuine?")
        store.metadata.record_receipt(
            exhibit_id, received_from="J. B.", received_how="sealed bag", received_when="9 May"
        )
        gone = store.metadata.add_bookmark(exhibit_id, text="gone")
        store.metadata.add_bookmark(exhibit_id, track_id=1, pts=3000, text="mouth")
        store.metadata.remove_bookmark(gone.bookmark_id)
        store.similarity.fingerprint(exhibit_id)
        store.statements.record_truth(exhibit_id, "manipulated", "confession", method="face swap")
        store.statements.sign(case_id, "examiner", "I examined it.", author="Ada")
        store.statements.sign(case_id, "second_examiner", "I checked it.", author="Bea")
        store.metadata.set_status(case_id, "closed", reason="reported")


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
    freeze(Path(sys.argv[1]))
