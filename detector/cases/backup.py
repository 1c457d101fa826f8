"""A copy of the whole store to keep elsewhere, and a store made from such a copy.

database/       DuckDB's EXPORT DATABASE: the schema as SQL and each table as Parquet, readable without this program
evidence/       the originals
artefacts/      saved results
cases.anchor    the anchor file
backup.json     the schema's steps, the program's version, and the SHA-256 of every other file
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from detector import __version__
from detector.cases.codec import file_sha256
from detector.cases.database import Database, utc_now
from detector.cases.home import Layout
from detector.cases.migrations import MIGRATIONS, applied, migrate
from detector.errors import StoreError

_FILES = ("evidence", "artefacts")
_ANCHOR = "cases.anchor"
_MANIFEST = "backup.json"


def back_up(database: Database, layout: Layout, folder: Path) -> Path:
    """Write the copy to `folder`, which must be empty or missing. Writes wait meanwhile, reading goes on. Raises
    StoreError where the folder is in use or a file cannot be written; what was written stays, without a manifest."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise StoreError(f"A backup needs an empty folder; {folder} holds files. Nothing was written.")
        with database.held():
            if layout.anchor.is_file():
                shutil.copy2(layout.anchor, folder / _ANCHOR)
            steps = applied(database)
            target = str(folder.resolve() / "database").replace("'", "''")
            with database.read() as cursor:
                cursor.execute(f"EXPORT DATABASE '{target}' (FORMAT parquet)")
            for name in _FILES:
                shutil.copytree(layout.home / name, folder / name, ignore=shutil.ignore_patterns(".*"))
        files = {path.relative_to(folder).as_posix(): file_sha256(path) for path in _files_in(folder)}
        told = {"tool_version": __version__, "made_at": utc_now().isoformat(), "steps": list(steps), "files": files}
        (folder / _MANIFEST).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    except (OSError, shutil.Error) as error:
        raise StoreError(f"The backup to {folder} failed: {error}. It is incomplete; do not rely on it.") from error
    return folder


def restore(folder: Path, home: Path) -> None:
    """Make a store at `home`, which must have none, from a backup. Raises StoreError where the backup is not what its
    manifest says, or a newer version wrote it; then `home` has no database."""
    layout = Layout(home.expanduser().resolve())
    steps = _check(folder)
    if layout.database.exists() or layout.anchor.exists():
        raise StoreError(f"There is a case store at {layout.home} already; restore into an empty folder.")
    layout.make()
    unfinished = layout.database.with_name(".restoring.duckdb")
    try:
        unfinished.unlink(missing_ok=True)
        for name in _FILES:
            shutil.copytree(folder / name, layout.home / name, dirs_exist_ok=True)
        database = Database(unfinished)
        try:
            migrate(database, MIGRATIONS[:steps])
            _fill(database, folder / "database")
        finally:
            database.close()
        if (folder / _ANCHOR).is_file():
            shutil.copy2(folder / _ANCHOR, layout.anchor)
        unfinished.rename(layout.database)
    except (OSError, shutil.Error) as error:
        raise StoreError(f"The backup {folder} could not be restored to {layout.home}: {error}.") from error
    finally:
        unfinished.unlink(missing_ok=True)


def _check(folder: Path) -> int:
    """The number of schema steps that the backup has had, once every file was found to be what the manifest says."""
    try:
        told = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        steps, files = tuple(told["steps"]), dict(told["files"])
        present = {path.relative_to(folder).as_posix(): path for path in _files_in(folder)}
        present.pop(_MANIFEST)
        differing = sorted(set(files) ^ set(present)) or [
            name for name, path in present.items() if file_sha256(path) != files[name]
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{folder} is no complete backup of a case store ({error!r}). Nothing was restored."
        ) from error
    if differing:
        raise StoreError(f"The backup is damaged: {differing[0]} is not what its manifest says. Nothing was restored.")
    if steps != tuple(step.name for step in MIGRATIONS[: len(steps)]):
        raise StoreError(f"The backup was made by another version of Framewitness ({told['tool_version']}).")
    return len(steps)


def _fill(database: Database, exported: Path) -> None:
    """Read the tables' Parquet files. The exported SQL is not run: it names paths of the machine it was made on."""
    with database.read() as cursor:
        tables = [name for (name,) in cursor.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
        for table in tables:
            if table != "migrations":
                # A step may have put rows there; the backup has them.
                cursor.execute(f"DELETE FROM {table}")
                path = str(exported / f"{table}.parquet")
                cursor.execute(f"INSERT INTO {table} BY NAME SELECT * FROM read_parquet(?)", [path])
    database.checkpoint()


def _files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
