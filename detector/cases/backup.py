"""A copy of the whole store to keep elsewhere, and a store made from such a copy.

database/       DuckDB's EXPORT DATABASE: the schema as SQL and each table as Parquet, readable without this program
evidence/       the originals
artefacts/      saved results
calibration/    calibration sets, and which one is in force
exports/        reports and other files that were made to be taken away
cases.anchor    the anchor file
cases.timestamps  the time stamps, where there are any
backup.json     the schema's steps, the program's version, and the SHA-256 of every other file

Automatic backups lie in the home's `backups` and hold all but these four folders: originals, results, sets, choices and
exports are files that never change, and restoring leaves them where they are; which set is in force the log says (see
`calibration_choice`).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import duckdb

from detector import __version__
from detector.calibration.in_force import CALIBRATION_FOLDER
from detector.cases.codec import file_sha256
from detector.cases.database import Database, utc_now
from detector.cases.home import BACKUP_MANIFEST, Layout, backup_number
from detector.cases.migrations import MIGRATIONS, applied, migrate
from detector.errors import StoreDamagedError, StoreError

_FILES = ("evidence", "artefacts", CALIBRATION_FOLDER, "exports")
_ANCHOR, _TIMESTAMPS = "cases.anchor", "cases.timestamps"
_DAILY = "daily"
_DAILY_KEPT, _OTHERS_KEPT = 7, 3


def back_up(
    database: Database, layout: Layout, folder: Path, *, files: Sequence[str] = _FILES, number: int | None = None
) -> Path:
    """Write the copy to `folder`, which must be empty or missing. Writes wait meanwhile, reading goes on. `files` are
    the folders of the home that are copied beside the database; `number` is an automatic backup's place among those of
    its store. Raises StoreError where the folder is in use or a file cannot be written; what was written stays, without
    a manifest."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise StoreError(f"A backup needs an empty folder; {folder} holds files. Nothing was written.")
        with database.held():
            for name, path in _watching(layout).items():
                if path.is_file():
                    shutil.copy2(path, folder / name)
            steps = applied(database)
            target = str(folder.resolve() / "database").replace("'", "''")
            with database.read() as cursor:
                cursor.execute(f"EXPORT DATABASE '{target}' (FORMAT parquet)")
            for name in files:
                shutil.copytree(layout.home / name, folder / name, ignore=shutil.ignore_patterns(".*"))
        hashes = {path.relative_to(folder).as_posix(): file_sha256(path) for path in _files_in(folder)}
        told: dict[str, object] = {
            "tool_version": __version__,
            "made_at": utc_now().isoformat(),
            "steps": list(steps),
            "files": hashes,
        }
        if number is not None:
            told["number"] = number
        (folder / BACKUP_MANIFEST).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    except (OSError, shutil.Error, duckdb.Error) as error:
        raise StoreError(f"The backup to {folder} failed: {error}. It is incomplete; do not rely on it.") from error
    return folder


def keep_daily_backup(database: Database, layout: Layout) -> str | None:
    """Keep a backup unless there is one of today (UTC) or no case; the last seven are kept. Returns what went wrong,
    None in the ordinary case. Raises StoreDamagedError where the database cannot be read whole."""
    today = f"{utc_now():%Y%m%d}T"
    if any(path.name.startswith(today) and path.name.endswith(f"Z-{_DAILY}") for path in layout.backups_kept()):
        return None
    with database.read() as cursor:
        if not cursor.execute("SELECT 1 FROM cases LIMIT 1").fetchall():
            return None
    try:
        keep_backup(database, layout, _DAILY)
    except StoreDamagedError:
        raise
    except StoreError as error:
        return f"Today's automatic backup could not be made. {error}"
    return None


def keep_backup(database: Database, layout: Layout, reason: str) -> Path:
    """Back the database up into the home, restore it there to a file of its own, open that read-only and compare every
    row; older ones beyond those to keep go. Raises StoreError where any of it fails; then no backup is left."""
    kept = layout.backups / f"{utc_now():%Y%m%dT%H%M%S%f}Z-{reason}"
    number = 1 + max((backup_number(path / BACKUP_MANIFEST) for path in layout.backups_kept()), default=0)
    try:
        layout.backups.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A name with a dot is no backup yet; one that a killed process left is replaced.
        unfinished = layout.unfinished_backup
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        try:
            made = back_up(database, layout, unfinished / "backup", files=(), number=number)
            _compare(made, database, unfinished / "restored.duckdb")
            made.rename(kept)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        _rotate(layout)
    except OSError as error:
        raise StoreError(
            f"No backup could be kept in {layout.backups}: {error}. Make room, or let it be written to."
        ) from error
    return kept


