"""A copy of one case's record, for a process that may not open the store: DuckDB lets one process in at a time.

The copy is a database with the rows of the case and of the store's own log, and the files that watch it, as they were
at one moment. Originals and saved results are not copied; whoever opens the copy reads those of the store. What is
written to a copy is lost with it.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import duckdb

from detector.cases.chain import STORE_CHAIN
from detector.cases.database import Database
from detector.cases.home import Layout
from detector.errors import StoreError


@dataclass(frozen=True, slots=True)
class CopyLayout(Layout):
    """The places of a copy: those of the store, but for the database and what watches it, which lie in `folder`."""

    folder: Path

    @property
    def database(self) -> Path:
        """The copied rows."""
        return self.folder / "case.duckdb"

    @property
    def anchor(self) -> Path:
        """The anchor file as it was."""
        return self.folder / "cases.anchor"


def copy_case(database: Database, layout: Layout, case_id: str, folder: Path) -> None:
    """Write a copy of the case to `folder`, which is made or emptied. Raises StoreError where it cannot be written."""
    to = CopyLayout(layout.home, folder)
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
        # No event is written meanwhile, so that database and anchor agree.
        with database.held(), database.read() as cursor:
            for source, target in ((layout.anchor, to.anchor), (layout.timestamps, to.timestamps)):
                if source.is_file():
                    shutil.copy2(source, target)
            path = str(to.database).replace("'", "''")
            cursor.execute(f"ATTACH '{path}' AS case_copy")
            try:
                _copy_rows(cursor, case_id)
            finally:
                cursor.execute("DETACH case_copy")
    except (OSError, duckdb.Error) as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise StoreError(
            f"The record of the case could not be copied for the export ({error}). Make room on the disk of the case "
            "store, then try again."
        ) from error


def _copy_rows(cursor: duckdb.DuckDBPyConnection, case_id: str) -> None:
    tables = "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database()"
    for (table,) in cursor.execute(tables).fetchall():
        columns = {column[0] for column in cursor.execute(f"FROM {table} LIMIT 0").description or []}
        belongs, values = "true", []
        if "case_id" in columns:
            belongs, values = "case_id IN (?, ?)", [case_id, STORE_CHAIN]
        elif "record_id" in columns:
            belongs, values = "record_id IN (SELECT record_id FROM analyses WHERE case_id = ?)", [case_id]
        cursor.execute(f"CREATE TABLE case_copy.{table} AS FROM {table} WHERE {belongs}", values)
