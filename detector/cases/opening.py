"""Opening a store: the database, its schema, its anchor, and who acts."""

from __future__ import annotations

import getpass

import duckdb

from detector.cases.anchor import Anchor
from detector.cases.backup import keep_backup, keep_daily_backup
from detector.cases.calibration_choice import put_right
from detector.cases.chain import STORE_CHAIN, append_event, last_change, read_events, read_head
from detector.cases.database import Database
from detector.cases.findings import ANCHOR_DIFFERS
from detector.cases.home import Layout
from detector.cases.migrations import MIGRATIONS, applied, migrate
from detector.cases.timestamps import FILE, Timestamps, lost_token
from detector.errors import StoreError

# From this step on a store has an anchor; one that had the step before and has no anchor now has lost it.
_ANCHORED_SINCE = MIGRATIONS[3].name


def open_store(layout: Layout, actor: str) -> tuple[Database, Anchor, Timestamps, tuple[str, ...]]:
    """(database up to date and watched by the anchor, the anchor, the time stamps, plain sentences on what happened).

    What is wrong at opening is also put into the store's own log. Before its schema is changed, and once a day, the
    database is backed up. Raises StoreError as `Database` and `migrate` do, and where the backup before a change fails.
    """
    layout.make()
    if layout.unfinished_restore.exists() and not layout.database.exists():
        raise StoreError(
            f"A backup was being restored to {layout.home} when that was interrupted. Restore it again (`framewitness "
            f"cases import BACKUP --home {layout.home}`), or remove {layout.unfinished_restore.name} there to begin an "
            "empty store."
        )
    database = Database(layout.database)
    anchor, timestamps = Anchor(layout.anchor), Timestamps(layout.timestamps, database, actor)
    try:
        ran = migrate(database, before=lambda step: keep_backup(database, layout, f"before-{step}"))
        with database.read() as cursor:
            # A store whose very first opening was interrupted has only that opening's event, and no anchor yet.
            begun = last_change(cursor) > 1
        expected = begun and _ANCHORED_SINCE in applied(database) and _ANCHORED_SINCE not in ran
        with database.read() as cursor:
            # A process that was killed while it made the store may have come to the steps and not to their event.
            steps = ran or (() if read_head(cursor, STORE_CHAIN) else applied(database))
        if steps:
            database.write(
                lambda cursor: append_event(cursor, STORE_CHAIN, "store_migrated", actor, {"steps": list(steps)})
            )
        warnings = [
            *_check_anchor(database, anchor, actor, expected),
            *_check_timestamps(database, timestamps, actor),
            *_report_wal(database, actor),
            *put_right(database, layout, actor),
        ]
        if failed := keep_daily_backup(database, layout):
            warnings.append(failed)

        def follow(cursor: duckdb.DuckDBPyConnection) -> None:
            anchor.follow(cursor)
            timestamps.follow(cursor)

        database.before_commit, database.after_commit = anchor.vouch, follow
        with database.held(), database.read() as cursor:
            follow(cursor)
        if anchor.problem:
            warnings.append(anchor.problem)
    except BaseException:
        database.close()
        raise
    return database, anchor, timestamps, tuple(warnings)


def system_user() -> str:
    """The name of who runs this program, as the operating system has it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no entry for this user, as in some containers
        return "unknown user"


def _check_anchor(database: Database, anchor: Anchor, actor: str, expected: bool) -> list[str]:
    with database.read() as cursor:
        problem, after = anchor.state(cursor, expected=expected)
    if problem is None:
        return []
    details = {"problem": problem.replace(str(anchor.path), anchor.path.name)}
    database.write(lambda cursor: append_event(cursor, STORE_CHAIN, ANCHOR_DIFFERS, actor, details, after_change=after))
    return [problem]


def _check_timestamps(database: Database, timestamps: Timestamps, actor: str) -> list[str]:
    with database.read() as cursor:
        problem = lost_token(read_events(cursor, STORE_CHAIN), timestamps.path)
    if problem is None:
        return []
    details = {"problem": problem.replace(str(timestamps.path), timestamps.path.name), "file": FILE}
    database.write(lambda cursor: append_event(cursor, STORE_CHAIN, ANCHOR_DIFFERS, actor, details))
    return [problem]


def _report_wal(database: Database, actor: str) -> list[str]:
    aside = database.wal_set_aside
    if aside is None:
        return []
    database.write(lambda cursor: append_event(cursor, STORE_CHAIN, "wal_set_aside", actor, {"file": aside.name}))
    return [
        f"The store's write-ahead log could not be read, as after a crash of the machine. It was kept as {aside.name}; "
        "the store was opened as of its last checkpoint, so the newest changes may be missing."
    ]