def restore(folder: Path, home: Path) -> None:
    """Make a store at `home`, which must have none, from a backup. Raises StoreError where the backup is not what its
    manifest says, or a newer version wrote it; then `home` has no database. One that was interrupted is done again, and
    until then the home is not opened (see `opening`)."""
    layout = Layout(home.expanduser().resolve())
    steps = _check(folder)
    unfinished, begun = layout.unfinished_restore, layout.unfinished_restore.exists()
    watching = _watching(layout).values()
    if layout.database.exists() or (not begun and any(path.exists() for path in watching)):
        raise StoreError(f"There is a case store at {layout.home} already; restore into an empty folder.")
    layout.make()
    try:
        if begun:
            for path in (*watching, unfinished):
                path.unlink(missing_ok=True)
        unfinished.with_name(f"{unfinished.name}.wal").unlink(missing_ok=True)
        # First, because it says that the rest is not there yet.
        _rebuild(folder, steps, unfinished)
        for name in _FILES:
            if (folder / name).is_dir():
                shutil.copytree(folder / name, layout.home / name, dirs_exist_ok=True, copy_function=_replace)
        for name, path in _watching(layout).items():
            if (folder / name).is_file():
                shutil.copy2(folder / name, path)
        unfinished.rename(layout.database)
    except (OSError, shutil.Error, duckdb.Error) as error:
        raise StoreError(
            f"The backup {folder} could not be restored to {layout.home}: {error}. Mend that, then restore it again."
        ) from error


def _watching(layout: Layout) -> dict[str, Path]:
    """The files that watch the database: their name in a backup -> their place in the store."""
    return {_ANCHOR: layout.anchor, _TIMESTAMPS: layout.timestamps}


def _check(folder: Path) -> int:
    """The number of schema steps that the backup has had, once every file was found to be what the manifest says."""
    try:
        told = json.loads((folder / BACKUP_MANIFEST).read_text(encoding="utf-8"))
        steps, files = tuple(told["steps"]), dict(told["files"])
        present = {path.relative_to(folder).as_posix(): path for path in _files_in(folder)}
        present.pop(BACKUP_MANIFEST)
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


def _rebuild(folder: Path, steps: int, path: Path) -> None:
    """Make a database at `path` of a checked backup."""
    database = Database(path)
    try:
        migrate(database, MIGRATIONS[:steps])
        _fill(database, folder / "database")
    finally:
        database.close()


def _compare(folder: Path, database: Database, path: Path) -> None:
    """Raise StoreError unless the backup, restored to `path`, has the rows of the database it was made of."""
    try:
        _rebuild(folder, _check(folder), path)
    except (StoreDamagedError, duckdb.Error) as error:  # of the copy, not of the store
        raise StoreError(f"It could not be restored to be compared ({error}).") from error
    with duckdb.connect(str(path), read_only=True) as copy, database.read() as cursor:
        there, here = _row_digests(copy), _row_digests(cursor)
    if differing := sorted(name for name in there.keys() | here.keys() if there.get(name) != here.get(name)):
        raise StoreError(f"The backup's table {differing[0]} is not the store's. It was not kept; try again.")


def _row_digests(cursor: duckdb.DuckDBPyConnection) -> dict[str, tuple[object, ...]]:
    """Number of rows and the sum of their hashes, by table. The record of migrations is left out: its times are
    those of the restoring."""
    tables = [name for (name,) in cursor.execute("SELECT table_name FROM duckdb_tables()").fetchall()]
    return {
        table: cursor.execute(f"SELECT count(*), sum(hash({table})::HUGEINT) FROM {table}").fetchall()[0]
        for table in tables
        if table != "migrations"
    }


def _rotate(layout: Layout) -> None:
    kept = layout.backups_kept()
    daily = [path for path in kept if path.name.endswith(f"Z-{_DAILY}")]
    others = [path for path in kept if path not in daily]
    for path in (*daily[:-_DAILY_KEPT], *others[:-_OTHERS_KEPT]):
        shutil.rmtree(path)


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


def _replace(source: str, target: str) -> None:
    """Copy a file in place of the one there, which may be half of it and is read-only where it is an original."""
    Path(target).unlink(missing_ok=True)
    shutil.copy2(source, target)


def _files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
